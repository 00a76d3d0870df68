"""sqlite under threaded services: a writer takes the lock when its transaction begins.

oslo.db begins every transaction of sqlite deferred. One that reads first and writes later then
dies at once with "database is locked" when another connection wrote in between, whatever its
timeout (https://www.sqlite.org/rescode.html#busy_snapshot), and nobody tries again.
oslo.db knows which transactions are to write: those begin IMMEDIATE, which waits for the lock;
readers stay deferred and, with a write-ahead log, never block.

sqlite itself waits by asking again and again, and who came last may well be first: under load a
writer starved for longer than its timeout. So the writers of this process, which has its database
to itself, queue for a lock of threads before they ask sqlite.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Any

import sqlalchemy
from oslo_db.sqlalchemy import enginefacade

OPTION = "interop_writer"
TURN = "interop_turn"  # in a connection's info while it may write: the lock that it holds
TURN_S = 60.0  # after it a writer asks sqlite all the same: its own thread may hold the lock

_turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)  # by database


def install() -> None:
    """Change oslo.db in this process, before any service has opened its database."""
    factory = enginefacade._TransactionFactory
    writer = enginefacade._WRITER
    make_session, make_connection = factory._create_session, factory._create_connection

    def engine(self: Any) -> Any:
        if not self._started:
            self._start()
        return self._writer_engine.execution_options(**{OPTION: True})

    def session(self: Any, mode: Any, bind: Any = None) -> Any:
        if mode is writer and bind is None:
            bind = engine(self)
        return make_session(self, mode, bind=bind)

    def connection(self: Any, mode: Any) -> Any:
        return engine(self).connect() if mode is writer else make_connection(self, mode)

    factory._create_session = session
    factory._create_connection = connection
    # listeners of the class run before those of an engine, which is where oslo.db's are
    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "begin", _begin)
    for ended in ("commit", "rollback"):
        sqlalchemy.event.listen(sqlalchemy.engine.Engine, ended, _leave)
    sqlalchemy.event.listen(sqlalchemy.pool.Pool, "checkin", _return)


def _begin(connection: Any) -> None:
    if (
        connection.dialect.name == "sqlite"
        and connection.get_execution_options().get(OPTION)
        and "in_transaction" not in connection.info
    ):
        turn = _turns[str(connection.engine.url)]
        if turn.acquire(timeout=TURN_S):
            connection.info[TURN] = turn
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.info["in_transaction"] = True  # oslo.db's own listener then does nothing


def _leave(connection: Any) -> None:
    """The next writer's turn; sqlite lets it in when this transaction's last word is said."""
    _release(connection.info)


def _return(driver_connection: Any, record: Any) -> None:
    """A connection that was given back without commit or rollback."""
    _release(record.info)


def _release(info: dict[str, Any]) -> None:
    turn = info.pop(TURN, None)
    if turn is not None:
        turn.release()
