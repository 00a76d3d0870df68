"""Faults the lab's Kubernetes can be given, each to prove a check that must notice it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from provisioner.errors import BadRequest
from provisioner.lab.kubernetes.mutations import MUTATIONS

# name -> what is wrong; answers that are altered on their way are in ``mutations``
DEFECTS: Mapping[str, str] = {
    "dns-answers-nothing": "names of services do not resolve",
    "policies-not-enforced": "network policies are kept and mean nothing",
    "services-not-routed": "no kube-proxy: addresses of services lead nowhere",
    "controllers-dead": "no controllers: nothing is replicated, collected or cascaded",
    "scheduler-dead": "pods stay pending",
    "volumes-never-bind": "claims stay pending",
    "volume-smaller": "a volume has three quarters of the asked size",
    "balancers-dead": "services of type LoadBalancer get no address",
    "nodes-apart": "pods of different nodes do not reach each other",
}


def known(asked: Iterable[str]) -> frozenset[str]:
    """The asked defects.

    Raises:
        BadRequest: one of them is not known.
    """
    names = frozenset(asked)
    if unknown := sorted(names - DEFECTS.keys() - MUTATIONS.keys()):
        known = ", ".join(sorted({*DEFECTS, *MUTATIONS}))
        raise BadRequest(f"defect {unknown[0]!r} of lab-kubernetes: expected one of {known}")
    return names
