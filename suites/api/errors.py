"""The same mistake gives the same error, with everything one needs to report it."""

from __future__ import annotations

import json
import re

import pytest

from provisioner.driver import Handle
from provisioner.errors import Unsupported
from provisioner.features import RawCall
from provisioner.resources import Kind
from suites.api.mistakes import MISTAKES
from suites.claims import claim, same
from suites.seams import Evidence, NotApplicable, Observe, Subject

INSIDES = re.compile(r"Traceback \(most recent|\bat [\w.$]+\([\w]+\.java:\d+\)|File \"[^\"]+\.py\"")


@pytest.mark.check("P9")
@pytest.mark.cost("api")
def test_errors_are_complete_and_alike(
    subject: Subject, observe: Observe, evidence: Evidence, not_applicable: NotApplicable
) -> None:
    """A mistake is told with status 4xx, code, message and request id; the same one alike."""
    mistakes = MISTAKES.get(subject.kind, ())
    nothing = Handle(platform=subject.name, kind=Kind.VOLUME, id="")
    try:
        api = subject.driver.feature(RawCall, nothing)  # type: ignore[type-abstract]
    except Unsupported as reason:
        not_applicable(f"no single calls of the API can be made: {reason.message}")
    if not mistakes:
        not_applicable(f"no list of mistakes is kept for the API of {subject.kind}")
    codes: dict[str, dict[str, str]] = {}
    for mistake in mistakes:
        answer = api.call(mistake.operation, mistake.parameters)
        what = f"{mistake.operation} with a mistake ({mistake.sort})"
        text = json.dumps(dict(answer), default=str)
        evidence(f"{mistake.operation} {dict(mistake.parameters)}", text)
        status = int(answer["status"])
        claim(400 <= status < 500, f"{what}: status", expected="400 to 499", actual=status)
        for name in ("code", "message", "request_id"):
            claim(answer[name], f"{what}: {name}", expected="some", actual="none")
        claim(
            not INSIDES.search(text),
            f"{what}: the answer",
            expected="no inside of the server",
            actual="a stack trace",
        )
        codes.setdefault(mistake.sort, {})[mistake.operation] = str(answer["code"])
    for sort, by_operation in codes.items():
        observe(f"code-{sort}", sorted(set(by_operation.values())), source="api")
        same(
            f"codes for the same mistake ({sort}) by {', '.join(by_operation)}",
            expected=1,
            actual=len(set(by_operation.values())),
        )
