"""Levels of interoperability: the highest one reached, and what keeps from the next."""

from __future__ import annotations

from collections.abc import Sequence

from guidelines.verdict import JudgedItem, State


def level_reached(items: Sequence[JudgedItem]) -> tuple[int | None, tuple[str, ...]]:
    """Return the highest level L such that every applicable item of a level up to L passed.

    A level is reached only if some item of it applies: nothing is awarded for silence. A waived
    item has not passed. Items without a level do not count.

    Args:
        items: the required items of a program, flagged ones left out.

    Returns:
        The level, ``None`` if not even the lowest was reached, and the ids of the items that
        keep from the next level; empty where the program asks for no higher one.
    """
    reached: int | None = None
    levels = sorted({item.level for item in items if item.level is not None})
    for level in levels:
        applicable = [
            item for item in items if item.level == level and item.state is not State.NOT_APPLICABLE
        ]
        missed = tuple(item.id for item in applicable if item.state is not State.PASSED)
        if missed:
            return reached, missed
        if applicable:
            reached = level
    return reached, ()
