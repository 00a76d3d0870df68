"""The nearest known word to a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.72) -> str | None:
    """Return the known word most like *word*, or ``None`` if none is near."""
    folded = {name.lower().replace("_", "-"): name for name in sorted(known)}
    wanted = word.lower().replace("_", "-")
    found = difflib.get_close_matches(wanted[:200], folded, n=1, cutoff=cutoff)
    return folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?``, or what is known, or nothing."""
    names = sorted(known)
    near = nearest(word, names)
    if near is not None:
        return f"; did you mean {near!r}?"
    if 0 < len(names) <= 12:
        return f"; expected one of {', '.join(names)}"
    return ""
