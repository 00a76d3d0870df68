"""What services and guests leave when nobody ended them in order, and its end.

Processes are found by their names in the lab's registry, and, whoever started them, by a variable
of their environment.
"""

from __future__ import annotations

from pathlib import Path

from provisioner.lab import traces
from provisioner.lab.openstack.place import VARIABLE
from provisioner.lab.pids import start_time
from provisioner.lab.space import Space, run
from provisioner.lab.state import Process, State, end, marked

KINDS = ("net", "router", "vm")  # of namespaces: interop-LAB--KIND-ID
NAMED = "openstack-"  # in the registry of the lab
LEAVE_S = 2.0


def clear(state: State, folder: Path, disks: Path) -> None:
    """End every service and guest of the lab, and let go of what they held."""
    # a service that sets its title writes over its environment: those are known by their names
    found = [process for process in state.processes() if process.name.startswith(NAMED)]
    for pid in marked(folder, VARIABLE):
        started = start_time(pid)
        if started is not None:
            found.append(Process(name=str(pid), pid=pid, started=started))
    end(found, LEAVE_S)
    traces.clear((folder, disks))
    for name in namespaces(state.space):
        run("ip", "netns", "del", name)
    for process in state.processes():
        if process.name.startswith(NAMED) and not process.alive():
            state.forget(process.name)


def namespaces(space: Space) -> list[str]:
    """Those of networks, routers and servers."""
    tops = tuple(f"{space.namespace}--{kind}-" for kind in KINDS)
    return [name for name in space.namespaces() if name.startswith(tops)]
