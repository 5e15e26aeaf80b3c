"""What every part of a hub works with."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.engine import URL

from stillwatch.data_dir import make_data_dir
from stillwatch.errors import UsageError
from stillwatch.hub.collections import make_collections
from stillwatch.hub.intake import Intake
from stillwatch.hub.members import HUB, add_member, find_member
from stillwatch.hub.storage.engine import sqlite_url
from stillwatch.hub.storage.storage import Clock, Storage
from stillwatch.sharing.objects.validate import ObjectValidator
from stillwatch.transparency.keys import keep_verifying_key, load_signing_key
from stillwatch.transparency.log import Log

LOG, LOG_KEY = "log", "log.key"
"""Directory of the audit log and file of its key, below the data directory."""


class Limits(NamedTuple):
    """What is taken and given at once: bytes of a body, objects of a page."""

    body: int = 10 * 2**20
    page: int = 1000


class Hub(NamedTuple):
    """One hub.

    Attributes:
        log: the audit log; `Publisher` appends to it.
        log_dir: where the log's tiles and its checkpoint are.
        root: name of the API root, as it stands in URLs.
        title: what the hub calls itself.
    """

    storage: Storage
    intake: Intake
    log: Log
    log_dir: Path
    root: str = "exchange"
    title: str = "stillwatch hub"
    limits: Limits = Limits()


def check_hub(data_dir: Path, url: str | URL | None = None) -> None:
    """Check that a hub's data is there already.

    Raises:
        UsageError: there is no hub.
    """
    database = data_dir if url is not None else Path(str(sqlite_url(data_dir).database))
    if not database.exists():
        raise UsageError(f"there is no hub in {data_dir}", hint="the --data-dir of stillwatch hub serve")


@contextmanager
def open_storage(data_dir: Path, url: str | URL | None = None, clock: Clock = time.time) -> Iterator[Storage]:
    """Yield the data of a hub, made and furnished if it is new.

    Args:
        data_dir: the hub's directory, made if it is not there.
        url: a database; None for the one below the directory.
        clock: the time (Unix seconds).
    """
    make_data_dir(data_dir)
    with closing(Storage(sqlite_url(data_dir) if url is None else url, clock)) as storage:
        with storage.writing() as db:
            make_collections(db)
            if find_member(db, HUB) is None:
                add_member(db, HUB, "steward", storage.now())
        yield storage


@contextmanager
def open_hub(
    data_dir: Path,
    url: str | URL | None = None,
    clock: Clock = time.time,
    *,
    root: str = "exchange",
    limits: Limits | None = None,
) -> Iterator[Hub]:
    """Yield a hub with its data and its audit log; see `open_storage`."""
    with open_storage(data_dir, url, clock) as storage:
        origin = f"stillwatch-hub/{storage.secret('origin').hex()[:16]}"
        key = load_signing_key(data_dir / LOG_KEY, origin)
        keep_verifying_key(data_dir / LOG, key)
        with Log(data_dir / LOG, origin, key) as log:
            intake = Intake(storage, _validator())
            yield Hub(storage, intake, log, data_dir / LOG, root, limits=limits or Limits())


@cache
def _validator() -> ObjectValidator:
    return ObjectValidator()  # reading its schemas takes longer than opening a hub
