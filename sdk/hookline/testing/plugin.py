"""The pytest plug-in: the fixture `hookline_project`. Installed with Hookline; pytest finds it by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hookline.testing.project import Project, find_project


@pytest.fixture
def hookline_project(request: pytest.FixtureRequest) -> Iterator[Project]:
    """The project under test: that of the nearest manifest above the test's file.

    The marker `hookline` passes options on to `hookline.testing.Project`:
    `@pytest.mark.hookline(directory="shop", sleeps="advance")`; a relative directory is seen from the test's file.
    """
    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("hookline"))):
        options |= marker.kwargs
    directory: str | Path | None = options.pop("directory", None)
    near = request.path.parent
    place = find_project(request.path) if directory is None else near / directory
    with Project(place, **options) as project:
        yield project


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "hookline(directory, **options): options of the project under test"
    )
