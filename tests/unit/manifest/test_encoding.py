from __future__ import annotations

import json

import pytest
from hypothesis import given, settings, strategies as st

from hookline_service.manifest.encoding import (
    StoredManifestError,
    canonical_json,
    manifest_from_json,
)
from hookline_service.manifest.parse import parse_manifest
from hookline_service.manifest.values import Manifest, ManifestConnection, ManifestVariable
from hookline_service.model.secret import Secret
from hookline_triggers.definitions import (
    DstPolicy,
    OverlapPolicy,
    RetryPolicy,
    SchedulePolicies,
    TriggerDefinition,
    TriggerKind,
)

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
SECONDS = st.one_of(st.integers(0, 10**6).map(float), st.floats(0, 1e9))
VARIABLES = st.lists(
    st.builds(
        ManifestVariable,
        name=TEXTS,
        value=st.one_of(st.none(), TEXTS),
        is_secret=st.just(False),
        description=TEXTS,
        is_required=st.booleans(),
    ),
    max_size=2,
).map(tuple)
TRIGGERS = st.builds(
    TriggerDefinition,
    name=TEXTS,
    kind=st.sampled_from(TriggerKind),
    call=TEXTS,
    filter=TEXTS,
    is_durable=st.booleans(),
    policies=st.builds(
        SchedulePolicies,
        overlap=st.sampled_from(OverlapPolicy),
        dst=st.sampled_from(DstPolicy),
        catchup_s=SECONDS,
    ),
    retries=st.builds(RetryPolicy, max_attempts=st.integers(1, 9), max_s=SECONDS),
    timeout_s=st.one_of(st.none(), SECONDS),
    concurrency=st.one_of(st.none(), st.integers(1, 9)),
)
MANIFESTS = st.builds(
    Manifest,
    project=TEXTS,
    requirements=st.one_of(st.none(), TEXTS, st.lists(TEXTS, max_size=2).map(tuple)),
    ignore=st.lists(TEXTS, max_size=2).map(tuple),
    concurrency=st.one_of(st.none(), st.integers(1, 9)),
    variables=VARIABLES,
    connections=st.lists(
        st.builds(ManifestConnection, name=TEXTS, integration=TEXTS, variables=VARIABLES),
        max_size=2,
    ).map(tuple),
    triggers=st.lists(TRIGGERS, max_size=2).map(tuple),
)


@given(MANIFESTS)
@settings(max_examples=100, deadline=None)
def test_a_manifest_survives_its_json(manifest):
    text = canonical_json(manifest)

    assert manifest_from_json(text) == manifest
    assert canonical_json(manifest_from_json(text)) == text


def test_values_of_secrets_are_not_in_the_json():
    variable = ManifestVariable(name="T", value=Secret("hunter2"), is_secret=True)
    manifest = Manifest(
        project="p",
        variables=(variable,),
        connections=(ManifestConnection(name="c", integration="i", variables=(variable,)),),
    )

    text = canonical_json(manifest)

    assert b"hunter2" not in text
    assert manifest_from_json(text).variables == (ManifestVariable(name="T", is_secret=True),)


def test_comments_and_layout_do_not_change_the_json():
    loose = parse_manifest("project:\n\n  # hello\n  name: p\n  vars: []\n", "hookline.yaml")
    tight = parse_manifest("project: {name: p}", "hookline.yaml")

    assert canonical_json(loose.manifest) == canonical_json(tight.manifest)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b"null", b'{"format": 2}', b'{"format": 1}', b"\xff"]
)
def test_other_bytes_are_refused(text):
    with pytest.raises(StoredManifestError):
        manifest_from_json(text)


def test_a_field_of_the_wrong_type_is_refused():
    document = json.loads(
        canonical_json(
            Manifest(project="p", triggers=(TriggerDefinition(name="t", kind=TriggerKind.WEBHOOK),))
        )
    )
    for field, wrong in [
        ("kind", "moon"),
        ("is_durable", 1),
        ("concurrency", True),
        ("timeout_s", "x"),
        ("policies", []),
    ]:
        broken = json.loads(json.dumps(document))
        broken["triggers"][0][field] = wrong

        with pytest.raises(StoredManifestError):
            manifest_from_json(json.dumps(broken).encode())
