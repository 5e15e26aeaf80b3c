"""Carries audit leaves from the database into the transparency log, and signs the log every few seconds.

A leaf is written in the transaction of what it records, so nothing is acknowledged that the log will not have. The
number of a leaf is its index in the log: after a crash the publisher goes on where the log ends.
"""

import logging
import threading

from sqlalchemy import func, select

from stillwatch.errors import PolicyRefusedError, StillwatchError
from stillwatch.hub import statuses
from stillwatch.hub.storage import schema
from stillwatch.hub.storage.hold import Hold
from stillwatch.hub.storage.storage import Storage
from stillwatch.transparency.log import Log

EVERY_S = 2.0
_AT_ONCE = 2000
_log = logging.getLogger(__name__)


class Publisher:
    """Publishes the leaves of one hub into one log.

    Args:
        storage: where the leaves are.
        log: where they go.
        hold: `run` publishes only while the database is held by it.

    Raises:
        PolicyRefusedError: log and database do not belong together, or one of them was set back.
    """

    def __init__(self, storage: Storage, log: Log, hold: Hold | None = None) -> None:
        self._storage, self._log, self._hold = storage, log, hold
        self._signed = -1
        self._ended = threading.Event()
        self._check()

    def publish(self) -> int:
        """Bring the log up to date and sign it; return how many leaves were new."""
        begun = self._log.size
        while True:
            with self._storage.reading() as db:
                query = select(schema.leaf.c.data).where(schema.leaf.c.number >= self._log.size)
                found = [bytes(data) for data in db.scalars(query.order_by(schema.leaf.c.number).limit(_AT_ONCE))]
            if not found:
                break
            self._log.append(found)
        if self._log.size != self._signed:
            self._log.checkpoint(self._storage.now())
            self._signed = self._log.size
        return self._log.size - begun

    def run(self) -> None:
        """Publish every few seconds until `end`; a lost database is waited for."""
        forgotten = 0.0
        while True:
            try:
                if self._hold is not None:
                    self._hold.check()
                self.publish()
                if self._storage.now() - forgotten > 3600:
                    forgotten = self._storage.now()
                    with self._storage.writing() as db:
                        statuses.forget(db, forgotten)
            except (StillwatchError, OSError) as error:
                _log.warning("the audit log waits: %s", getattr(error, "message", type(error).__name__))
            if self._ended.wait(EVERY_S):
                return

    def end(self) -> None:
        """Let `run` return."""
        self._ended.set()

    def _check(self) -> None:
        with self._storage.reading() as db:
            held = db.scalar(select(func.max(schema.leaf.c.number)))
            size = self._log.size
            last = db.scalar(select(schema.leaf.c.data).where(schema.leaf.c.number == size - 1))
        if size and (held is None or last is None or bytes(last) != self._log.entry(size - 1)):
            raise PolicyRefusedError(
                f"the audit log has {size} entries that the database does not have",
                hint="database and data directory belong together; was one of them set back?",
            )
