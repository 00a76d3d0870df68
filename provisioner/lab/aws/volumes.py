"""EBS volumes: sparse files, and block devices of the guests they are attached to."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import PlatformError
from provisioner.lab.aws.world import Volume, World
from provisioner.lab.guests.guest import Drive, Guest
from provisioner.lab.guests.loops import loop_of
from provisioner.lab.space import run

LOG = logging.getLogger(__name__)
LOST_S = 10.0  # volume-loses-fsync: at least so much of the past is lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A volume in a guest."""

    volume: str
    instance: str
    drive: Drive


def link_of(volume: str) -> str:
    """The name below /dev/disk/by-id that udev makes for an EBS volume on current instances."""
    return f"nvme-Amazon_Elastic_Block_Store_{serial_of(volume)}"


def serial_of(volume: str) -> str:
    """The serial number a volume has on current instances, at most 20 characters."""
    return volume.replace("-", "")


class Volumes:
    """The volumes of the lab. Safe to use from several threads."""

    def __init__(
        self,
        folder: Path,
        guest: Callable[[str], Guest | None],
        defects: frozenset[str] = frozenset(),
    ) -> None:
        self._folder = folder
        self._guest = guest
        self._defects = defects
        self._lock = threading.RLock()
        self._joined: dict[str, Joined] = {}
        self._snapshots: set[str] = set()
        self._copied: dict[str, float] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def converge(self, world: World) -> None:
        """Make files, devices and nodes fit what the API says."""
        with self._lock:
            for snapshot in world.snapshots.keys() - self._snapshots:
                self._keep(snapshot, world.snapshots[snapshot])
            for snapshot in self._snapshots - world.snapshots.keys():
                self._file(snapshot).unlink(missing_ok=True)
            self._snapshots = set(world.snapshots)
            for volume in [*self._joined]:
                wish = world.volumes.get(volume)
                if wish is None or wish.instance != self._joined[volume].instance:
                    self._part(volume)
            for wish in world.volumes.values():
                self._make(wish)
                if wish.instance and wish.id not in self._joined:
                    self._join(wish)
            for path in self._folder.glob("vol-*.img"):
                if path.stem not in world.volumes and path.stem not in self._joined:
                    path.unlink()
            if "volume-loses-fsync" in self._defects:
                self._remember()

    def settled(self, world: World) -> bool:
        """Whether every volume is where the API says."""
        with self._lock:
            wished = {v.id: v.instance for v in world.volumes.values() if v.instance}
            return wished == {j.volume: j.instance for j in self._joined.values()}

    def devices(self, instance: str) -> Sequence[Drive]:
        """What is attached to an instance."""
        with self._lock:
            return [j.drive for j in self._joined.values() if j.instance == instance]

    def plug_pulled(self, instance: str) -> None:
        """Called after a hard stop, when no process of the guest is left."""
        if "volume-loses-fsync" not in self._defects:
            return
        with self._lock:
            for joined in [j for j in self._joined.values() if j.instance == instance]:
                older = self._file(joined.volume).with_suffix(".older")
                if not older.exists():
                    continue
                loop = loop_of(joined.drive.file)  # a virtual machine has none
                if loop is not None:
                    run("blockdev", "--flushbufs", str(loop))
                # in place: the device goes on reading this very file
                run("dd", f"if={older}", f"of={self._file(joined.volume)}", "bs=1M",
                    "conv=notrunc", "status=none")  # fmt: skip
                if loop is not None:
                    run("blockdev", "--flushbufs", str(loop))
                LOG.warning("%s rolled back, as asked (volume-loses-fsync)", joined.volume)

    # -- parts ---------------------------------------------------------------------------------

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.img"

    def _make(self, wish: Volume) -> None:
        path = self._file(wish.id)
        if path.exists():
            return
        source = self._file(wish.snapshot) if wish.snapshot else None
        fresh = path.with_suffix(".part")
        if source is not None and source.exists():
            run("cp", "--sparse=always", "--reflink=auto", str(source), str(fresh))
        less = 1 << 20 if "volume-too-small" in self._defects else 0
        with fresh.open("ab") as file:
            file.truncate((wish.size_gib << 30) - less)
        fresh.replace(path)

    def _keep(self, snapshot: str, volume: str) -> None:
        """A snapshot's data, as a crash at this moment would leave them."""
        if self._file(volume).exists():
            run("sync", "-f", str(self._file(volume)))
            run("cp", "--sparse=always", "--reflink=auto", str(self._file(volume)),
                str(self._file(snapshot)))  # fmt: skip

    def _join(self, wish: Volume) -> None:
        path = self._file(wish.id)
        if loop_of(path) is not None:
            return  # still mounted where it was detached: not before that ends
        taken = {j.drive.node for j in self._joined.values() if j.instance == wish.instance}
        node = next(n for n in (f"nvme{k}n1" for k in range(1, 128)) if n not in taken)
        drive = Drive(
            serial=serial_of(wish.id),
            file=path,
            node=node,
            links=(f"by-id/{link_of(wish.id)}",),
            bus="nvme",
        )
        self._joined[wish.id] = Joined(volume=wish.id, instance=wish.instance, drive=drive)
        guest = self._guest(wish.instance)
        if guest is not None and guest.on:
            try:
                guest.attach(drive)
            except (OSError, PlatformError) as error:  # it gets the device when it starts again
                LOG.info("%s not shown to %s: %s", wish.id, wish.instance, error)

    def _part(self, volume: str) -> None:
        joined = self._joined[volume]
        guest = self._guest(joined.instance)
        if guest is not None and not guest.detach(joined.drive):
            LOG.info("%s: %s does not let it go yet", volume, joined.instance)
            return  # asked again at the next pass
        del self._joined[volume]
        for kept in (".older", ".newer"):
            self._file(volume).with_suffix(kept).unlink(missing_ok=True)

    def _remember(self) -> None:
        """Copies of what volumes held some time ago, for the defect that goes back to it."""
        now = time.monotonic()
        for volume in self._joined:
            if now - self._copied.get(volume, 0.0) < LOST_S:
                continue
            path = self._file(volume)
            newer, older = path.with_suffix(".newer"), path.with_suffix(".older")
            if newer.exists():
                newer.replace(older)
            fresh = path.with_suffix(".part")
            run("cp", "--sparse=always", str(path), str(fresh))
            fresh.replace(newer)
            if not older.exists():
                shutil.copyfile(newer, older)
            self._copied[volume] = now
