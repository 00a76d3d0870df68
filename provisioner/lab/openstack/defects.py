"""Faults the lab's OpenStack can be asked to have, so that a suite is seen to notice them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from provisioner.errors import BadRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """What is wrong, and the checks that must fail because of it."""

    says: str
    checks: tuple[str, ...]


DEFECTS: Mapping[str, Defect] = {}


def known(names: Iterable[str]) -> frozenset[str]:
    """The same names as a set.

    Raises:
        BadRequest: a name is not in ``DEFECTS``.
    """
    wanted = frozenset(names)
    if unknown := sorted(wanted - DEFECTS.keys()):
        there = ", ".join(sorted(DEFECTS)) or "none yet"
        raise BadRequest(f"defect {unknown[0]!r} of lab-openstack: expected one of {there}")
    return wanted
