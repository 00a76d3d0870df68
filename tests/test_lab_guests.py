"""Guests of the clouds' labs: how they are built, found again, and turned into images."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from provisioner.errors import PlatformFault
from provisioner.lab import doctor
from provisioner.lab.aws import layer as aws_layer
from provisioner.lab.aws.catalog import SIZES, VIRTUAL, is_virtual
from provisioner.lab.guests import boot, copies
from provisioner.lab.guests.body import GONE, Body
from provisioner.lab.guests.container import Container
from provisioner.lab.guests.guest import Build, Drive, Firmware, Image, Port, Wiring
from provisioner.lab.guests.loops import attach, loop_of
from provisioner.lab.guests.virtual import VirtualMachine
from provisioner.lab.images import Images
from provisioner.lab.pids import start_time
from provisioner.lab.space import run

ROOT = Path(__file__).parent.parent
root_only = pytest.mark.skipif(bool(doctor.lacking()), reason=doctor.lacking() or "-")


def until(condition: Callable[[], bool]) -> None:
    """Ask again and again until it is so."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def image(folder: Path) -> Image:
    """What a guest would be made of; nothing of it is there but the disk."""
    disk = folder / "base.raw"
    with disk.open("wb") as out:
        out.truncate(1 << 20)
    return Image(
        layers=(folder / "layer", folder / "root"),
        disk=disk,
        kernel=folder / "kernel",
        initrd=folder / "initrd",
        accelerator="tcg,tb-size=64",
    )


def build(folder: Path) -> Build:
    """A virtual machine."""
    return Build(
        name="i-1",
        image=image(folder),
        firmware=Firmware(
            uuid="ec2e1916-9099-7caf-fd21-012345abcdef", manufacturer="A", product="B"
        ),
        root_gib=2,
        machine_id="0123456789abcdef0123456789abcdef",
        root_serial="vol0123456789abcdef0",
        root_bus="nvme",
        cpu=2,
        memory_mib=512,
    )


def test_a_container_keeps_to_its_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    disk = tmp_path / "root.img"
    disk.touch()
    kept = replace(build(tmp_path), root=disk, alone=True)  # two, from the machine id's on
    guest = Container(tmp_path / "guest", kept)
    shown = tmp_path / "guest/firmware/cpuinfo"

    assert guest._processors() == ["--cpu-affinity=3,0"]
    assert shown.read_text().count("processor\t") <= 2

    guest._build = replace(kept, cpu=4)

    assert guest._processors() == []
    assert not shown.exists()


# -- the process ---------------------------------------------------------------------------------


def test_what_a_guest_needs_is_held_as_long_as_it_runs(tmp_path: Path) -> None:
    """A root's device goes with its guest, so that the next start sees the file's new size."""
    reading, writing = os.pipe()
    body = Body(tmp_path)
    body.start(["sleep", "60"], held=[writing])
    os.close(writing)
    os.set_blocking(reading, False)

    with pytest.raises(BlockingIOError):
        os.read(reading, 1)
    body.kill()

    until(lambda: os.read(reading, 1) == b"")
    os.close(reading)


def test_how_a_guest_ended_is_known_to_who_did_not_start_it(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from provisioner.lab.guests.body import Body;"
        "Body(Path(sys.argv[1])).start(['sh', '-c', 'read x < {}; exit 133'.format(sys.argv[2])])"
    )
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    subprocess.run(
        [sys.executable, "-P", "-c", script, str(tmp_path), str(pipe)], check=True, cwd=ROOT
    )

    found = Body(tmp_path)

    assert found.on
    assert found.ended() is None
    pipe.write_text("go\n")
    until(lambda: not found.on)
    assert found.ended() == 133
    found.forget()
    assert found.ended() is None
    assert Body(tmp_path).ended() is None


def test_a_killed_guest_did_not_power_off(tmp_path: Path) -> None:
    body = Body(tmp_path)
    body.start(["sleep", "600"])
    until(lambda: body.inner is not None)
    inner = body.inner
    assert inner is not None

    body.kill()

    assert not body.on
    assert start_time(inner) is None
    assert body.ended() == 128 + signal.SIGKILL


def test_a_guest_whose_shell_was_killed_too_is_off(tmp_path: Path) -> None:
    body = Body(tmp_path)
    body.start(["sleep", "600"])
    until(lambda: body.inner is not None)
    noted = Body(tmp_path)

    inner = body.inner
    assert inner is not None
    os.killpg(os.getpgid(inner), signal.SIGKILL)
    until(lambda: not body.on)

    assert noted.ended() == GONE


def test_another_process_of_the_same_number_is_not_the_guest(tmp_path: Path) -> None:
    (tmp_path / "process").write_text(f'{{"pid": {os.getpid()}, "started": 1}}')

    assert not Body(tmp_path).on


# -- a virtual machine's hardware ----------------------------------------------------------------


def test_a_virtual_machine_is_what_its_type_says(tmp_path: Path) -> None:
    machine = VirtualMachine(tmp_path / "guest", build(tmp_path))
    port = Port(tap="i-1", mac="02:00:00:00:00:01", slot=5, mtu=9001)
    drive = Drive(serial="vol1", file=tmp_path / "a,b.img", node="nvme1n1", bus="nvme")

    argv = machine.command(Wiring(namespace="x", ports=(port,)), [drive])

    told = " ".join(argv)
    assert "-smp 2 -m 512 -uuid ec2e1916" in told
    assert '"addr": "0x5", "host_mtu": 9001' in told  # ens5, jumbo frames
    assert "interop.root=vol0123456789abcdef0" in told
    assert "systemd.machine_id=0123456789abcdef0123456789abcdef" in told
    assert '"driver": "nvme", "id": "d-vol1"' in told
    assert 'a,b.img"' in told  # a comma in a path is no option
    assert (tmp_path / "guest/root.qcow2").exists()


def test_the_serial_of_a_drive_fits_what_qemu_takes(tmp_path: Path) -> None:
    machine = VirtualMachine(tmp_path / "guest", build(tmp_path))
    drive = Drive(serial="f7fb237d-f10e-495e-9a12-1234567890ab", file=tmp_path / "v", node="vdb")

    argv = machine.command(Wiring(namespace="x"), [drive])

    assert '"serial": "f7fb237d-f10e-495e-9"' in " ".join(argv)
    assert max(len(word) for word in " ".join(argv).split('"') if word.startswith("b-d-")) <= 31


def test_a_machine_that_is_off_lets_everything_go(tmp_path: Path) -> None:
    machine = VirtualMachine(tmp_path / "guest", build(tmp_path))

    assert machine.detach(Drive(serial="vol1", file=tmp_path / "v", node="n"))
    assert not machine.ask_to_reboot()
    machine.ask_to_halt()
    assert not machine.on


def test_an_image_is_the_same_in_another_process(tmp_path: Path) -> None:
    made = image(tmp_path)

    made.write(tmp_path / "guests.json")

    assert Image.read(tmp_path / "guests.json") == made


def test_types_that_are_virtual_machines_are_on_offer() -> None:
    assert set(VIRTUAL) <= SIZES
    assert is_virtual("t3a.nano")
    assert not is_virtual("t3.nano")


# -- images and devices --------------------------------------------------------------------------


def test_a_file_without_a_system_is_no_root(tmp_path: Path) -> None:
    file = tmp_path / "root.raw"
    file.write_bytes(os.urandom(1 << 20))
    with pytest.raises(PlatformFault, match="not the lab's image"):
        copies.check_root(file)

    run("mkfs.ext4", "-q", "-F", str(file), "8m")
    with pytest.raises(PlatformFault, match="without /sbin/init"):
        copies.check_root(file)


def test_a_root_grows_with_its_file(tmp_path: Path) -> None:
    folder, file = tmp_path / "tree", tmp_path / "root.raw"
    (folder / "sbin").mkdir(parents=True)
    (folder / "sbin/init").touch()
    run("mkfs.ext4", "-q", "-F", "-d", str(folder), str(file), "16m")

    copies.check_root(file)
    copies.grow(file, 1)

    assert file.stat().st_size == 1 << 30
    said = run("dumpe2fs", "-h", str(file))
    blocks = next(line for line in said.splitlines() if line.startswith("Block count:"))
    size = next(line for line in said.splitlines() if line.startswith("Block size:"))
    assert int(blocks.split()[-1]) * int(size.split()[-1]) == 1 << 30


@pytest.mark.lab
@root_only
def test_a_file_has_one_loop_device_whoever_asks(tmp_path: Path) -> None:
    file = tmp_path / "volume.img"
    with file.open("wb") as out:
        out.truncate(1 << 20)

    first = attach(file)
    second = attach(file)
    try:
        assert first.path == second.path == loop_of(file)
    finally:
        first.close()
        second.close()
    until(lambda: loop_of(file) is None)


@pytest.mark.lab
@root_only
def test_the_layer_is_in_what_a_virtual_machine_boots(tmp_path: Path) -> None:
    made = boot.image(Images(), aws_layer.build(tmp_path / "layer"), tmp_path)

    said = subprocess.run(
        ["busybox", "cpio", "-t"], input=_second_archive(made), capture_output=True, check=True
    ).stdout.decode()

    assert "layer/etc/interop-layer" in said.split()
    assert "layer/etc/cloud/cloud.cfg.d/95-lab.cfg" in said.split()
    assert "layer/etc/udev/rules.d/70-lab.rules" in said.split()


def _second_archive(made: Image) -> bytes:
    """What follows the archive that all clouds share."""
    shared = made.kernel.with_name("initrd").stat().st_size
    return made.initrd.read_bytes()[shared + -shared % 4 :]
