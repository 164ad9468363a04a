"""Who builds or brings packages never gets the passwords of package indexes. Real installs from a real index."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.builders.runner_host import running_host
from tests.builders.wheels import a_wheel
from tests.fakes.package_index import PackageIndex, a_package_index
from tests.fakes.service_link import FakeService

pytestmark = pytest.mark.slow

PASSWORD = "pass-4711-word"
SPY = """
def seen():
    import glob, os
    found = [repr(dict(os.environ))]
    places = ["/proc/*/environ", "/proc/*/cmdline", "/root/.config/uv/*", "/etc/uv/*", "{home}/**", "/tmp/**"]
    for place in places:
        for path in glob.glob(place, recursive=True):
            try:
                with open(path, "rb") as file:
                    found.append(path + repr(file.read(100_000)))
            except OSError:
                found.append(path)
    return "\\n".join(found)
"""
PYPROJECT = """
[build-system]
requires = [{needs}]
build-backend = "backend"
backend-path = ["."]
[project]
name = "spy"
{version}
"""
BACKEND = """
import zipfile
{imports}
{spy}
def metadata():
    return "Metadata-Version: 2.1\\nName: spy\\nVersion: 1.0\\nRequires-Dist: greetings\\n"

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    import os
    os.mkdir(directory + "/spy-1.0.dist-info")
    with open(directory + "/spy-1.0.dist-info/METADATA", "w") as file:
        file.write(metadata())
    return "spy-1.0.dist-info"

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "spy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(directory + "/" + name, "w") as wheel:
        wheel.writestr("spy.py", "SEEN = " + repr(seen()))
        start = "spy-1.0.dist-info/"
        wheel.writestr(start + "METADATA", metadata())
        wheel.writestr(start + "WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(start + "RECORD", "")
    return name
"""
CODE = """
import greetings, spy

def seen(_):
    return greetings.TEXT + spy.SEEN
"""


def _packages(home: Path, *, needs: str = "", is_dynamic: bool = False) -> Path:
    """A wheel that the sdist needs, one that its backend needs, and the sdist, whose backend looks for passwords."""
    files = home / "packages"
    a_wheel(files, "greetings", {"greetings.py": "TEXT = 'hello '\n"})
    a_wheel(files, "tool", {"tool.py": "x = 1\n"})
    imports = f"import {needs}" if needs else ""
    contents = {
        "pyproject.toml": PYPROJECT.format(
            needs=repr(needs) if needs else "",
            version='dynamic = ["version", "dependencies"]' if is_dynamic else 'version = "1.0"\ndependencies = ["greetings"]',
        ),
        "backend.py": BACKEND.format(spy=SPY.replace("{home}", str(home)), imports=imports),
    }  # fmt: skip
    with tarfile.open(files / "spy-1.0.tar.gz", "w:gz") as archive:
        for name, text in contents.items():
            member = tarfile.TarInfo(f"spy-1.0/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return files


def _by_url(index: PackageIndex, _: Path) -> dict[str, str]:
    return {"UV_DEFAULT_INDEX": index.url}


def _by_extra_url(index: PackageIndex, _: Path) -> dict[str, str]:
    return {
        "UV_DEFAULT_INDEX": index.url.replace("/simple", "/none"),
        "UV_EXTRA_INDEX_URL": index.url,
    }


def _by_name(index: PackageIndex, _: Path) -> dict[str, str]:
    return {
        "UV_DEFAULT_INDEX": f"http://{index.place}/none",
        "UV_INDEX": f"own=http://{index.place}/simple",
        "UV_INDEX_OWN_USERNAME": index.user,
        "UV_INDEX_OWN_PASSWORD": PASSWORD,
    }


def _by_netrc(index: PackageIndex, home: Path) -> dict[str, str]:
    (home / "netrc").write_text(f"machine 127.0.0.1 login {index.user} password {PASSWORD}\n")
    return {"UV_DEFAULT_INDEX": f"http://{index.place}/simple", "NETRC": str(home / "netrc")}


def _by_file(index: PackageIndex, home: Path) -> dict[str, str]:
    (home / "uv.toml").write_text(f'[[index]]\nurl = "{index.url}"\ndefault = true\n')
    return {"UV_CONFIG_FILE": str(home / "uv.toml")}


async def _seen_by_a_build(
    service: FakeService, requirements: str = "spy\n"
) -> tuple[dict[str, Any], str]:
    prepared = await service.prepare("bld_1", {"main.py": CODE}, requirements=requirements)
    assert prepared["ok"], prepared["error"]
    return prepared, await service.start("bld_1", "main.py:seen").result()


def _progress(service: FakeService) -> str:
    return "\n".join(str(header.get("text")) for _, header, _ in service.link_frames)


@pytest.mark.parametrize("by", [_by_url, _by_extra_url, _by_name, _by_netrc, _by_file])
async def test_a_build_finds_no_password_and_gets_what_it_needs(
    tmp_path: Path, bubblewrap: str, by: Any
) -> None:
    with a_package_index(_packages(tmp_path), user="me", password=PASSWORD) as index:
        environment = {"PATH": os.defpath, "HOME": str(tmp_path / "nobody"), **by(index, tmp_path)}
        async with running_host(tmp_path, bubblewrap, install_environment=environment) as service:
            _, seen = await _seen_by_a_build(service)

            assert seen.startswith("hello {")
            assert "UV_CACHE_DIR" in seen
            assert PASSWORD not in seen
            assert PASSWORD not in _progress(service)


@pytest.mark.parametrize("links", ["relative", "rooted", "absolute"])
@pytest.mark.parametrize("is_dynamic", [False, True], ids=["static", "dynamic"])
async def test_builds_get_their_tools_and_requirements_by_the_gate(
    tmp_path: Path, bubblewrap: str, links: str, is_dynamic: bool
) -> None:
    packages = _packages(tmp_path, needs="tool", is_dynamic=is_dynamic)
    with a_package_index(packages, user="me", password=PASSWORD, links=links) as index:
        environment = {"PATH": os.defpath, "UV_DEFAULT_INDEX": index.url}
        async with running_host(tmp_path, bubblewrap, install_environment=environment) as service:
            _, seen = await _seen_by_a_build(service)

            assert PASSWORD not in seen


async def test_code_that_a_wheel_brings_finds_no_password_when_more_is_installed(
    tmp_path: Path, bubblewrap: str
) -> None:
    files = _packages(tmp_path)
    spying = SPY.replace("{home}", str(tmp_path))
    a_wheel(
        files,
        "early",
        {
            "early.pth": "import spy_early\n",
            "spy_early.py": spying
            + "import os\nplace = os.path.join(os.path.dirname(__file__), 'early_seen.txt')\n"
            "try:\n    open(place, 'a').write(seen())\nexcept OSError:\n    pass\n",
        },
    )
    code = """
import os, spy_early, greetings
def seen(_):
    with open(os.path.join(os.path.dirname(spy_early.__file__), "early_seen.txt")) as file:
        return file.read()
"""
    with a_package_index(files, user="me", password=PASSWORD) as index:
        environment = {"PATH": os.defpath, "UV_DEFAULT_INDEX": index.url}
        async with running_host(tmp_path, bubblewrap, install_environment=environment) as service:
            requirements = "greetings\n#: defaults\nearly\n"
            prepared = await service.prepare("bld_1", {"main.py": code}, requirements=requirements)
            assert prepared["ok"], prepared["error"]
            seen = await service.start("bld_1", "main.py:seen").result()

            assert "UV_CACHE_DIR" in seen
            assert PASSWORD not in seen


async def test_what_cannot_be_found_is_told_without_the_password_and_the_gate(
    tmp_path: Path, bubblewrap: str
) -> None:
    with a_package_index(_packages(tmp_path), user="me", password=PASSWORD) as index:
        environment = {"PATH": os.defpath, "UV_DEFAULT_INDEX": index.url}
        async with running_host(tmp_path, bubblewrap, install_environment=environment) as service:
            prepared = await service.prepare(
                "bld_1", {"main.py": CODE}, requirements="spy\nnowhere\n"
            )

            message = prepared["error"]["message"]
            assert "nowhere" in message
            assert PASSWORD not in message + _progress(service)
            assert "installer:" not in message


async def test_an_index_that_refuses_is_told_as_itself(tmp_path: Path, bubblewrap: str) -> None:
    with a_package_index(_packages(tmp_path), user="me", password="another") as index:
        wrong = index.url.replace("another", PASSWORD)
        environment = {"PATH": os.defpath, "UV_DEFAULT_INDEX": wrong}
        async with running_host(tmp_path, bubblewrap, install_environment=environment) as service:
            prepared = await service.prepare("bld_1", {"main.py": CODE}, requirements="spy\n")

            message = prepared["error"]["message"]
            assert index.place in message
            assert PASSWORD not in message + _progress(service)
