"""What can be wrong with a document of ours that is read back.

* BadReport       unreadable, of another schema, or with a wrong key; text is one line
  x WouldChange   a published document exists already; it is never written again
"""

from __future__ import annotations


class BadReport(ValueError):
    """A document cannot be used. ``where`` is the path of the offending key, empty for all."""

    def __init__(self, source: str, where: str, expected: str) -> None:
        super().__init__(source, where, expected)
        self.source = source
        self.where = where
        self.expected = expected

    def __str__(self) -> str:
        text = ": ".join(part for part in (self.source, self.where, self.expected) if part)
        return " ".join(text.split())[:400]


class WouldChange(BadReport):
    """A result or verdict document is there already; published data never changes."""
