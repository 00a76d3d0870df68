"""A plain list of test names, one a line: the form SCS and others hand to Tempest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from guidelines.errors import BadDocument
from guidelines.foreign.keys import Oddities
from guidelines.model import (
    Capability,
    CapabilityStatus,
    CheckDef,
    Component,
    Guideline,
    Program,
)
from guidelines.results.names import read_name

PROGRAM = "list"
MAX_NAME = 2000
# A name has no spaces, unless it begins with a mark such as "[sig-node]" or ends in "(scenario)".
_NAME = re.compile(r"^(\[[\w .:/+-]+\] .+|[^\s<>{}\"'`;|*]+( \([^()]*\))?)$")


def list_lines(text: str) -> list[str] | None:
    """Return the names *text* lists, or ``None`` if it is not such a list."""
    names: list[str] = []
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("- "):
            line = line[2:].strip()
        bare = line.split(" #", 1)[0].strip() if not line.startswith("[") else line
        if len(bare) > MAX_NAME or not _NAME.match(bare) or not _looks_like_name(bare):
            return None
        names.append(bare)
    return names or None


def read_test_list(names: Sequence[object], source: str, digest: str) -> Guideline:
    """Return the guideline that requires every test in *names*.

    Raises:
        BadDocument: an entry is not a name.
    """
    oddities = Oddities()
    checks: dict[str, CheckDef] = {}
    for index, raw in enumerate(names):
        if not isinstance(raw, str) or not raw.strip() or len(raw) > MAX_NAME:
            raise BadDocument(source, f"{index}", "expected a test's name")
        name = read_name(raw.strip())
        if name.display in checks:
            oddities.warning(
                "duplicate-test", f"{index}", f"the test {name.display!r} is listed twice"
            )
            continue
        checks[name.display] = CheckDef(id=name.display, idempotent_id=name.idempotent_id)
    title = PurePath(source).name
    return Guideline(
        id=PurePath(source).stem,
        format="test-list",
        schema="test-list",
        status="unknown",
        source=source,
        digest=digest,
        title=f"the tests listed in {title}",
        programs={PROGRAM: Program(id=PROGRAM, title="every test listed", components=(PROGRAM,))},
        components={
            PROGRAM: Component(id=PROGRAM, capabilities={CapabilityStatus.REQUIRED: (PROGRAM,)})
        },
        capabilities={PROGRAM: Capability(id=PROGRAM, checks=tuple(checks.values()))},
        default_program=PROGRAM,
        oddities=oddities.all(),
    )


def _looks_like_name(text: str) -> bool:
    return text.startswith("[") or any(mark in text for mark in "._-:/") or text.isidentifier()
