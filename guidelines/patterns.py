"""Lists of tests known to fail, in the pattern language of connect's conformance runner.

One pattern a line; ``*`` stands for one component of a name, ``**`` for any number of them.
Components are separated by slashes, or by dots in names that have no slash.
"""

from __future__ import annotations

from dataclasses import dataclass

from guidelines.errors import BadDocument

MAX_COMPONENTS = 200
# How lines of other documents begin, and no name of a test.
_NO_PATTERN = ("<", "{", '"', "---", "&", "!", "- ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One line of a list."""

    text: str
    where: str

    def matches(self, name: str) -> bool:
        """Tell whether *name* as a whole fits."""
        if self.text == name:
            return True
        if "*" not in self.text:
            return False
        separator = "/" if "/" in name else "."
        names = name.split(separator)[:MAX_COMPONENTS]
        parts = self.text.split("/" if "/" in self.text else separator)
        return _fits(parts, names)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFailing:
    """Tests that are expected to fail; ``strict`` makes an unexpected pass fail the verdict."""

    patterns: tuple[Pattern, ...] = ()
    strict: bool = False

    def find(self, names: frozenset[str]) -> Pattern | None:
        """Return the first pattern that fits one of *names*."""
        for pattern in self.patterns:
            if any(pattern.matches(name) for name in names):
                return pattern
        return None


def read_patterns(text: str, source: str, *, strict: bool = False) -> KnownFailing:
    """Return the list in *text*; empty lines and lines that begin with ``#`` do not count.

    Raises:
        BadDocument: a line is too long to be a pattern, or looks like JSON, YAML or XML.
    """
    patterns: dict[str, Pattern] = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if len(line) > 4000 or line.count("/") > MAX_COMPONENTS:
            raise BadDocument(source, f"line {number}", "too long for a pattern")
        if line.startswith(_NO_PATTERN) or not line.isprintable():
            raise BadDocument(
                source, f"line {number}", f"{line[:40]!r} is no pattern; expected names of tests"
            )
        patterns.setdefault(line, Pattern(text=line, where=f"{source}:{number}"))
    return KnownFailing(patterns=tuple(patterns.values()), strict=strict)


def _fits(parts: list[str], names: list[str]) -> bool:
    """Match by the usual table, so that many ``**`` cost no more than length times length."""
    reachable = [True] + [False] * len(names)
    for part in parts:
        following = [False] * (len(names) + 1)
        if part == "**":
            open_ended = False
            for index, ok in enumerate(reachable):
                open_ended = open_ended or ok
                following[index] = open_ended
        else:
            for index, name in enumerate(names):
                following[index + 1] = reachable[index] and part in ("*", name)
        reachable = following
    return reachable[-1]
