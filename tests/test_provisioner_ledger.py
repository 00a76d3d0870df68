"""The ledger: what a crash leaves is read back, one writer at a time, one sync for many."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from provisioner.driver import Handle
from provisioner.errors import BadRequest, Conflict
from provisioner.ledger import Ledger
from provisioner.replay import in_use, make_token, read_ledger
from provisioner.resources import Kind, Ref

MACHINE = Ref(Kind.MACHINE, "app-1")


def handle(identity: str = "m-1") -> Handle:
    return Handle(platform="p", kind=Kind.MACHINE, id=identity, name="app-1", run="r")


def test_a_resource_is_followed_from_intent_to_gone(tmp_path: Path) -> None:
    path = tmp_path / "run" / "ledger.jsonl"
    with Ledger(path, "r", expires="2030-01-01T00:00:00Z") as ledger:
        entry = ledger.intent("p", MACHINE, digest="d", tags={"a": "b"})
        assert read_ledger(path).entries[entry.token].phase == "intent"
        ledger.created(entry.token, handle())
        ledger.deleting(entry.token)
        assert read_ledger(path).open_entries()[0].handle == handle()
        ledger.gone(entry.token, "read None 3 times")

    replay = read_ledger(path)

    assert replay.run == "r"
    assert replay.expires == "2030-01-01T00:00:00Z"
    assert replay.open_entries() == []


def test_tokens_are_the_same_in_another_process_and_new_for_each_attempt(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path, "r") as ledger:
        first = ledger.intent("p", MACHINE)
        ledger.refused(first.token, "quota")
    with Ledger(path, "r") as ledger:
        second = ledger.intent("p", MACHINE)

    assert first.token == make_token("r", "p", MACHINE, 1)
    assert second.token == make_token("r", "p", MACHINE, 2)


def test_a_torn_last_line_is_cut_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path, "r") as ledger:
        ledger.intent("p", MACHINE)
    with path.open("ab") as file:
        file.write(b'{"v":1,"event":"crea')

    assert len(read_ledger(path).entries) == 1
    with Ledger(path, "r") as ledger:
        ledger.created(make_token("r", "p", MACHINE), handle())

    assert read_ledger(path).open_entries()[0].phase == "created"


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text('{"v":1,"event":"run","run":"r","expires":"","at":1}\n{}\n', encoding="utf-8")

    with pytest.raises(BadRequest, match=r"ledger\.jsonl:2: not a ledger record"):
        read_ledger(path)


def test_only_one_writer_and_the_lock_is_visible(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path, "r"):
        assert in_use(path)
        with pytest.raises(Conflict, match="another process"):
            Ledger(path, "r")

    assert not in_use(path)


def test_a_ledger_of_another_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    Ledger(path, "r").close()

    with pytest.raises(BadRequest, match="ledger of run r, expected q"):
        Ledger(path, "q")
    assert not in_use(path)


def test_many_threads_share_syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.jsonl"
    syncs = []
    real = os.fsync

    def slow_sync(fd: int) -> None:
        syncs.append(fd)
        threading.Event().wait(0.002)  # a disk; without it threads never queue up
        real(fd)

    with Ledger(path, "r") as ledger:
        monkeypatch.setattr(os, "fsync", slow_sync)

        def work(number: int) -> None:
            for turn in range(20):
                ledger.note(f"{number}.{turn}", turn)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(read_ledger(path).notes) == 200
    assert len(syncs) < 150


def test_lines_are_plain_json_with_a_time(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path, "r") as ledger:
        ledger.step_done("app-1", "app/install.sh.j2", "done")
        ledger.forget_steps("app-1")

    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    assert [r["event"] for r in records] == ["run", "step", "forget"]
    assert all(isinstance(r["at"], float) for r in records)
    assert read_ledger(path).steps == {}
