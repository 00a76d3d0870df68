"""Faults the lab's AWS can be asked to have, so that a suite is seen to notice them.

Wall-clock faults are not among them: the guests share the host's kernel, and its time namespaces
shift only the monotonic clocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """What is wrong, and the checks that must fail because of it."""

    says: str
    checks: tuple[str, ...]


DEFECTS: Mapping[str, Defect] = {
    "wrong-hostname": Defect(
        says="metadata gives each instance a host name that the API does not tell",
        checks=("net-09",),
    ),
    "volume-loses-fsync": Defect(
        says="a hard stop rolls a volume back to what it held when it was attached",
        checks=("disk-05",),
    ),
    "firewall-filters-nothing": Defect(
        says="security groups are accepted and ignored",
        checks=("fw-01", "fw-02", "fw-03"),
    ),
    "metadata-ignores-tokens": Defect(
        says="metadata answers with any token, and without one where tokens are required",
        checks=("meta-02",),
    ),
    "metadata-wrong-id": Defect(
        says="metadata tells an instance id that the API does not know",
        checks=("meta-01",),
    ),
    "user-data-altered": Defect(
        says="the last byte of user data is cut off",
        checks=("meta-04",),
    ),
    "duplicate-machine-id": Defect(
        says="every instance has the same machine id",
        checks=("meta-07",),
    ),
    "address-moves": Defect(
        says="the private address changes over stop and start, the API tells the old one",
        checks=("net-04",),
    ),
    "console-empty": Defect(
        says="the console log is always empty",
        checks=("life-04",),
    ),
    "running-too-early": Defect(
        says="an instance is called running before its guest was started",
        checks=("life-03",),
    ),
    "volume-too-small": Defect(
        says="a volume is one MiB smaller than asked for",
        checks=("disk-02",),
    ),
    "no-names": Defect(
        says="the resolver knows no name of an instance",
        checks=("net-09", "net-10"),
    ),
}


def known(names: Iterable[str]) -> frozenset[str]:
    """The same names as a set.

    Raises:
        ValueError: a name is not in ``DEFECTS``.
    """
    wanted = frozenset(names)
    if unknown := sorted(wanted - DEFECTS.keys()):
        raise ValueError(
            f"unknown defect of lab-aws: {', '.join(unknown)}; known: {', '.join(sorted(DEFECTS))}"
        )
    return wanted
