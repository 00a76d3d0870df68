"""Writers of one service share their sqlite database fairly."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from provisioner.lab import doctor
from provisioner.lab.images import Images
from provisioner.lab.openstack import install, link

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(doctor.lacking()), reason=doctor.lacking() or "-"),
]

CROWD = """
import sys, threading, time
import sqlalchemy as sa
from oslo_db.sqlalchemy import enginefacade
from provisioner.lab.openstack import sqlite
sqlite.install()
if sys.argv[2] == "unfair":
    sqlite.TURN_S = 0
manager = enginefacade.transaction_context()
manager.configure(connection=f"sqlite:///{sys.argv[1]}?timeout=60", sqlite_synchronous=False)
@enginefacade.transaction_context_provider
class Context: pass
with manager.writer.using(Context()) as session:
    session.execute(sa.text("CREATE TABLE t (n INTEGER)"))
    session.execute(sa.text("INSERT INTO t VALUES (0)"))
done, failed, end = [], [], time.monotonic() + 5
def work():
    mine = 0
    try:
        while time.monotonic() < end:
            with manager.writer.using(Context()) as session:
                session.execute(sa.text("UPDATE t SET n = n + 1"))
                time.sleep(0.02)
            mine += 1
    except Exception as error:
        failed.append(str(error))
    done.append(mine)
threads = [threading.Thread(target=work) for _ in range(12)]
[t.start() for t in threads]
[t.join() for t in threads]
with manager.reader.using(Context()) as session:
    assert session.execute(sa.text("SELECT n FROM t")).scalar() == sum(done)
print(min(done), max(done))
sys.exit(failed[0] if failed else 0)
"""


def shares(folder: Path, mode: str) -> tuple[int, int]:
    """How often the thread wrote that had the fewest turns, and the one that had the most."""
    venv = install.venv(Images(), lambda text: None)
    code = folder / "crowd.py"
    code.write_text(CROWD, encoding="utf-8")
    done = subprocess.run(
        [str(venv / "bin/python"), "-P", str(code), str(folder / "crowd.db"), mode],
        env={**os.environ, "PYTHONPATH": str(link.make(folder / "link")),
             "PYTHONWARNINGS": "ignore"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    least, most = done.stdout.split()
    return int(least), int(most)


def test_every_writer_gets_its_turn(tmp_path: Path) -> None:
    least, most = shares(tmp_path, "fair")

    assert most <= 2 * least


def test_sqlite_alone_lets_some_starve(tmp_path: Path) -> None:
    least, most = shares(tmp_path, "unfair")

    assert most > 2 * least
