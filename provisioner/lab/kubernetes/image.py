"""The container image of the lab's pods: the lab's own Debian, without kernel and boot loader.

No registry is asked: the archive is imported by each node's containerd. The pause image is the
same layer with another command, so it costs nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from provisioner.lab.images import Images, digest_of
from provisioner.lab.kubernetes import plan
from provisioner.lab.space import run

WITHOUT = (
    "boot", "vmlinuz*", "initrd*", "lib/modules", "usr/lib/modules", "usr/lib/firmware",
    "usr/lib/EXTLINUX", "usr/lib/udev/hwdb.*", "usr/share/zoneinfo/right", "var/lib/apt/lists",
    "var/cache", "dev", "proc", "sys", "run",
)  # fmt: skip
KEPT_EMPTY = ("dev", "proc", "sys", "run", "var/cache")
COMMANDS = {plan.IMAGE: ["/bin/bash"], plan.PAUSE: ["/usr/bin/sleep", "infinity"]}
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def archive(tree: Path, images: Images) -> Path:
    """The archive of the root file system *tree* as ``docker save`` would write it.

    Source: OCI image specification and Docker Image Specification v1.2, "Combined Image JSON".
    """
    recipe = json.dumps([tree.name, WITHOUT, KEPT_EMPTY, COMMANDS, PATH])
    with images.made(f"container-{digest_of(recipe)}") as (final, fresh):
        if fresh is not None:
            _build(tree, fresh)
    return final / "image.tar"


def _build(tree: Path, fresh: Path) -> None:
    layer = fresh / "layer.tar"
    without = [f"--exclude=./{item}" for item in WITHOUT]
    run("tar", "--create", f"--file={layer}", f"--directory={tree}", "--sort=name",
        "--mtime=@0", "--numeric-owner", "--xattrs", "--xattrs-include=security.capability",
        "--anchored", *without, ".")  # fmt: skip
    with tarfile.open(layer, "a") as out:
        for place in KEPT_EMPTY:
            folder = tarfile.TarInfo(f"./{place}")
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            out.addfile(folder)
    with layer.open("rb") as data:
        digest = hashlib.file_digest(data, "sha256").hexdigest()
    _write(fresh / "image.tar", layer, digest)
    layer.unlink()


def _write(target: Path, layer: Path, digest: str) -> None:
    manifest = []
    with tarfile.open(target, "w") as out:
        place = f"{digest}/layer.tar"
        out.add(layer, place)
        for reference, command in COMMANDS.items():
            config = _config(command, digest)
            file = f"{hashlib.sha256(config).hexdigest()}.json"
            _add(out, file, config)
            manifest.append({"Config": file, "RepoTags": [reference], "Layers": [place]})
        _add(out, "manifest.json", json.dumps(manifest).encode())


def _config(command: list[str], digest: str) -> bytes:
    document: dict[str, Any] = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": [PATH], "Cmd": command},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created": "1970-01-01T00:00:00Z"}],
    }
    return json.dumps(document).encode()


def _add(out: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    out.addfile(entry, io.BytesIO(content))
