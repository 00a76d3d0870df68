"""What the lab's OpenStack is not, for platforms.yaml: a reader of a report must know it."""

from __future__ import annotations

from typing import Any

NOTES: tuple[str, ...] = (
    "keystone, glance, neutron, nova, placement and cinder are the upstream services, each one"
    " process; their hosts are this one",
    "sqlite instead of a database server, messages within a process instead of a broker",
)

DECLARED: dict[str, Any] = {
    "notes": list(NOTES),
}
