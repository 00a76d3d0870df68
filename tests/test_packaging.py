"""The wheel holds every file of the five packages; the command starts fast and alone."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("harness", "guidelines", "suites", "provisioner", "reports")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a wheel built now."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (file,) = folder.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize("package", PACKAGES)
def test_the_wheel_holds_every_file(wheel: set[str], package: str) -> None:
    here = {
        str(file.relative_to(ROOT))
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }

    assert here - wheel == set()
    assert f"{package}/py.typed" in wheel


def test_tests_stay_out_of_the_wheel(wheel: set[str]) -> None:
    assert [name for name in wheel if name.startswith("tests/")] == []


def test_help_imports_no_sdk_and_is_quick() -> None:
    code = (
        "import sys, time; begun = time.perf_counter();"
        "from harness.cli.main import cli; cli.main(['--help'], standalone_mode=False);"
        "heavy = {'boto3', 'pyghmi', 'paramiko', 'moto', 'pytest', 'pydantic', 'rich', 'jinja2'};"
        "print(sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_every_command_of_the_table_exists() -> None:
    from harness.cli.main import COMMANDS, cli

    context = cli.make_context("interop", [], resilient_parsing=True)

    assert [n for n in COMMANDS if cli.get_command(context, n) is None] == []


def test_platform_kinds_are_entry_points() -> None:
    names = {entry.name for entry in entry_points(group="interop.platforms")}

    assert {"fake", "existing", "metal", "aws"} <= names
