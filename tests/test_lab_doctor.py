"""The doctor names what is missing and how to get it, and a trial of KVM believes only a guest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.lab import lab_command
from provisioner.lab import accel, doctor
from provisioner.lab.images import Images


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_a_missing_program_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        shutil, "which", lambda name, **_: None if name == "mmdebstrap" else f"/bin/{name}"
    )
    lines = [finding.text for finding in doctor.examine(Images(tmp_path)) if not finding.well]

    assert any(line.endswith("apt-get install mmdebstrap") for line in lines)


def test_the_command_exits_with_1_when_something_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, **_: None)

    result = CliRunner().invoke(lab_command, ["doctor"])

    assert result.exit_code == 1
    assert "MISSING qemu-img is missing (disks): apt-get install qemu-utils" in result.output


def test_a_host_without_kvm_emulates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accel, "KVM", tmp_path / "no-kvm")

    verdict = accel.find(tmp_path, tmp_path / "kernel")

    assert verdict.accelerator.startswith("tcg")


def test_a_kvm_under_which_no_guest_spoke_is_not_used_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accel, "KVM", tmp_path)
    tries = []

    def silent(kernel: Path) -> tuple[bool, str]:
        tries.append(kernel)
        return False, "no guest ran under KVM within 15 s"

    monkeypatch.setattr(accel, "_try", silent)
    first = accel.find(tmp_path, tmp_path / "kernel")

    assert accel.find(tmp_path, tmp_path / "kernel") == first
    assert first.accelerator.startswith("tcg")
    assert "no guest ran" in first.reason
    assert len(tries) == 1


def test_a_kvm_under_which_a_guest_spoke_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accel, "KVM", tmp_path)
    monkeypatch.setattr(accel, "_try", lambda kernel: (True, "a guest ran under KVM after 1 s"))

    assert accel.find(tmp_path, tmp_path / "kernel").accelerator == "kvm"


def test_a_bad_name_of_a_lab_is_told_in_one_line() -> None:
    result = CliRunner().invoke(lab_command, ["status", "--name", "No/Good"])

    assert "lab name 'No/Good'" in str(result.exception)
