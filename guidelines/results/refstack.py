"""RefStack uploads and result pages: the names of the tests that passed, and nothing else."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from guidelines.evidence import Evidence, Status
from guidelines.results.collector import Collector
from guidelines.results.instants import from_text
from guidelines.results.names import uuid_of
from guidelines.results.source import Source
from guidelines.results.strict_json import Foreign, checked

FORMAT = "refstack"


class _Passed(Foreign):
    name: str = Field(min_length=1)
    uuid: str | None = None
    uid: str | None = None


class _Upload(Foreign):
    cpid: str | None = None
    duration_seconds: float | int | None = None
    created_at: str | None = None
    results: list[_Passed | str]


def recognises(value: object) -> bool:
    """Whether this is a RefStack document: a list of results beside a cloud id or a duration."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("results"), list)
        and ("cpid" in value or "duration_seconds" in value)
    )


def load(source: Source, value: Any) -> Evidence:
    """Read what RefStack keeps.

    Raises:
        BadDocument: a key is missing or of another kind.
    """
    upload = checked(_Upload, value, source.name)
    finished = from_text(upload.created_at)
    collector = Collector(source.name, source.limits)
    for number, passed in enumerate(upload.results):
        where = f"results[{number}]"
        if isinstance(passed, str):
            collector.add(passed, Status.PASSED, where=where, finished=finished)
        else:
            collector.add(
                passed.name,
                Status.PASSED,
                where=where,
                idempotent_id=uuid_of(passed.uuid or passed.uid),
                finished=finished,
            )
    collector.note("keeps passes only: a test that is not in it failed, was skipped or never ran")
    return collector.evidence(
        FORMAT, source.digest, subject=upload.cpid or None, finished=finished, passes_only=True
    )
