"""What virtual machines boot from: a kernel, and an archive that finds the root disk.

Runs in the lab's daemons, not in nova's process.
"""

from __future__ import annotations

import hashlib
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from provisioner.lab import accel, cpio, small
from provisioner.lab.cpio import Entry, archive, entry_of
from provisioner.lab.guests.guest import Image
from provisioner.lab.images import Images, digest_of

INIT = Path(__file__).with_name("init")
MARK = "etc/interop-layer"  # tells a root that has this very layer already


def image(images: Images, layer: Path, folder: Path) -> Image:
    """What guests are made of that have *layer* over Debian; an initrd is left in *folder*.

    Raises:
        PlatformFault: something could not be built.
    """
    (layer / MARK).write_text(f"{_digest(layer)}\n", encoding="ascii")
    tree, disk = images.rootfs(), images.disk("debian-12")
    core = _core(images, tree)
    initrd = folder / "guest.initrd"
    shutil.copyfile(core / "initrd", initrd)
    with initrd.open("ab") as out:  # the kernel takes several archives in a row
        out.write(bytes(-out.tell() % 4))
        out.writelines(archive(_layer(layer)))
    return Image(
        layers=(layer, tree),
        disk=disk,
        kernel=core / "kernel",
        initrd=initrd,
        accelerator=accel.find(images.cache, core / "kernel").accelerator,
    )


def _core(images: Images, tree: Path) -> Path:
    digest = digest_of(tree.name, INIT.read_bytes(), small, cpio)
    with images.made(f"cloud-boot-{digest}") as (final, fresh):
        if fresh is not None:
            shutil.copyfile(small.kernel(tree), fresh / "kernel")
            with (fresh / "initrd").open("wb") as out:
                out.writelines(archive(_entries(tree)))
    return final


def _entries(tree: Path) -> Iterator[Entry]:
    yield entry_of(INIT, "init")
    for name in ("dev", "proc", "sys", "run", "new", "layer"):
        yield Entry(name=name, mode=stat.S_IFDIR | 0o755)
    yield Entry(name="dev/console", mode=stat.S_IFCHR | 0o600, device=(5, 1))
    yield entry_of(tree / "bin/busybox", "bin/busybox")
    yield Entry(name="bin/sh", mode=stat.S_IFLNK | 0o777, data=b"busybox")
    for name in sorted(small.libraries(tree, ["bin/busybox"])):
        yield entry_of((tree / name).resolve(), name)
    files = small.modules(tree)
    for path in files:
        yield entry_of(path, f"modules/{path.name}")
    order = "".join(f"{path.name}\n" for path in files).encode()
    yield Entry(name="modules/order", mode=stat.S_IFREG | 0o644, data=order)


def _layer(layer: Path) -> Iterator[Entry]:
    for path in sorted(layer.rglob("*")):
        yield entry_of(path, f"layer/{path.relative_to(layer)}")


def _digest(layer: Path) -> str:
    total = hashlib.sha256()
    for entry in _layer(layer):
        if entry.name != f"layer/{MARK}":
            total.update(f"{entry.name} {entry.mode:o} {len(entry.data)}\n".encode() + entry.data)
    return total.hexdigest()
