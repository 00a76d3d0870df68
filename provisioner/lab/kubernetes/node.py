"""The first process of a node: ``python -P -m provisioner.lab.kubernetes.node FILE``.

It is started in new namespaces for mounts, processes, host name and IPC, inside the node's network
namespace. It lays the node's own root (the host's programs read-only, everything else its own),
starts containerd, kubelet and kube-proxy, and collects orphans. When it ends, for whatever
reason, the kernel ends everything in the node and unmounts everything of it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from provisioner.lab.kubernetes import node_files

HOST = ("usr", "etc", "bin", "sbin", "lib", "lib32", "lib64", "libx32")  # read-only, the host's
OWN = ("run", "tmp", "var/lib", "var/log", "var/tmp", "root", "opt")
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}  # syscall numbers, see syscalls(2)
MNT_DETACH = 2
SOCKET_S = 30.0
RESTART_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What the process is told; all paths as the host sees them, and as the node does.

    Attributes:
        name: of the node.
        address: its own.
        folder: with its configuration and logs.
        root: an empty folder that becomes its root.
        shared: folders that are seen in the node at the same place, mounts included.
        binaries: folder of the programs.
        image: archive to be imported.
        kubeconfig: the kubelet's; the kubelet is started once ``folder/go`` is there.
        proxy_kubeconfig: kube-proxy's; empty for a node without services.
        pods: range of all pods' addresses.
    """

    name: str
    address: str
    folder: str
    root: str
    shared: tuple[str, ...]
    binaries: str
    image: str
    kubeconfig: str
    proxy_kubeconfig: str
    pods: str

    def write(self, file: Path) -> None:
        """Write down for the process to read."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")


def read(file: Path) -> Node:
    """What ``write`` wrote."""
    said = json.loads(file.read_text(encoding="utf-8"))
    return Node(**{**said, "shared": tuple(said["shared"])})


def argv(file: Path) -> list[str]:
    """The command that starts a node in namespaces of its own."""
    return [
        "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child",
        "--propagation", "slave",
        sys.executable, "-P", "-m", "provisioner.lab.kubernetes.node", str(file),
    ]  # fmt: skip


def main() -> None:
    """Be the node's first process until SIGTERM."""
    node = read(Path(sys.argv[1]))
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    socket.sethostname(node.name)
    change_root(node, Path(node.root))
    os.environ["PATH"] = f"{node.binaries}:/usr/sbin:/usr/bin:/sbin:/bin"
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"  # the kubelet would look for it for 6 s
    Supervisor(node).run()


def change_root(node: Node, root: Path) -> None:
    """Make *root* this process's root, with everything a node needs in it."""
    _mount("--bind", str(root), str(root))
    for name in HOST:
        source, target = Path("/") / name, root / name
        if source.is_symlink():
            target.symlink_to(source.readlink())
        elif source.is_dir():
            target.mkdir()
            _mount("--bind", str(source), str(target))
            _mount("-o", "remount,bind,ro", str(target))
    for name in OWN:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for name in ("proc", "sys", "dev", "old"):
        (root / name).mkdir()
    _mount("-t", "proc", "proc", str(root / "proc"))
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(root / "run"))
    for name in ("sys", "dev"):
        _mount("--rbind", f"/{name}", str(root / name))
    for name in dict.fromkeys((*node.shared, node.folder, str(Path(node.image).parent))):
        target = root / name.lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        _mount("--rbind", name, str(target))
    shown = root / "run/tunables"
    for name, value in node_files.TUNABLES.items():
        file = shown / name.replace("/", "-")
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{value}\n")
        _mount("--bind", str(file), str(root / "proc/sys" / name))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(PIVOT_ROOT[os.uname().machine], bytes(root), bytes(root / "old")):
        raise OSError(ctypes.get_errno(), "pivot_root", str(root))
    os.chdir("/")
    if libc.umount2(b"/old", MNT_DETACH):
        raise OSError(ctypes.get_errno(), "umount", "/old")


class Supervisor:
    """Starts the node's daemons, and starts them again when they end, as systemd would."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._folder = Path(node.folder)
        self._commands: dict[int, tuple[str, Sequence[str]]] = {}

    def run(self) -> None:
        """Never returns."""
        node = self._node
        self._start("containerd", ["containerd", "--config", f"{self._folder}/containerd.toml"])
        _await(lambda: _answers(node_files.SOCKET), SOCKET_S)
        began = time.monotonic()
        subprocess.run(
            ["ctr", "-a", node_files.SOCKET, "-n", "k8s.io", "images", "import", node.image],
            check=True, stdout=sys.stderr,
        )  # fmt: skip
        print(f"image imported in {time.monotonic() - began:.1f} s", file=sys.stderr)  # noqa: T201
        _await((self._folder / "go").exists, float("inf"))
        self._start("kubelet", [
            "kubelet", f"--config={self._folder}/kubelet.json", f"--kubeconfig={node.kubeconfig}",
            f"--hostname-override={node.name}", f"--node-ip={node.address}",
            "--container-runtime=remote",
            f"--container-runtime-endpoint=unix://{node_files.SOCKET}", "--v=1",
        ])  # fmt: skip
        if node.proxy_kubeconfig:
            self._start("kube-proxy", [
                "kube-proxy", f"--kubeconfig={node.proxy_kubeconfig}", "--proxy-mode=iptables",
                f"--cluster-cidr={node.pods}", f"--hostname-override={node.name}",
                f"--bind-address={node.address}", "--healthz-bind-address=127.0.0.1:10256",
                "--metrics-bind-address=127.0.0.1:10249",
                # 0: these limits are the whole kernel's
                "--conntrack-max-per-core=0", "--conntrack-min=0",
                "--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s",
                "--iptables-min-sync-period=200ms", "--iptables-sync-period=10s",
            ])  # fmt: skip
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid in self._commands:
                name, command = self._commands.pop(pid)
                code = os.waitstatus_to_exitcode(status)
                print(f"{name} ended with {code}; again", file=sys.stderr)  # noqa: T201
                time.sleep(RESTART_S)
                self._start(name, command)

    def _start(self, name: str, command: Sequence[str]) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._commands[process.pid] = (name, command)
        process.returncode = 0  # collected above, not by the object


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as door:
        return door.connect_ex(path) == 0


def _await(true: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s:.0f} s")
        time.sleep(0.1)


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(0)  # the kernel does the rest


if __name__ == "__main__":
    main()
