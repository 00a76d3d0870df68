"""Kubernetes conformance: the list of tests a release must pass (``conformance.yaml``)."""

from __future__ import annotations

import re

from guidelines.errors import BadDocument
from guidelines.foreign.keys import ForeignPart, Oddities, canonical_keys, read_part
from guidelines.model import (
    Capability,
    CapabilityStatus,
    CheckDef,
    Component,
    Guideline,
    Program,
    Reference,
)

PROGRAM = "conformance"
_SIG = re.compile(r"^\[(?P<sig>[^\]]+)\]")
_RELEASE = re.compile(r"(\d+)\.(\d+)")
_KEYS = ("testname", "codename", "description", "release", "file")


class _Test(ForeignPart):
    codename: str
    testname: str | None = None
    release: str | float | None = None
    file: str | None = None


def is_conformance_list(data: object) -> bool:
    """Tell whether *data* is a list of conformance tests, by its content."""
    return (
        isinstance(data, list)
        and bool(data)
        and isinstance(data[0], dict)
        and any(isinstance(item, dict) and "codename" in item for item in data[:20])
    )


def read_conformance(data: list[object], source: str, digest: str) -> Guideline:
    """Return the guideline in *data*; every codename is required, as the programme's bot has it.

    Raises:
        BadDocument: an entry has no codename, so that a requirement would get lost.
    """
    oddities = Oddities()
    groups: dict[str, list[CheckDef]] = {}
    seen: set[str] = set()
    newest = (0, 0)
    for index, item in enumerate(data):
        path = f"{index}"
        fields = canonical_keys(item, _KEYS, source=source, path=path, oddities=oddities)
        part = read_part(_Test, fields, source=source, path=path)
        codename = part.codename.strip()
        if not codename:
            raise BadDocument(source, f"{path}.codename", "a test without a codename")
        if codename in seen:
            oddities.warning("duplicate-test", path, f"the codename {codename!r} is listed twice")
            continue
        seen.add(codename)
        releases = _RELEASE.findall(str(part.release or ""))
        if not releases:
            oddities.note("test-without-release", path, f"{codename!r} names no release")
        newest = max([newest, *((int(major), int(minor)) for major, minor in releases)])
        found = _SIG.match(codename)
        groups.setdefault(found["sig"] if found else "other", []).append(
            CheckDef(
                id=codename,
                title=part.testname or "",
                # Some releases write "cat /tmp/health" in single quotes; the bot takes both.
                aliases=(codename.replace('"', "'"),) if '"' in codename else (),
                references=(Reference(title=part.file),) if part.file else (),
            )
        )
    version = f"v{newest[0]}.{newest[1]}" if newest != (0, 0) else "unknown"
    capabilities = {
        name: Capability(id=name, title=f"conformance tests of {name}", checks=tuple(checks))
        for name, checks in groups.items()
    }
    component = Component(id=PROGRAM, capabilities={CapabilityStatus.REQUIRED: tuple(capabilities)})
    return Guideline(
        id=version,
        format="kubernetes",
        schema="conformance.yaml",
        status="approved",
        source=source,
        digest=digest,
        title=f"Kubernetes conformance {version}",
        programs={
            PROGRAM: Program(id=PROGRAM, title="every conformance test", components=(PROGRAM,))
        },
        components={PROGRAM: component},
        capabilities=capabilities,
        default_program=PROGRAM,
        oddities=oddities.all(),
    )
