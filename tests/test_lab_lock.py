"""Two never hold a lab's lock at once, not even when its file goes and comes back meanwhile."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from provisioner.errors import Conflict
from provisioner.lab.lock import locked


def test_only_one_holds_it_and_no_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "made" / "lock"

    with locked(path, "busy"), pytest.raises(Conflict, match="busy"), locked(path, "busy"):
        pass

    assert list(path.parent.iterdir()) == []


def test_a_lock_on_a_removed_file_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between our open and our lock the holder before us lets go, and another one comes."""
    path, real, turns = tmp_path / "lock", fcntl.flock, []

    def late(file: object, how: int) -> None:
        turns.append(how)
        if len(turns) == 1:
            path.unlink()
            path.touch()
        real(file, how)  # type: ignore[arg-type]

    monkeypatch.setattr(fcntl, "flock", late)

    with locked(path, "busy"), path.open("a") as other:
        with pytest.raises(BlockingIOError):
            real(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert os.path.samestat(os.fstat(other.fileno()), path.stat())
    assert len(turns) == 2


def test_what_goes_wrong_inside_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), locked(tmp_path / "lock", "busy"):
        raise FileNotFoundError
