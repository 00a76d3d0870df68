"""Where a Kubernetes for the lab may come from; the first that is there is taken.

=============== ============================== ====================================================
provider        is there when                  gives
=============== ============================== ====================================================
kubeconfig      INTEROP_KUBE_CONTEXT is set    what that cluster has, with INTEROP_KUBE_IMAGE
kind            kind and docker or podman      a cluster in containers (not run in our own tests)
k3s             k3s and root                   one node (not run in our own tests)
assets          KUBEBUILDER_ASSETS             etcd and the API server only (envtest)
built           ``interop lab build kubernetes``  control plane and real nodes
=============== ============================== ====================================================

Each says what it can do; checks are skipped by capability and never by provider.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from provisioner.lab.images import default_cache
from provisioner.lab.kubernetes import build

API = frozenset({"api", "api.ssa", "api.crd"})
CONTROLLERS = API | {"controllers", "scheduler"}
NODES = CONTROLLERS | {"nodes.real", "exec-logs", "services.dataplane", "dns", "volumes"}
POLICY = frozenset({"network-policy"})  # where a plugin enforces it
BALANCERS = frozenset({"load-balancer"})
HINT = "no Kubernetes is there: `interop lab build kubernetes` compiles one (16 minutes, once)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One that is there.

    Attributes:
        name: as in the table above.
        capabilities: what a cluster of it can do.
        place: its binaries, the kubeconfig file, or the command.
        context: of an existing kubeconfig.
        image: a Debian 12 that cluster can pull, for machines.
    """

    name: str
    capabilities: frozenset[str]
    place: Path
    context: str = ""
    image: str = ""


def choose(
    cache: Path | None = None, environment: Mapping[str, str] = os.environ
) -> Provider | None:
    """The first provider that is there; None if there is none."""
    tried: tuple[Callable[[Mapping[str, str]], Provider | None], ...] = (
        _kubeconfig, _kind, _k3s, _assets,
    )  # fmt: skip
    for look in tried:
        if (provider := look(environment)) is not None:
            return provider
    return _built(default_cache() if cache is None else cache)


def lacking() -> str:
    """Why there is no Kubernetes for the lab, in one line; empty when there is one."""
    provider = choose()
    if provider is None:
        return HINT
    if provider.name == "built" and (packages := build.missing(build.RUNTIME)):
        return f"Kubernetes needs: apt-get install --no-install-recommends {' '.join(packages)}"
    return ""


def _kubeconfig(environment: Mapping[str, str]) -> Provider | None:
    context = environment.get("INTEROP_KUBE_CONTEXT")
    if not context:
        return None
    file = environment.get("KUBECONFIG", "").split(os.pathsep)[0] or "~/.kube/config"
    return Provider(
        name="kubeconfig", capabilities=NODES, place=Path(file).expanduser(), context=context,
        image=environment.get("INTEROP_KUBE_IMAGE", ""),
    )  # fmt: skip


def _kind(environment: Mapping[str, str]) -> Provider | None:
    command = shutil.which("kind", path=environment.get("PATH"))
    engines = [shutil.which(name, path=environment.get("PATH")) for name in ("docker", "podman")]
    if command is None or not any(engines):
        return None
    return Provider(name="kind", capabilities=NODES, place=Path(command))


def _k3s(environment: Mapping[str, str]) -> Provider | None:
    command = shutil.which("k3s", path=environment.get("PATH"))
    if command is None or os.geteuid():
        return None
    # kube-router's controller is built in
    return Provider(name="k3s", capabilities=NODES | POLICY, place=Path(command))


def _assets(environment: Mapping[str, str]) -> Provider | None:
    folder = Path(environment.get("KUBEBUILDER_ASSETS") or "/nonexistent")
    if not all((folder / name).exists() for name in ("etcd", "kube-apiserver")):
        return None
    both = all((folder / f"kube-{name}").exists() for name in ("controller-manager", "scheduler"))
    return Provider(name="assets", capabilities=CONTROLLERS if both else API, place=folder)


def _built(cache: Path) -> Provider | None:
    folder = build.found(cache)
    if folder is None:
        return None
    return Provider(name="built", capabilities=NODES | POLICY | BALANCERS, place=folder)
