"""Faults the lab's OpenStack can be asked to have, so that a suite is seen to notice them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from provisioner.errors import BadRequest
from provisioner.lab.openstack.mutations import MUTATIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """What is wrong, and the checks that must fail because of it."""

    says: str
    checks: tuple[str, ...]


DEFECTS: Mapping[str, Defect] = {
    "firewall-filters-nothing": Defect(
        says="security groups are accepted and ignored",
        checks=("fw-01", "fw-02", "fw-03"),
    ),
    "wrong-hostname": Defect(
        says="DHCP and the resolver give each port a name that the API does not tell",
        checks=("net-09", "net-10"),
    ),
    "metadata-wrong-instance": Defect(
        says="metadata answers for another server than the one that asks",
        checks=("meta-01",),
    ),
    "dhcp-wrong-mtu": Defect(
        says="DHCP tells 50 bytes more than the network carries, as if it were no overlay",
        checks=("path-02",),
    ),
    "no-floating-nat": Defect(
        says="floating addresses are called active and lead nowhere; no run can be judged then",
        checks=(),
    ),
    "console-empty": Defect(
        says="the console log is always empty",
        checks=("life-04",),
    ),
    "duplicate-machine-id": Defect(
        says="every server has the same machine id",
        checks=("meta-07",),
    ),
    **{
        name: Defect(
            says=f"{one.service} answers otherwise to {one.call}"
            f" ({name.removeprefix('api-').replace('-', ' ')})",
            checks=one.checks,
        )
        for name, one in MUTATIONS.items()
    },
}


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
