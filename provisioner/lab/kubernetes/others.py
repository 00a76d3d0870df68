"""Clusters that others make: kind, k3s.

They are started as their documentation says, and not run in our own tests, for lack of their
images. The user's own kubeconfig is never written.

Sources: kind documentation, "Quick Start"; K3s documentation, "k3s server".
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from provisioner.errors import PlatformFault, Timeout
from provisioner.lab.kubernetes.providers import Provider
from provisioner.lab.space import Space, run
from provisioner.lab.state import State

READY_S = 180.0
Entry = Callable[[Provider, Path, str], dict[str, Any]]


def serve(
    provider: Provider, space: Space, state: State, folder: Path, bulk: Path, entry: Entry
) -> None:
    """Have the provider's cluster there until SIGTERM.

    Raises:
        PlatformFault: it could not be made, or has ended.
    """
    kubeconfig = folder / "kubeconfig"
    if provider.name == "kind":
        name = space.namespace
        state.progress("kubernetes", "kind create cluster")
        common = ("--name", name, "--kubeconfig", str(kubeconfig))
        try:
            run(str(provider.place), "create", "cluster", *common, "--wait", f"{READY_S:.0f}s")
            state.ready("kubernetes", entry(provider, kubeconfig, f"kind-{name}"))
            threading.Event().wait()
        finally:
            run(str(provider.place), "delete", "cluster", *common)
    else:
        _k3s(provider, state, kubeconfig, bulk, entry)


def _k3s(provider: Provider, state: State, kubeconfig: Path, bulk: Path, entry: Entry) -> None:
    state.progress("kubernetes", "k3s server")
    argv = [
        str(provider.place), "server", "--data-dir", str(bulk / "k3s"),
        "--write-kubeconfig", str(kubeconfig), "--write-kubeconfig-mode", "0600",
        "--disable", "traefik,servicelb,metrics-server",
    ]  # fmt: skip
    process = state.start("k3s", argv)
    try:
        _await(kubeconfig, process)
        state.ready("kubernetes", entry(provider, kubeconfig, "default"))
        raise PlatformFault(f"k3s exited with {process.wait()}; see its log")
    finally:
        process.terminate()
        process.wait()


def _await(kubeconfig: Path, process: subprocess.Popen[bytes]) -> None:
    waited = 0.0
    while not kubeconfig.exists():
        if process.poll() is not None:
            raise PlatformFault(f"k3s exited with {process.returncode}; see its log")
        if waited > READY_S:
            raise Timeout(f"k3s wrote no kubeconfig within {READY_S:.0f} s")
        threading.Event().wait(0.5)
        waited += 0.5
