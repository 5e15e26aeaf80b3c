"""One hub a database: two would keep two audit logs of the same leaves."""

from types import TracebackType
from typing import Self

from sqlalchemy import Connection, text
from sqlalchemy.exc import InterfaceError, OperationalError

from stillwatch.errors import UsageError
from stillwatch.hub.storage.storage import Storage, told_apart

_LOCK = 0x5357_4855_4202
"""Number of the advisory lock that a running hub holds."""
_KEEPALIVE = (
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
)
"""A hub whose machine is gone is missed after 25 s, and not after two hours."""


class Hold:
    """Holds PostgreSQL for one hub by a session of its own; a file of SQLite is held with its directory."""

    def __init__(self, storage: Storage) -> None:
        self._engine = storage.engine
        self._session: Connection | None = None

    def check(self) -> None:
        """Take the database, or see that it is held still; a session that was lost is begun again.

        Raises:
            UsageError: another hub has it.
            StoreUnavailableError: the database is lost.
        """
        if self._engine.dialect.name != "postgresql":
            return
        with told_apart():
            if not self._lives():
                self._begin()

    def close(self) -> None:
        """Let it go."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def __enter__(self) -> Self:
        self.check()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _lives(self) -> bool:
        if self._session is None:
            return False
        try:
            self._session.execute(text("SELECT 1"))
        except (OperationalError, InterfaceError):
            self.close()
            return False
        return True

    def _begin(self) -> None:
        session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        session.detach()  # so that to close it ends the session, and the lock with it
        try:
            for setting in _KEEPALIVE:
                session.execute(text(setting))
            held = session.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}).scalar_one()
        except BaseException:
            session.close()
            raise
        if not held:
            session.close()
            hint = "one hub a database; one whose machine was lost is missed after half a minute"
            raise UsageError("another hub uses this database", hint=hint)
        self._session = session
