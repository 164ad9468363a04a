"""Wheels made on the spot, so that installs in tests need no network."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path


def a_wheel(
    directory: Path, name: str, files: Mapping[str, str], version: str = "1.0", needs: str = ""
) -> Path:
    """Write a pure-Python wheel with these files, and perhaps with a requirement; returns its path."""
    information = f"{name}-{version}.dist-info"
    contents = {
        **files,
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + (f"Requires-Dist: {needs}\n" if needs else ""),
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    contents[f"{information}/RECORD"] = "".join(f"{path},,\n" for path in contents)
    directory.mkdir(parents=True, exist_ok=True)
    wheel = directory / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in contents.items():
            archive.writestr(path, content)
    return wheel
