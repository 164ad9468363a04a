from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given, settings, strategies as st

import hookline
from hookline_connections.names import INTEGRATION_NAMES
from hookline_runner.analysis import analyse
from hookline_service.manifest.check import CheckContext, check_manifest, check_project
from hookline_service.manifest.parse import parse_manifest

HANDLER = b"def run(event):\n    return event\n"


def a_manifest(
    triggers: str = "{name: t, type: webhook, call: 'main.py:run'}", body: str = "", **kw
):
    text = f"project:\n  name: p\n  triggers: [{triggers}]\n{body}"
    parsed = parse_manifest(text, kw.get("name", "hookline.yaml"))
    assert parsed.is_valid, parsed.findings
    return parsed.manifest


def check(files: dict[str, str | bytes], manifest=None, **around):
    contents = {path: one.encode() if isinstance(one, str) else one for path, one in files.items()}
    modules = analyse(contents)
    surroundings = CheckContext(
        **{
            "modules": modules,
            "provided": {"requests"},
            "stdlib": sys.stdlib_module_names,
            **around,
        }
    )
    return check_project(manifest or a_manifest(), contents, surroundings)


def said(findings):
    return [f"{one.file}:{one.line}:{one.column} {one.level} {one.message}" for one in findings]


def test_a_sound_project_has_no_findings():
    files = {
        "main.py": "import json, requests\nfrom lib import tools\nfrom lib.tools import add\n"
        "import autokitteh, hookline\nasync def run(event): ...\n",
        "lib/tools.py": "from . import more\nfrom .more import x\ndef add(): ...\n",
        "lib/__init__.py": "",
        "lib/more.py": "x = 1\n",
        "requirements.txt": "requests>=2\n",
    }

    assert check(files) == ()


@pytest.mark.parametrize(
    ("call", "message", "hint"),
    [
        (
            "main.py",
            "`call` 'main.py': it names no function",
            "write PATH.py:NAME, as in handlers.py:run",
        ),
        (
            "mian.py:run",
            "the project has no file 'mian.py'",
            "did you mean `main.py`?",
        ),
        ("main.py:rum", "`call` names 'rum', which main.py does not have", "did you mean `run`?"),
        ("main.py:zzz", "`call` names 'zzz', which main.py does not have", "it has none, run, two"),
        (
            "main.py:none",
            "'none' in main.py cannot be called with an event: it takes no argument, and is called with the event",
            "write `def none(event):` at line 3 of main.py",
        ),
        (
            "main.py:two",
            "'two' in main.py cannot be called with an event: it also requires b, and is called with the event alone",
            "write `def two(event):` at line 4 of main.py",
        ),
    ],
)
def test_a_call_that_leads_nowhere_is_found(call, message, hint):
    manifest = a_manifest(f"{{name: t, type: webhook, call: '{call}'}}")
    source = "def run(event):\n    pass\ndef none(): ...\ndef two(a, b): ...\n"

    findings = check({"main.py": source}, manifest)

    assert [(one.message, one.hint) for one in findings] == [(message, hint)]
    assert (findings[0].file, findings[0].line, findings[0].column) == ("hookline.yaml", 3, 45)


@pytest.mark.parametrize(
    "source",
    [
        "class run:\n    def __init__(self, event): ...\n",
        "@decorate\ndef run(): ...\ndef decorate(f): return f\n",
        "run = lambda event: 1\n",
        "from lib import *\n",
        "from lib import run\n",
        "def __getattr__(name): ...\n",
        "if True:\n    def run(event, extra=1): ...\n",
        "def run(*args): ...\n",
    ],
)
def test_whatever_may_be_callable_passes(source):
    assert check({"main.py": source, "lib.py": HANDLER}) == ()


def test_a_file_that_ignore_leaves_out_is_named_as_such():
    manifest = a_manifest(body="  ignore: [main.py]\n")

    findings = check({}, manifest)

    assert [one.hint for one in findings] == ["it is left out by the manifest's `ignore`"]


def test_a_syntax_error_shows_its_line():
    findings = check({"main.py": "def run(event):\n    x = (1,\n"})

    assert [(one.code, one.file, one.line, one.column, one.source) for one in findings] == [
        ("python.syntax", "main.py", 2, 9, "    x = (1,")
    ]


@pytest.mark.parametrize(
    ("trigger", "code", "column"),
    [
        ("schedule: '61 * * * *'", "schedule.invalid", 34),
        ("schedule: '@daily', timezone: Europe/Pragu", "timezone.unknown", 54),
        ("schedule: 'CRON_TZ=Nowhere 1 * * * *'", "timezone.unknown", 34),
        ("type: webhook, filter: 'data.'", "filter.invalid", 47),
        ("type: webhook, filter: 'daat.x == 1'", "filter.invalid", 47),
        ("type: webhook, dedupe: 'cookie:x'", "dedupe.invalid", 47),
        ("connection: nope", "connection.unknown", 36),
    ],
)
def test_what_a_trigger_gets_wrong_is_found_at_its_value(trigger, code, column):
    manifest = a_manifest(f"{{name: t, {trigger}}}")

    findings = check_project(manifest, {})

    assert [(one.code, one.line, one.column) for one in findings] == [(code, 3, column)]
    assert check_manifest(manifest) == findings


def test_a_wrong_zone_does_not_hide_a_wrong_expression():
    manifest = a_manifest("{name: t, schedule: '61 * * * *', timezone: Europe/Pragu}")

    findings = check_project(manifest, {})

    assert {one.code for one in findings} == {"schedule.invalid", "timezone.unknown"}


def test_a_manifest_alone_is_checked_without_its_files():
    assert check_manifest(a_manifest("{name: t, type: webhook, call: 'main.py:run'}")) == ()


@pytest.mark.parametrize(
    ("source", "level", "message", "hint"),
    [
        (
            "import yaml",
            "error",
            "nothing provides the module 'yaml'",
            "add `PyYAML` to requirements.txt",
        ),
        (
            "import reqeusts.auth",
            "error",
            "nothing provides the module 'reqeusts.auth'",
            "did you mean `requests`? Otherwise add a package that has it to requirements.txt",
        ),
        (
            "from zzz.y import x",
            "error",
            "nothing provides the module 'zzz.y'",
            "add the package that has it to requirements.txt",
        ),
        (
            "import lib.tool",
            "error",
            "the project has no module 'lib.tool'",
            "did you mean `lib.tools`?",
        ),
        (
            "import tools",
            "error",
            "nothing provides the module 'tools'",
            "modules count from the project's root: did you mean `lib.tools`?",
        ),
        ("from lib import nothing", "error", "the module 'lib' has no name 'nothing'", ""),
        (
            "from lib.tools import ad",
            "error",
            "the module 'lib.tools' has no name 'ad'",
            "did you mean `add`?",
        ),
        (
            "from hookline import slep",
            "error",
            "the module 'hookline' has no name 'slep'",
            "did you mean `sleep`?",
        ),
        (
            "from hookline.errors import (\n    HooklineError,\n    HooklineEror,\n)",
            "error",
            "the module 'hookline.errors' has no name 'HooklineEror'",
            "did you mean `HooklineError`?",
        ),
        (
            "import hookline.error",
            "error",
            "Hookline has no module 'hookline.error'",
            "did you mean `hookline.errors`?",
        ),
        (
            "from . import lib",
            "error",
            "'.' leads out of the project",
            "files in the project's root are not a package; write the import without dots",
        ),
        (
            "def f():\n    import yaml",
            "warning",
            "nothing provides the module 'yaml'",
            "add `PyYAML` to requirements.txt",
        ),
    ],
)
def test_an_import_that_nothing_provides_is_found(source, level, message, hint):
    files = {"main.py": f"{source}\ndef run(event): ...\n", "lib/tools.py": "def add(): ...\n"}

    findings = check(files)

    assert [(one.level, one.message, one.hint) for one in findings] == [(level, message, hint)]
    assert findings[0].file == "main.py"
    assert findings[0].source in source


@pytest.mark.parametrize(
    "source",
    [
        "import os.path, __future__",
        "import requests.deep.inside",
    ],
)
def test_an_import_that_is_met_or_never_made_passes(source):
    assert check({"main.py": f"{source}\ndef run(event): ...\n"}) == ()


def test_each_missing_name_of_an_import_is_told():
    findings = check(
        {"main.py": "from hookline import slep, activty, sleep\ndef run(event): ...\n"}
    )

    assert said(findings) == [
        "main.py:1:1 error the module 'hookline' has no name 'activty'",
        "main.py:1:1 error the module 'hookline' has no name 'slep'",
    ]


def test_everything_the_sdk_offers_can_be_imported():
    names = ", ".join(hookline.__all__)
    source = (
        f"from hookline import {names}\nfrom hookline import events\nimport hookline.webhooks\n"
    )

    assert check({"main.py": source + "def run(event): ...\n"}) == ()


@pytest.mark.parametrize(
    "source",
    [
        "[name := 1 for _ in range(2)]\n",
        "match 1:\n    case name:\n        pass\n",
        "match {}:\n    case {**name}:\n        pass\n",
        "def f():\n    global name\n    name = 1\nf()\n",
        "def f():\n    def g():\n        global name\n        import json as name\n",
        "try:\n    pass\nexcept ValueError as name:\n    pass\n",
        "exec('name = 1')\n",
        "globals()['name'] = 1\n",
        "import sys\nsetattr(sys.modules[__name__], 'name', 1)\n",
        "from enum import Enum, global_enum\n@global_enum\nclass E(Enum):\n    x = 1\n",
        "def __getattr__(wanted): ...\n",
        "from json import *\n",
        "if 0:\n    name = 1\n",
        "name: int\n",
    ],
)
def test_a_name_that_a_module_may_get_when_it_runs_is_no_error(source):
    files = {"main.py": "from other import name\ndef run(event): ...\n", "other.py": source}

    assert [one for one in check(files) if one.level == "error"] == []


@pytest.mark.parametrize(
    "source",
    [
        "import other\nother.name = 1\n",
        "import other\nother.name: int = 1\n",
        "import other\nsetattr(other, 'name', 1)\n",
        "import sys\nsys.modules['other'] = object()\n",
    ],
)
def test_a_name_that_another_file_may_set_is_no_error(source):
    files = {
        "main.py": "import patches\nfrom other import name\ndef run(event): ...\n",
        "other.py": "",
        "patches.py": source,
    }

    assert [one.level for one in check(files)] == ["warning"]


def test_a_name_that_a_module_surely_lacks_is_an_error():
    other = "class A:\n    name = 1\n    def f(self):\n        self.name = name = 2\n        return name\n"
    files = {"main.py": "from other import name\ndef run(event): ...\n", "other.py": other}

    findings = check(files)

    assert said(findings) == ["main.py:1:1 error the module 'other' has no name 'name'"]


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    from other import nope\n",
        "try:\n    from other import nope\nexcept ImportError:\n    pass\n",
        "from pkg import nope\n",
    ],
)
def test_a_missing_name_that_need_not_hurt_only_warns(source):
    files = {"main.py": source + "def run(event): ...\n", "other.py": "", "pkg/__init__.py": ""}

    assert [(one.level, one.code) for one in check(files)] == [("warning", "import.name")]


def test_many_missing_names_beside_a_large_file_are_found():
    line = "x = " + "a.b:" * 20_000 + "1\n"
    imports = "".join(f"from other import n{number}\n" for number in range(2_000))
    files = {"main.py": imports + "def run(event): ...\n", "other.py": "", "big.txt.py": line}

    assert len(check(files)) > 50


def an_analysis(**about) -> dict[str, object]:
    made = {"module": "yaml", "names": [], "level": 0, "line": 2, "column": 5, **about}
    names = {"run": {"kind": "function", "line": 4, "event": "ok"}}
    return {"main.py": {"error": None, "names": names, "imports": [made]}}


def test_an_import_whose_failure_is_caught_only_warns():
    findings = check({"main.py": HANDLER}, modules=an_analysis(in_try=True))

    assert [(one.level, one.code) for one in findings] == [("warning", "import.unmet")]


def test_an_import_for_type_checkers_does_not_count():
    assert check({"main.py": HANDLER}, modules=an_analysis(type_checking=True)) == ()


def test_without_an_environment_only_the_projects_own_modules_are_checked():
    files = {"main.py": "import yaml, lib.nope\ndef run(event): ...\n", "lib/a.py": ""}

    findings = check(files, provided=None)

    assert [one.message for one in findings] == ["the project has no module 'lib.nope'"]


def test_a_file_that_no_call_leads_to_only_warns():
    files = {
        "main.py": "import near\ndef run(event): ...\n",
        "near.py": "import missing_one\n",
        "far.py": "import missing_two\n",
    }

    findings = check(files)

    assert [(one.file, one.level) for one in findings] == [
        ("far.py", "warning"),
        ("near.py", "error"),
    ]


def test_without_any_call_every_file_counts():
    findings = check({"far.py": "import missing_two\n"}, a_manifest("{name: t, type: webhook}"))

    assert [one.level for one in findings] == ["error"]


def test_integrations_and_required_variables_are_checked():
    manifest = a_manifest(
        "{name: t, type: webhook}",
        """\
  vars:
    - {name: A, required: true}
    - {name: B, required: true}
    - {name: C, secret: true}
    - {name: D, required: true, value: x}
  connections:
    - name: chat
      integration: slak
      vars: [{name: K, required: true, secret: true}]
""",
    )

    findings = check({}, manifest, integrations=["slack", "github"], variables={("", "B")})

    assert said(findings) == [
        "hookline.yaml:5:7 error the variable 'A' is required and has no value",
        "hookline.yaml:7:7 warning the secret 'C' has no value yet",
        "hookline.yaml:11:20 error there is no integration 'slak'",
        "hookline.yaml:12:14 error the variable 'K' is required and has no value",
    ]
    assert findings[0].hint == (
        "set it with `hookline var set p A`, or deploy with `--var A=…` or `--env-file FILE`"
    )
    assert findings[2].hint == "did you mean `slack`?"
    assert findings[3].hint.startswith(
        "set it with `hookline var set p K --connection chat --secret`, or deploy with `--var chat/K=…`"
    )


@pytest.mark.parametrize("name", ["hookline.yaml", "autokitteh.yaml"])
def test_an_integration_that_nobody_knows_is_an_error_in_either_form(name):
    text = "version: v1\nproject: {name: p, connections: [{name: chat, integration: slakc}]}"
    manifest = parse_manifest(text, name).manifest

    findings = [one for one in check_manifest(manifest) if one.level == "error"]

    assert said(findings) == [f"{name}:2:60 error there is no integration 'slakc'"]
    assert findings[0].hint == "did you mean `slack`?"


@pytest.mark.parametrize("name", sorted(INTEGRATION_NAMES))
def test_every_integration_can_be_connected(name):
    manifest = a_manifest(body=f"  connections: [{{name: chat, integration: {name}}}]\n")

    assert check({"main.py": HANDLER}, manifest) == ()


def test_a_file_that_is_too_large_is_not_called_invalid():
    message = "too large to be compiled within 1 MiB of memory"
    error = {"line": 1, "column": 1, "message": message, "source": "", "size": True}
    modules = analyse({"main.py": HANDLER}) | {
        "data.py": {"error": error, "warnings": [], "names": {}, "imports": []}
    }

    findings = check({"main.py": "import data\n", "data.py": "x = 1\n"}, modules=modules)

    assert ("python.too_large", "data.py", message) in [
        (one.code, one.file, one.message) for one in findings
    ]


def test_the_service_itself_parses_no_large_files():
    calls = "from autokitteh.slack import slack_client\na = slack_client('nope')\n"
    filler = "#" * (256 * 1024)
    files = {
        "main.py": "from other import name\ndef run(event): ...\n",
        "other.py": "x = 1\n" + calls + filler,
    }

    findings = check(files, provided={"autokitteh"})

    assert [one.code for one in findings if one.code == "connection.unknown"] == []
    assert [one.level for one in findings if one.code == "import.name"] == ["warning"]


def test_a_helper_that_names_no_connection_is_found():
    source = """\
from autokitteh.slack import slack_client
from autokitteh import github
import autokitteh.google
a = slack_client("chta")
b = github.github_client("chat")
c = autokitteh.google.gmail_client("mail")
d = other.some_client("nope")
e = slack_client(name)
def run(event): ...
"""
    manifest = a_manifest(body="  connections: [{name: chat, integration: slack}]\n")

    findings = check(
        {"main.py": source},
        manifest,
        provided={"autokitteh"},
        variables={("chat", "private_bot_token")},
    )

    assert said(findings) == [
        "main.py:4:18 error `slack_client` names 'chta', but the project has no such connection",
        "main.py:6:36 error `gmail_client` names 'mail', but the project has no such connection",
    ]
    assert findings[0].hint == "did you mean `chat`?"


CALLING = """\
from autokitteh.slack import slack_client
def run(event):
    slack_client("chat")
"""


def test_a_connection_that_lacks_some_values_is_found():
    manifest = a_manifest(body="  connections: [{name: chat, integration: jira}]\n")
    files = {"main.py": CALLING}

    some = check(files, manifest, provided={"autokitteh"}, variables={("chat", "Token"), ("", "A")})
    other = check(files, manifest, provided={"autokitteh"}, variables={("chat", "oauth_token")})
    wrong = check(files, manifest, provided={"autokitteh"}, variables={("chat", "api_key")})

    assert "lacks BaseURL, Email; its helper" in said(some)[0]
    assert said(other) == []
    assert "lacks BaseURL, Email, Token" in said(wrong)[0]


@pytest.mark.parametrize(
    ("integration", "hint"),
    [
        (
            "slack",
            "set them with `hookline var set p private_bot_token --connection chat --secret`",
        ),
        (
            "aws",
            "set them with `hookline var set p AccessKeyID --connection chat --secret`; there are AccessKeyID, Region, SecretKey",
        ),
        ("hubspot", "set them with `hookline var set p NAME --connection chat --secret`"),
    ],
)
def test_a_connection_without_values_is_found_if_its_helper_is_called(integration: str, hint: str):
    manifest = a_manifest(body=f"  connections: [{{name: chat, integration: {integration}}}]\n")

    findings = check({"main.py": CALLING}, manifest, provided={"autokitteh"})

    assert said(findings) == [
        "hookline.yaml:4:17 warning the connection 'chat' has no values yet; its helper will not connect"
    ]
    assert findings[0].hint == hint


@pytest.mark.parametrize(
    ("code", "variables", "around"),
    [
        (CALLING, "", {("chat", "private_bot_token")}),
        (CALLING, ", vars: [{name: private_bot_token, value: x}]", set()),
        (HANDLER.decode(), "", set()),
    ],
)
def test_a_connection_with_values_or_without_calls_is_not(code: str, variables: str, around):
    body = f"  connections: [{{name: chat, integration: slack{variables}}}]\n"

    findings = check(
        {"main.py": code}, a_manifest(body=body), provided={"autokitteh"}, variables=around
    )

    assert findings == ()


LATE = "def run(event):\n    chat = slack_client('nope')\n"
GUARDED = "try:\n    chat = slack_client('nope')\nexcept ValueError:\n    chat = None\n"


@pytest.mark.parametrize(
    ("name", "code", "place"),
    [
        ("autokitteh.yaml", LATE, "3:25 warning"),
        ("hookline.yaml", LATE, "3:25 error"),
        ("autokitteh.yaml", f"{GUARDED}def run(event): ...\n", "3:25 warning"),
        ("hookline.yaml", f"{GUARDED}def run(event): ...\n", "3:25 warning"),
        ("autokitteh.yaml", "@slack_client('nope').on\ndef run(event): ...\n", "2:15 error"),
    ],
)
def test_a_call_that_a_session_may_never_make_holds_no_deploy_up(name, code, place):
    manifest = a_manifest(name=name)
    source = f"from autokitteh.slack import slack_client\n{code}"

    findings = check({"main.py": source}, manifest, provided={"autokitteh"})

    expected = f"{place} `slack_client` names 'nope', but the project has no such connection"
    assert said(findings) == [f"main.py:{expected}"]


def test_calls_in_a_file_that_no_session_imports_hold_no_deploy_up():
    files = {
        "main.py": HANDLER,
        "test_main.py": "from autokitteh.slack import slack_client\na = slack_client('fake')\n",
    }

    findings = check(files, provided={"autokitteh"})

    assert [finding.level for finding in findings] == ["warning"]


@pytest.mark.parametrize(
    "line",
    [
        "from autokitteh.slack import slack_client",
        "from autokitteh import Event, slack",
        "import autokitteh.slack as ak_slack",
    ],
)
def test_a_client_helper_without_its_package_is_found(line: str):
    findings = check({"main.py": f"{line}\ndef run(event): ...\n"})

    assert said(findings) == [
        "main.py:1:1 error 'autokitteh.slack' comes with the package autokitteh, which the project does not ask for"
    ]
    assert findings[0].hint == "add `autokitteh[all]` to requirements.txt"


def test_the_core_of_autokitteh_is_always_there():
    line = "from autokitteh import Event, connections\nfrom autokitteh.store import get_value\n"

    assert check({"main.py": line + "def run(event): ...\n"}) == ()


def test_a_project_without_triggers_gets_a_warning():
    findings = check({}, a_manifest(""))

    assert [(one.level, one.code) for one in findings] == [("warning", "project.no_triggers")]


def test_findings_come_by_file_and_line():
    manifest = a_manifest(
        "{name: t, schedule: x, call: 'b.py:run'}, {name: u, type: webhook, filter: '('}"
    )
    files = {
        "b.py": "import zz\nimport yy\ndef run(event): ...\n",
        "a.py": "def (",
        "requirements.txt": "a b\n",
    }

    findings = check(files, manifest)

    assert [(one.file, one.line) for one in findings] == [
        ("a.py", 1),
        ("b.py", 1),
        ("b.py", 2),
        ("hookline.yaml", 3),
        ("hookline.yaml", 3),
        ("requirements.txt", 1),
    ]


def test_what_autokitteh_never_read_only_warns_in_its_projects():
    text = (
        "version: v1\nproject: {name: p, triggers: [{name: t, type: webhook, call: 'main.py:run'}]}"
    )
    manifest = parse_manifest(text, "autokitteh.yaml").manifest
    files = {"main.py": HANDLER, "_old.py": "def (", "tests/x.py": "def (", "used.py": "def ("}

    findings = check(files, manifest)

    assert [(one.file, one.level) for one in findings] == [
        ("_old.py", "warning"),
        ("tests/x.py", "warning"),
        ("used.py", "error"),
    ]


FACTS = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["error", "names", "imports", "module", "line", "level", "main.py", "run"]
            ),
            inner,
            max_size=4,
        ),
    ),
)


@given(st.dictionaries(st.sampled_from(["main.py", "x.py"]), FACTS), st.binary(max_size=40))
@settings(max_examples=100, deadline=None)
def test_any_analysis_and_any_source_gives_findings(modules, source):
    files = {"main.py": source, "x.py": b"from autokitteh import a_client\n" + source}

    findings = check_project(a_manifest(), files, CheckContext(modules=modules, provided=()))

    assert isinstance(findings, tuple)


@given(
    st.sampled_from(["schedule", "timezone", "filter", "call", "dedupe", "connection"]),
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
        st.text("*/,-0123456789@ .:()[]data'\"", max_size=20),
    ),
)
@settings(max_examples=200, deadline=None)
def test_any_text_in_a_trigger_gives_findings(key, text):
    kind = {"timezone": {"schedule": "@daily"}, "schedule": {}, "connection": {}}.get(
        key, {"type": "webhook"}
    )
    document = {"project": {"name": "p", "triggers": [{"name": "t", **kind, key: text}]}}
    parsed = parse_manifest(json.dumps(document), "hookline.yaml")

    findings = check_project(parsed.manifest, {})

    assert isinstance(findings, tuple)


def test_a_trigger_that_nothing_reaches_by_itself_gets_a_warning():
    chat = "  connections: [{name: chat, integration: slack}]\n"
    manifest = a_manifest("{name: said, connection: chat, call: 'main.py:run'}", chat)

    findings = check({"main.py": "def run(event): ...\n"}, manifest)

    assert [(one.level, one.code) for one in findings] == [("warning", "trigger.not_yet")]
    assert "hookline event send" in findings[0].message


def test_what_python_warns_of_is_a_warning_with_its_line():
    analysis = an_analysis()
    told = {"line": 2, "column": 0, "message": "invalid escape sequence '\\d'", "source": ""}
    modules = {"main.py": {**analysis["main.py"], "warnings": [told]}}  # pyright: ignore[reportGeneralTypeIssues]

    findings = check({"main.py": HANDLER}, modules=modules, provided={"yaml"})

    assert [(one.level, one.code, one.line) for one in findings] == [
        ("warning", "python.warning", 2)
    ]


def test_each_bad_field_of_a_schedule_is_a_finding():
    text = MANIFEST_OF_A_SCHEDULE.format(schedule="0 25 * * mon-fry", zone="UTC+2")

    findings = check({"main.py": HANDLER}, parse_manifest(text, "hookline.yaml").manifest)

    told = [(one.code, one.message.split(": ")[0].rpartition(", ")[2]) for one in findings]
    assert sorted(told)[:2] == [("schedule.invalid", "day of week"), ("schedule.invalid", "hour")]
    (zone,) = (one for one in findings if one.code == "timezone.unknown")
    assert "`Etc/GMT-2`" in zone.hint


@pytest.mark.parametrize("file", ["hookline.yaml", "autokitteh.yaml"])
def test_a_schedule_that_means_something_else_elsewhere_is_a_warning(file):
    text = MANIFEST_OF_A_SCHEDULE.format(schedule="0 10 ? * 2-6 *", zone="UTC")

    findings = check({"main.py": HANDLER}, parse_manifest(text, file).manifest)

    doubts = [one for one in findings if one.code == "schedule.doubtful"]
    assert [(one.level, "`mon-fri`" in one.hint) for one in doubts] == [("warning", True)]


MANIFEST_OF_A_SCHEDULE = """
version: v1
project:
  name: demo
  triggers:
    - name: tick
      call: main.py:run
      schedule: "{schedule}"
      timezone: {zone}
"""


@pytest.mark.parametrize(
    "fault", ["name: b-c, type: webhook", "type: webhook", "name: a", "name: [x], type: webhook"]
)
def test_a_trigger_with_a_fault_of_its_own_is_still_checked(fault):
    text = (
        f"version: v1\nproject:\n  name: p\n  triggers:\n    - {{{fault}, call: 'main.py:nope'}}\n"
    )

    parsed = parse_manifest(text, "hookline.yaml")
    findings = check({"main.py": HANDLER}, parsed.manifest)

    assert [one.level for one in parsed.findings] == ["error"]
    assert [(one.code, one.line) for one in findings] == [("entry_point.no_handler", 5)]


@pytest.mark.parametrize(
    "path", ["test_main.py", "main_test.py", "conftest.py", "tests/helpers.py"]
)
def test_nobody_has_to_provide_what_a_projects_own_tests_import(path: str):
    files = {"main.py": HANDLER, path: b"import pytest\n"}

    assert check(files, provided=set()) == ()


def test_a_test_that_a_handler_imports_is_looked_at_as_any_file():
    files = {"main.py": b"import test_main\n" + HANDLER, "test_main.py": b"import pytest\n"}

    assert "pytest" in said(check(files, provided=set()))[0]


def test_what_a_trigger_can_never_match_is_a_warning_at_its_key() -> None:
    text = "version: v1\nproject:\n  name: demo\n  triggers:\n  - name: a\n    webhook: {}\n    call: main.py:run\n    event_type: POST\n    filter: data.Body.json.x == 1\n"

    findings = check({"main.py": HANDLER}, parse_manifest(text, "hookline.yaml").manifest)

    told = [
        (one.level, one.line, one.hint) for one in findings if one.code == "trigger.unmatchable"
    ]
    assert told == [
        ("warning", 8, "write post"),
        ("warning", 9, "did you mean `data.body`?"),
    ]
