"""What services and guests leave when nobody ended them in order, and its end.

Processes are found by a variable of their environment, whoever started them. The network is not
in here: neutron makes it fit its database when it starts, and ``lab down`` removes every namespace.
"""

from __future__ import annotations

from pathlib import Path

from provisioner.lab import traces
from provisioner.lab.openstack.place import VARIABLE
from provisioner.lab.pids import start_time
from provisioner.lab.space import Space, run
from provisioner.lab.state import Process, State, end, marked

KINDS = ("net", "router", "vm")  # of namespaces: interop-LAB--KIND-ID
LEAVE_S = 2.0


def clear(state: State, folder: Path, disks: Path) -> None:
    """End every service and guest of the lab, and let go of what they held."""
    found = []
    for pid in marked(folder, VARIABLE):
        started = start_time(pid)
        if started is not None:
            found.append(Process(name=str(pid), pid=pid, started=started))
    end(found, LEAVE_S)
    traces.clear((folder, disks))
    for name in namespaces(state.space):
        run("ip", "netns", "del", name)
    for process in state.processes():
        if process.name.startswith("openstack-") and not process.alive():
            state.forget(process.name)


def namespaces(space: Space) -> list[str]:
    """Those of networks, routers and servers."""
    tops = tuple(f"{space.namespace}--{kind}-" for kind in KINDS)
    return [name for name in space.namespaces() if name.startswith(tops)]
