"""The lab's Kubernetes put together: ``run`` is what its daemon calls."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from provisioner.errors import BadRequest, PlatformFault
from provisioner.lab.images import Images
from provisioner.lab.kubernetes import existing, image, others, plan, providers
from provisioner.lab.kubernetes.cluster import Cluster
from provisioner.lab.kubernetes.declared import NOTES
from provisioner.lab.kubernetes.defects import known
from provisioner.lab.limits import raise_limit
from provisioner.lab.space import Space
from provisioner.lab.state import State

PLATFORM = "kubernetes"
ABSENT = {"network-policy": "absent"}


def run(space: Space, state: State, images: Images) -> None:
    """Serve until the process is told to leave.

    Raises:
        BadRequest: an unknown defect was asked for.
        PlatformFault: there is no provider, or a part could not be started or has ended.
    """
    defects = known(state.defects(PLATFORM))
    provider = providers.choose(images.cache)
    if provider is None:
        raise PlatformFault(providers.HINT)
    for old in (state.folder(PLATFORM), state.bulk(PLATFORM)):
        shutil.rmtree(old)
    folder, bulk = state.folder(PLATFORM), state.bulk(PLATFORM)
    if provider.name in ("kubeconfig", "kind", "k3s"):
        if defects:
            raise BadRequest(f"lab-kubernetes: {provider.name} cannot be given defects")
        if provider.name == "kubeconfig":
            existing.serve(provider, state, _entry)
        else:
            others.serve(provider, space, state, folder, bulk, _entry)
        return
    archive = None
    if "nodes.real" in provider.capabilities:
        state.progress(PLATFORM, "container image")
        archive = image.archive(images.rootfs(), images)
        raise_limit()
    cluster = Cluster(
        space, state, folder=folder, bulk=bulk, binaries=provider.place, archive=archive,
        capabilities=provider.capabilities, defects=defects,
        say=lambda text: state.progress(PLATFORM, text),
    )  # fmt: skip
    try:
        cluster.start()
        entry = _entry(provider, cluster.kubeconfig, plan.CONTEXT)
        entry["reach"] = {"broker": str(space.broker_socket)}
        entry["namespace"] = plan.NAMESPACE
        entry["images"] = {"debian-12": plan.IMAGE} if archive is not None else {}
        entry["declared"] |= {"notes": list(NOTES)}
        state.ready(PLATFORM, entry)
        state.progress(PLATFORM, "serving")
        cluster.run()
    finally:
        cluster.close()


def _entry(provider: providers.Provider, kubeconfig: Path, context: str) -> dict[str, Any]:
    """What the entry of platforms.yaml has with every provider."""
    told: dict[str, Any] = {}
    if provider.name != "kubeconfig":  # of a cluster that is somebody's own the driver looks itself
        told["capabilities"] = sorted(provider.capabilities)
        told |= {} if "network-policy" in provider.capabilities else ABSENT
    return {
        "kind": "kubernetes",
        "emulator": provider.name != "kubeconfig",
        "kubeconfig": str(kubeconfig),
        "context": context,
        "declared": {"provider": provider.name, "address-source": "cni", **told},
    }
