"""What can go wrong with a document that comes from outside.

* BadDocument         it cannot be used: unreadable, of no known format, or against its rules
  x SchemaProblems    it was recognised, and several of its keys are wrong
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# What pydantic says of its own classes is of no use to who wrote the document.
_PYDANTIC = re.compile(r"^Value error, | or instance of \w+")


class BadDocument(ValueError):
    """A document cannot be used; the text is one line.

    Args:
        source: the file or id the document came from.
        where: path of the offending key, such as ``checks.net-01.level``; empty for the whole file.
        expected: what was found, or what was expected instead.
    """

    def __init__(self, source: str, where: str, expected: str) -> None:
        super().__init__(source, where, expected)
        self.source = source
        self.where = where
        self.expected = expected

    def __str__(self) -> str:
        text = ": ".join(part for part in (self.source, self.where, self.expected) if part)
        return one_line(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One wrong key: its path in the document and what was expected there."""

    path: str
    message: str


class SchemaProblems(BadDocument):
    """A document was recognised, and one or more of its keys are wrong.

    The text names the first problem and how many more there are; ``problems`` has all.
    """

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(source, first.path, first.message + more)
        self.args = (source, problems)
        self.problems = problems


def one_line(text: str, limit: int = 400) -> str:
    """Return *text* on one line, control characters replaced, cut at *limit* characters."""
    flat = "".join(char if char.isprintable() else " " for char in text)
    flat = " ".join(flat.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def complaint(message: str) -> str:
    """Return what pydantic says of a value as the end of an error's line."""
    text = _PYDANTIC.sub("", message)
    return text[:1].lower() + text[1:]
