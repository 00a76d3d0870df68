"""How the services' interpreter finds our code: a folder with a link to it, for PYTHONPATH.

Nothing of ours is installed in the services' environment. Neutron finds a mechanism driver by an
entry point alone, so the folder has the description of a distribution, too.
"""

from __future__ import annotations

from pathlib import Path

import provisioner

ENTRY_POINTS = """\
[neutron.ml2.mechanism_drivers]
interop = provisioner.lab.openstack.net.driver:LabDriver
"""
METADATA = "Metadata-Version: 2.1\nName: interop-lab-openstack\nVersion: 0\n"


def make(folder: Path) -> Path:
    """Furnish *folder*, which may be there already, and return it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    link = folder / "provisioner"
    link.unlink(missing_ok=True)
    link.symlink_to(Path(provisioner.__file__).resolve().parent)
    described = folder / "interop_lab_openstack-0.dist-info"
    described.mkdir(exist_ok=True)
    (described / "METADATA").write_text(METADATA, encoding="utf-8")
    (described / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")
    return folder
