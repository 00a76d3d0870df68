"""sqlite under threaded services: a writer takes the lock when its transaction begins.

oslo.db begins every transaction of sqlite deferred. One that reads first and writes later then
dies at once with "database is locked" when another connection wrote in between, whatever its
timeout (https://www.sqlite.org/rescode.html#busy_snapshot), and nobody tries again.
oslo.db knows which transactions are to write: those begin IMMEDIATE, which waits for the lock;
readers stay deferred and, with a write-ahead log, never block.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy
from oslo_db.sqlalchemy import enginefacade

OPTION = "interop_writer"


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


def _begin(connection: Any) -> None:
    if (
        connection.dialect.name == "sqlite"
        and connection.get_execution_options().get(OPTION)
        and "in_transaction" not in connection.info
    ):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.info["in_transaction"] = True  # oslo.db's own listener then does nothing
