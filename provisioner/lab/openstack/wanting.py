"""What the lab's OpenStack needs of the host beyond what every lab needs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from provisioner.lab.openstack.net.wires import CALL_IPTABLES

# program -> Debian package
PROGRAMS: Mapping[str, str] = {"conntrack": "conntrack"}


def lacking() -> str:
    """Why it cannot be here, in one line; empty when it can."""
    packages = [name for program, name in PROGRAMS.items() if shutil.which(program) is None]
    if packages:
        return f"OpenStack needs: apt-get install --no-install-recommends {' '.join(packages)}"
    if not CALL_IPTABLES.exists():
        return "OpenStack's security groups need the kernel's br_netfilter: modprobe br_netfilter"
    return ""
