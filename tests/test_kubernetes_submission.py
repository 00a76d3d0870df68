from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from guidelines.errors import BadDocument
from harness.cli.kubernetes import submission_command

NAMES = [f"[sig-node] Pods should do thing {number} [Conformance]" for number in range(4)]
PRODUCT = """\
vendor: Example
name: Example Kubernetes
version: v1.2.3
type: distribution
description: Kubernetes for examples
website_url: https://kubernetes.example.org
documentation_url: https://kubernetes.example.org/docs
contact_email_address: people@example.org
"""
LOG = """\
I1121 10:00:00.1 1 e2e.go:109] Starting e2e run
I1121 10:00:00.2 1 e2e.go:141] e2e test version: v1.35.1
I1121 10:00:00.3 1 e2e.go:153] kube-apiserver version: v1.35.0
\x1b[38;5;10m\x1b[1mRan 4 of 6 Specs in 61.500 seconds\x1b[0m
\x1b[1mSUCCESS!\x1b[0m -- \x1b[38;5;10m\x1b[1m4 Passed\x1b[0m | 0 Failed | 0 Pending | 2 Skipped
PASS
"""


def junit(names: list[str]) -> str:
    cases = "".join(
        f'<testcase name="[It] {name}" classname="Kubernetes e2e suite" status="passed" time="1"/>'
        for name in names
    )
    skipped = "".join(
        f'<testcase name="[It] [sig-x] other {number}" classname="Kubernetes e2e suite"'
        ' status="skipped" time="0"><skipped message="skipped"/></testcase>'
        for number in range(2)
    )
    setup = '<testcase name="[SynchronizedBeforeSuite]" status="passed" time="1"/>'
    total = len(names) + 3
    return (
        f'<testsuites tests="{total}"><testsuite name="Kubernetes e2e suite" tests="{total}"'
        f' skipped="2" failures="0" errors="0">{setup}{cases}{skipped}</testsuite></testsuites>'
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a careful vendor submits."""
    made = tmp_path / "v1.35" / "example"
    made.mkdir(parents=True)
    (made / "README.md").write_text("# How to repeat it\n")
    (made / "PRODUCT.yaml").write_text(PRODUCT)
    (made / "e2e.log").write_text(LOG)
    (made / "junit_01.xml").write_text(junit(NAMES))
    return made


@pytest.fixture
def conformance(tmp_path: Path) -> Path:
    listed = [
        {"testname": name, "codename": name, "description": "MUST", "release": "v1.35", "file": "f"}
        for name in NAMES
    ]
    path = tmp_path / "conformance.yaml"
    path.write_text(json.dumps(listed))
    return path


def look(folder: Path, *arguments: object) -> Result:
    return CliRunner().invoke(
        submission_command, [str(folder), "--format", "json", *map(str, arguments)]
    )


def faults(result: Result) -> list[str]:
    return [line["text"] for line in json.loads(result.output)["lines"] if line["state"] == "fails"]


def test_a_careful_submission_is_ready(folder: Path, conformance: Path) -> None:
    seen = look(folder, "--conformance", conformance, "--newest", "v1.36")

    assert faults(seen) == []
    assert seen.exit_code == 0


def test_without_the_list_it_cannot_be_told(folder: Path) -> None:
    assert look(folder).exit_code == 3


def _change(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda f: (f / "README.md").unlink(), "README.md is missing"),
        (lambda f: (f / "README.md").write_text(""), "README.md is empty"),
        (lambda f: (f / "notes.txt").write_text("x"), "not notes.txt"),
        (_change("PRODUCT.yaml", "vendor: Example\n", ""), "vendor is missing"),
        (_change("PRODUCT.yaml", "type: distribution", "type: appliance"), "type is 'appliance'"),
        (_change("PRODUCT.yaml", "https://kubernetes.example.org/docs", "ask us"), "documentation"),
        (_change("PRODUCT.yaml", "people@example.org", "people"), "contact_email_address is not"),
        (_change("PRODUCT.yaml", "vendor:", "color: red\nvendor:"), "'color' is no field"),
        (_change("e2e.log", "e2e test version: v1.35.1", ""), "no 'e2e test version'"),
        (_change("e2e.log", "version: v1.35.0", "version: v1.34.0"), "folder claims v1.35"),
        (_change("e2e.log", "SUCCESS!", "FAIL!"), "none may"),
        (_change("e2e.log", "| 0 Pending", "| 1 Flaked | 0 Pending"), "1 flaked"),
        (_change("e2e.log", "4 Passed", "5 Passed"), "passed 5 and 4"),
        (_change("e2e.log", "Specs in", "things in"), "the run broke off"),
        (_change("junit_01.xml", NAMES[2], "[sig-node] Pods other"), f"missing: {NAMES[2]}"),
    ],
)
def test_what_is_wrong_is_said(
    folder: Path, conformance: Path, change: Callable[[Path], None], fault: str
) -> None:
    change(folder)

    seen = look(folder, "--conformance", conformance, "--newest", "v1.36")

    assert seen.exit_code == 1
    assert any(fault in text for text in faults(seen)), faults(seen)


@pytest.mark.parametrize(
    ("newest", "code"), [("v1.35", 0), ("v1.37", 0), ("v1.38", 1), ("v1.34", 1)]
)
def test_only_the_newest_and_two_before_it_are_taken(
    folder: Path, conformance: Path, newest: str, code: int
) -> None:
    assert look(folder, "--conformance", conformance, "--newest", newest).exit_code == code


def test_the_list_of_another_release_is_the_wrong_one(folder: Path, conformance: Path) -> None:
    conformance.write_text(conformance.read_text().replace("v1.35", "v1.34"))

    seen = look(folder, "--conformance", conformance)

    assert faults(seen) == ["the list goes up to v1.34; the folder claims v1.35"]


@pytest.mark.parametrize("how", ["nowhere", "link", "yaml", "newest", "entity"])
def test_what_cannot_be_read_is_one_line(folder: Path, how: str) -> None:
    arguments: list[str] = []
    if how == "nowhere":
        folder = folder / "nowhere"
    elif how == "link":
        (folder / "junit_01.xml").unlink()
        (folder / "junit_01.xml").symlink_to("/etc/passwd")
        assert any("no plain file" in text for text in faults(look(folder)))
        return
    elif how == "yaml":
        (folder / "PRODUCT.yaml").write_text("a: [b\n")
    elif how == "entity":
        text = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><testsuite>&e;</testsuite>'
        (folder / "junit_01.xml").write_text(text)
    else:
        arguments = ["--newest", "latest"]

    seen = look(folder, *arguments)

    assert isinstance(seen.exception, BadDocument)
    assert "\n" not in str(seen.exception)
