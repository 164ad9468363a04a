from __future__ import annotations

import json
from typing import Any

import pytest

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


@pytest.mark.parametrize(
    "line",
    [
        "os.environ['A'] = '1'",
        "os.environ['A'] += '1'",
        "os.environ |= {'A': '1'}",
        "del environ['A']",
        "if True:\n    os.environ.setdefault('A', '1')",
        "class A:\n    os.environ.update(A='1')",
        "os.putenv('A', '1')",
        "load_dotenv()",
        "dotenv.load_dotenv('.env')",
    ],
)
def test_libraries_come_after_the_variables_that_the_project_sets_for_them(line: str) -> None:
    files = {"main.py": "import settings, json, requests\n", "settings.py": f"{line}\n"}

    assert _preloads(files) == ("json",)


@pytest.mark.parametrize(
    "line",
    [
        "a = os.environ['A']",
        "os.environ.get('A')",
        "a['A'] = os.environ",
        "a.update(os.environ)",
        "def f():\n    os.environ['A'] = '1'",
        "environ = {}",
    ],
)
def test_reading_variables_or_setting_them_later_changes_nothing(line: str) -> None:
    assert _preloads({"main.py": f"import json, requests\n{line}\n"}) == ("json", "requests")


def test_facts_that_are_no_facts_preload_nothing() -> None:
    assert preloads_of({"modules": {"x": 1}, "provided": [], "stdlib": []}) == ()


def test_no_more_are_preloaded_than_a_message_to_a_zygote_holds() -> None:
    names = ", ".join(f"ä_long_name_{number}" for number in range(20_000))

    found = _preloads({"main.py": f"from json import {names}"})

    assert len(found) > 1000
    assert len(json.dumps(found)) < MAX_MESSAGE_BYTES / 2 + 1024
