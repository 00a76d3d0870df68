"""Images: the archive a kernel unpacks, the cache, and the choice of files."""

from __future__ import annotations

import contextlib
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from provisioner.errors import BadRequest, PlatformFault
from provisioner.lab import rootfs, small
from provisioner.lab.cpio import Entry, archive
from provisioner.lab.images import Images


def test_the_archive_is_read_by_another_programs_reader(tmp_path: Path) -> None:
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox is not installed: nothing here reads cpio archives")
    entries = [
        Entry(name="etc/name", mode=stat.S_IFREG | 0o640, data=b"content\n", mtime=1_700_000_000),
        Entry(name="etc/odd", mode=stat.S_IFREG | 0o755, data=b"xyz"),
        Entry(name="bin", mode=stat.S_IFLNK | 0o777, data=b"usr/bin"),
    ]
    data = b"".join(archive(iter(entries)))

    subprocess.run([busybox, "cpio", "-idm"], input=data, cwd=tmp_path, check=True,
                   capture_output=True)  # fmt: skip

    assert (tmp_path / "etc/name").read_bytes() == b"content\n"
    assert stat.S_IMODE((tmp_path / "etc/name").stat().st_mode) == 0o640
    assert (tmp_path / "etc/odd").read_bytes() == b"xyz"
    assert str((tmp_path / "bin").readlink()) == "usr/bin"


def test_the_archive_is_whole_words() -> None:
    entry = Entry(name="a", mode=stat.S_IFREG | 0o644, data=b"12345")

    assert len(b"".join(archive(iter([entry])))) % 4 == 0


def test_an_image_that_could_not_be_finished_is_made_anew(tmp_path: Path) -> None:
    images = Images(tmp_path)
    with contextlib.suppress(PlatformFault), images.made("thing-1") as (_, fresh):
        assert fresh is not None
        (fresh / "half").touch()
        raise PlatformFault("no space left")

    with images.made("thing-1") as (final, fresh):
        assert fresh is not None
        found = list(fresh.iterdir())
        (fresh / "whole").touch()

    assert found == []
    assert (final / "whole").exists()
    assert [name for name, _ in images.status()] == ["thing-1"]


def test_a_finished_image_is_not_made_again(tmp_path: Path) -> None:
    images = Images(tmp_path)
    with images.made("thing-1"):
        pass

    with images.made("thing-1") as (final, fresh):
        assert fresh is None

    assert final == tmp_path / "thing-1"


def test_an_unknown_disk_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="expected debian-12"):
        Images(tmp_path).disk("windows")


def test_modules_come_after_those_they_need(tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot/vmlinuz-6.1").touch()
    top = tmp_path / "lib/modules/6.1"
    top.mkdir(parents=True)
    (top / "modules.dep").write_text(
        "k/virtio_blk.ko: k/virtio.ko k/virtio_ring.ko\nk/virtio.ko: k/virtio_ring.ko\n"
        "k/virtio_ring.ko:\nk/virtio-rng.ko: k/virtio.ko\n"
    )

    found = small.modules(tmp_path, ["virtio_blk", "virtio-rng", "built_in"])

    assert [path.name for path in found] == [
        "virtio_ring.ko", "virtio.ko", "virtio_blk.ko", "virtio-rng.ko",
    ]  # fmt: skip


def test_the_python_left_out_is_not_what_programs_import() -> None:
    kept = ["asyncio/base.py", "lib-dynload/_ssl.so", "sqlite3/dbapi2.py", "unittest/mock.py"]
    left = ["test/x.py", "lib-dynload/_testcapi.so", "config-3.11-x86_64-linux-gnu/Makefile"]

    assert not [name for name in kept if small.PYTHON_WITHOUT.match(name)]
    assert [name for name in left if small.PYTHON_WITHOUT.match(name)] == left


def test_every_script_laid_over_a_guest_is_executable_or_python_or_data() -> None:
    scripts = [
        path
        for top in ("rootfs", "common", "small", "initrd")
        for path, _ in rootfs.overlay(top)
        if path.read_bytes().startswith(b"#!")
    ]

    assert scripts
    assert not [path for path in scripts if not path.stat().st_mode & 0o100]


@pytest.mark.parametrize("script", ["initrd/init", "initrd/udhcpc", "small/etc/init.d/rcS",
                                    "small/etc/init.d/rcK"])  # fmt: skip
def test_a_guests_script_is_sound_shell(script: str) -> None:
    done = subprocess.run(["sh", "-n", str(rootfs.GUEST / script)], capture_output=True, text=True)

    assert done.stderr == ""
    assert done.returncode == 0


def test_the_mirrors_are_those_the_host_uses(monkeypatch: pytest.MonkeyPatch) -> None:

    lines = "http://m/debian/ bookworm main\nhttp://m/sec/ bookworm-security main\nx trixie main"
    done = subprocess.CompletedProcess([], 0, stdout=lines, stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)

    assert rootfs.sources() == [
        "deb http://m/debian bookworm main",
        "deb http://m/sec bookworm-security main",
    ]


def test_a_host_without_a_mirror_of_the_release_is_told_what_to_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:

    done = subprocess.CompletedProcess([], 0, stdout="", stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    monkeypatch.delenv("INTEROP_DEBIAN_MIRROR", raising=False)

    with pytest.raises(PlatformFault, match="INTEROP_DEBIAN_MIRROR"):
        rootfs.sources()
