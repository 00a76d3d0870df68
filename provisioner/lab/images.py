"""Images of the lab's guests, built once and kept in the cache by the digest of their recipe.

* ``rootfs()``: a folder with Debian 12: systemd, cloud-init, OpenSSH, Python 3. Read-only for all.
* ``small()``: kernel and initrd that install the small guest on a metal machine's first disk.
* ``disk("debian-12")``: the same tree as one ext4 file system; the same initrd installs it when
  the kernel's command line has ``interop.image=URL`` of that file.

What the initrd does and asks of a boot service is told in ``guest/common/.../install.py``.
Several processes may ask at once: one builds, the others wait for its lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import inspect
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from provisioner.errors import BadRequest, PlatformFault
from provisioner.lab import cpio, rootfs, small
from provisioner.lab.space import run

EXT4_OPTIONS = ("-O", "^64bit,^metadata_csum,^orphan_file", "-m", "1", "-L", "root")
ROOM = 1.05  # of a file system over the files in it; it is grown to its disk when installed
COMPLETE = ".complete"


def default_cache() -> Path:
    """``$XDG_CACHE_HOME/interop``, by default in ``~/.cache``."""
    top = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(top).expanduser() / "interop"


class Images:
    """The images in one cache folder.

    Args:
        cache: the folder; made if it is not there.
        progress: called with a few words on what is being done or waited for.
    """

    def __init__(
        self, cache: Path | None = None, progress: Callable[[str], None] | None = None
    ) -> None:
        self.cache = default_cache() if cache is None else cache
        self._say = progress or (lambda text: None)

    def rootfs(self) -> Path:
        """The folder with the Debian root file system; nobody writes into it."""
        digest = digest_of(rootfs.recipe(), rootfs, *_overlays("rootfs", "common"))
        with self.made(f"rootfs-{digest}") as (final, fresh):
            if fresh is not None:
                base = self._packages()
                self._say("root file system: our configuration")
                run("cp", "-a", "--reflink=auto", f"{base}/.", str(fresh))
                rootfs.customise(fresh)
        return final

    def small(self) -> tuple[Path, Path]:
        """Kernel and initrd of the small guest."""
        tree = self.rootfs()
        digest = digest_of(tree.name, small, cpio, *_overlays("common", "small", "initrd"))
        with self.made(f"small-{digest}") as (final, fresh):
            if fresh is not None:
                self._say("small guest: choosing files")
                self._build_small(tree, fresh)
        return final / "kernel", final / "initrd"

    def disk(self, image: str = "debian-12") -> Path:
        """An ext4 file system to be written on a machine's disk.

        Raises:
            BadRequest: no image of that name.
        """
        if image != "debian-12":
            raise BadRequest(f"image {image!r}: expected debian-12; small comes with the initrd")
        tree = self.rootfs()
        digest = digest_of(tree.name, small, cpio, *_overlays("common", "initrd"))
        with self.made(f"debian-12-{digest}") as (final, fresh):
            if fresh is not None:
                self._say("debian-12: writing the file system")
                _write(fresh / "boot.initrd", small.initrd(tree))
                copy = fresh / "tree"
                copy.mkdir()
                run("cp", "-a", "--reflink=auto", f"{tree}/.", str(copy))
                _compress(tree, fresh / "boot.initrd", copy / "boot/interop.initrd")
                _make_ext4(copy, fresh / "image.ext4")
                shutil.rmtree(copy)
                (fresh / "boot.initrd").unlink()
        return final / "image.ext4"

    def status(self) -> list[tuple[str, int]]:
        """Name and size in bytes of each finished image in the cache."""
        if not self.cache.is_dir():
            return []
        done = sorted(path.parent for path in self.cache.glob(f"*/{COMPLETE}"))
        return [(path.name, _size(path)) for path in done]

    def prune(self) -> list[str]:
        """Remove what no current recipe makes; returns the names. Nobody may be using them."""
        self.small()
        self.disk()  # with what they are made of these are the last used of their kind now
        gone = self.outdated() + [path.name for path in self.cache.glob(".*.part")]
        for name in gone:
            shutil.rmtree(self.cache / name)
        return gone

    def outdated(self) -> list[str]:
        """Of each kind all but the one that was asked for last; the digest is no part of a kind."""
        done = sorted(self.cache.glob(f"*/{COMPLETE}"), key=lambda path: path.stat().st_mtime_ns)
        last = {path.parent.name.rpartition("-")[0]: path.parent.name for path in done}
        return sorted({path.parent.name for path in done} - set(last.values()))

    def _packages(self) -> Path:
        with self.made(f"packages-{digest_of(rootfs.recipe())}") as (final, fresh):
            if fresh is not None:
                self._say("debian packages: starting")
                rootfs.build_packages(fresh, self._say)
        return final

    def _build_small(self, tree: Path, fresh: Path) -> None:
        root = fresh / "root"
        root.mkdir()
        small.select(tree, root)
        core = fresh / "core.cpio"
        _write(core, small.initrd(tree))
        _compress(tree, core, fresh / "initrd")
        shutil.copyfile(fresh / "initrd", root / "boot/interop.initrd")
        shutil.copyfile(small.kernel(tree), root / "boot/vmlinuz")
        shutil.copyfile(small.kernel(tree), fresh / "kernel")
        image = fresh / "image.ext4"
        _make_ext4(root, image)
        _compress(tree, image, fresh / "image.zst")
        # the kernel takes several archives in a row, compressed or not, each at a multiple of 4
        entry = cpio.entry_of(fresh / "image.zst", "image.zst")
        with (fresh / "initrd").open("ab") as out:
            out.write(bytes(-out.tell() % 4))
            out.writelines(cpio.archive(iter((entry,))))
        shutil.rmtree(root)
        for name in ("core.cpio", "image.ext4", "image.zst"):
            (fresh / name).unlink()

    @contextlib.contextmanager
    def made(self, name: str) -> Iterator[tuple[Path, Path | None]]:
        """The finished folder *name*; also a fresh one to fill, if nobody has made it yet.

        The fresh one becomes the finished one when the block ends without an error. For recipes of
        other modules, too; *name* ends in the digest of all that its content depends on.
        """
        final = self.cache / name
        if (final / COMPLETE).exists():
            now = time.time_ns()  # it is in use, says its time
            os.utime(final / COMPLETE, ns=(now, now))
            yield final, None
            return
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PlatformFault(f"{self.cache}: {error.strerror}") from error
        with (self.cache / f".{name}.lock").open("w") as lock:
            self._acquire(lock.fileno(), name)
            if (final / COMPLETE).exists():
                yield final, None
                return
            fresh = self.cache / f".{name}.part"
            for rest in (fresh, final):
                if rest.exists():
                    shutil.rmtree(rest)
            fresh.mkdir(mode=0o755)
            yield final, fresh
            (fresh / COMPLETE).touch()
            fresh.rename(final)
            (self.cache / f".{name}.lock").unlink(missing_ok=True)

    def _acquire(self, lock: int, name: str) -> None:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say(f"waiting for another process that builds {name}")
                time.sleep(0.5)
            else:
                return


def _overlays(*names: str) -> Iterator[bytes]:
    """What the files laid over are, for a digest: place, mode, content."""
    for top in names:
        for path, name in rootfs.overlay(top):
            executable = os.access(path, os.X_OK)
            yield f"{top}/{name} {executable}\n".encode() + path.read_bytes()


def digest_of(*parts: str | bytes | ModuleType) -> str:
    """A short digest of texts, files' contents and the source of modules of ours."""
    total = hashlib.sha256()
    for part in parts:
        text = inspect.getsource(part) if isinstance(part, ModuleType) else part
        data = text.encode() if isinstance(text, str) else text
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()[:12]


def _write(path: Path, pieces: Iterator[bytes]) -> None:
    with path.open("wb") as out:
        out.writelines(pieces)


def _compress(tree: Path, source: Path, target: Path) -> None:
    """Compress with the tree's own zstd: the host need not have one."""
    with source.open("rb") as data, target.open("wb") as out:
        command = ["chroot", str(tree), "zstd", "-q", "-T0", "-12", "-c"]
        done = subprocess.run(command, stdin=data, stdout=out, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise PlatformFault(f"zstd: {done.stderr.decode(errors='replace').strip()}")


def _make_ext4(root: Path, image: Path) -> None:
    """One ext4 file system of the files in *root*, hardly larger than they are."""
    blocks = 1 + max(int(_size(root) * ROOM), 16 << 20) // 4096 + 3072
    with image.open("wb") as out:
        out.truncate(blocks * 4096)
    run("mke2fs", "-q", "-t", "ext4", "-b", "4096", "-N", str(_count(root) * 2 + 4096),
        *EXT4_OPTIONS, "-d", str(root), str(image), str(blocks))  # fmt: skip


def _count(path: Path) -> int:
    return sum(1 for _ in path.rglob("*"))


def _size(path: Path) -> int:
    """Bytes on disk of a folder, each file in whole blocks."""
    return int(run("du", "-sk", str(path)).split()[0]) * 1024
