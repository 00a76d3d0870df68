"""The cluster's real nodes: a disk, files and namespaces for each, and their end."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from provisioner.errors import PlatformFault
from provisioner.lab import cgroups
from provisioner.lab.kubernetes import network, node, node_files, plan
from provisioner.lab.kubernetes.pki import Authority
from provisioner.lab.space import run
from provisioner.lab.state import State

NODE_DISK = 8 << 30  # bytes, sparse


class Nodes:
    """Some nodes.

    Args:
        folder: for their disks and files; large.
        binaries: what ``build.collect`` made.
        archive: the container image.
        shared: folder of volumes' mounts, seen by every node.
        routed: whether kube-proxy runs.
    """

    def __init__(
        self,
        state: State,
        authority: Authority,
        *,
        folder: Path,
        binaries: Path,
        archive: Path,
        shared: Path,
        routed: bool = True,
    ) -> None:
        self._state, self._authority = state, authority
        self._folder, self._binaries, self._archive = folder, binaries, archive
        self._shared, self._routed = shared, routed
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, one: plan.NodePlan) -> None:
        """Start a node: it imports its image and then waits for ``go``.

        Raises:
            PlatformFault: its disk could not be made.
        """
        folder = self._folder / one.name
        folder.mkdir()
        root = _disk(self._folder, one.name)
        server = f"https://{plan.CONTROL}:{plan.API_PORT}"
        kubelet, proxy = folder / "kubelet.kubeconfig", folder / "proxy.kubeconfig"
        self._authority.kubeconfig(kubelet, server, [one.name], "lab")
        self._authority.kubeconfig(proxy, server, ["proxy"], "lab")
        pki = self._authority.folder
        node_files.write(one, folder, pki, self._binaries / "cni")
        cgroups.make(one.namespace)
        told = node.Node(
            name=one.name,
            address=one.address,
            folder=str(folder),
            root=str(root),
            shared=(str(self._shared), str(pki), str(self._binaries)),
            binaries=str(self._binaries / "bin"),
            image=str(self._archive),
            kubeconfig=str(kubelet),
            proxy_kubeconfig=str(proxy) if self._routed else "",
            pods=plan.PODS,
        )
        told.write(folder / "node.json")
        command = network.inside(one.namespace, node.argv(folder / "node.json"))
        self._processes[one.name] = self._state.start(f"kube-{one.name}", command)

    def go(self) -> None:
        """Let the kubelets start: the API is there."""
        for name in self._processes:
            (self._folder / name / "go").touch()

    def ended(self) -> list[str]:
        """The nodes that are no more."""
        return [name for name, process in self._processes.items() if process.poll() is not None]

    def close(self) -> None:
        """Pull the plug of all: with its first process the kernel ends everything in a node."""
        for process in self._processes.values():
            process.kill()
        for name, process in self._processes.items():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired as error:
                raise PlatformFault(f"{name} does not end") from error


def part(plans: Sequence[plan.NodePlan]) -> None:
    """A defect: pods of different nodes do not reach each other."""
    for one in plans:
        for other in plans:
            if other != one:
                ip = ("ip", "-n", one.namespace, "route")
                run(*ip, "del", other.pods)
                run(*ip, "add", "unreachable", other.pods)


def _disk(folder: Path, name: str) -> Path:
    """A file system of its own for a node: a file that goes at once, with 20,000 others in it."""
    image, root = folder / f"{name}.disk", folder / f"{name}-root"
    root.mkdir()
    with image.open("wb") as out:
        out.truncate(NODE_DISK)
    options = ("-O", "^has_journal", "-E", "nodiscard,lazy_itable_init=1")
    run("mke2fs", "-q", "-t", "ext4", "-m", "0", *options, str(image))
    run("mount", "-o", "loop,noatime", str(image), str(root))
    return root
