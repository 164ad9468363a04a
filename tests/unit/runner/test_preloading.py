from __future__ import annotations

import json
from typing import Any

from hookline_runner.analysis import analyse
from hookline_runner.preloading import preloads_of
from hookline_runner.zygote_messages import MAX_MESSAGE_BYTES


def _preloads(files: dict[str, str]) -> tuple[str, ...]:
    facts: dict[str, Any] = {
        "modules": analyse({path: text.encode() for path, text in files.items()}),
        "provided": ["requests", "google", "hookline"],
        "stdlib": ["json", "asyncio", "this"],
        "python": "3.11.7",
    }
    return preloads_of(facts)


def test_what_the_files_import_is_preloaded() -> None:
    found = _preloads({"main.py": "import json\nfrom google.cloud import storage\n"})

    assert found == ("json", "google.cloud", "google.cloud:storage")


def test_the_projects_own_modules_are_not_even_when_a_package_has_their_name() -> None:
    found = _preloads({"main.py": "import requests, json", "requests.py": "", "json/x.py": ""})

    assert found == ()


def test_what_nothing_provides_or_is_no_run_time_import_is_not() -> None:
    source = """
import nowhere, hookline, this
from . import sibling
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import requests
"""

    assert _preloads({"main.py": source}) == ()


def test_facts_that_are_no_facts_preload_nothing() -> None:
    assert preloads_of({"modules": {"x": 1}, "provided": [], "stdlib": []}) == ()


def test_no_more_are_preloaded_than_a_message_to_a_zygote_holds() -> None:
    names = ", ".join(f"ä_long_name_{number}" for number in range(20_000))

    found = _preloads({"main.py": f"from json import {names}"})

    assert len(found) > 1000
    assert len(json.dumps(found)) < MAX_MESSAGE_BYTES / 2 + 1024
