"""Who may import whom, and that files stay small enough to read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("harness", "guidelines", "suites", "provisioner", "reports")
ALLOWED = {
    "guidelines": set[str](),
    "provisioner": set[str](),
    "reports": set[str](),
    "suites": {"provisioner"},
    "harness": {"guidelines", "provisioner", "reports"},  # suites only by name, handed to pytest
}
# Of the provisioner, suites may know the protocols, plain values and errors, not the machinery.
PUBLIC_TO_SUITES = {"deployment", "driver", "errors", "features", "resources", "waiting"}


def imports(package: str) -> Iterator[tuple[Path, str]]:
    """Every module of ours that a file of *package* imports."""
    for file in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                if name.split(".")[0] in OURS:
                    yield file, name


@pytest.mark.parametrize("package", OURS)
def test_packages_import_only_what_the_architecture_allows(package: str) -> None:
    allowed = ALLOWED[package] | {package}

    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file, name in imports(package)
        if name.split(".")[0] not in allowed
    ]

    assert wrong == []


def test_suites_know_only_the_public_part_of_the_provisioner() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file, name in imports("suites")
        if name.startswith("provisioner.") and name.split(".")[1] not in PUBLIC_TO_SUITES
    ]

    assert wrong == []


@pytest.mark.parametrize("package", OURS)
def test_no_file_is_a_drawer_for_everything(package: str) -> None:
    banned = {"utils", "helpers", "base", "manager", "common", "misc"}

    wrong = [str(f.relative_to(ROOT)) for f in (ROOT / package).rglob("*.py") if f.stem in banned]

    assert wrong == []


@pytest.mark.parametrize("package", OURS)
def test_every_module_says_what_it_is_for(package: str) -> None:
    wrong = [
        str(file.relative_to(ROOT))
        for file in (ROOT / package).rglob("*.py")
        if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    ]

    assert wrong == []
