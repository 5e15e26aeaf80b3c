"""The operations of the member API."""

import os
import threading
from functools import cache

from stillwatch.hub.api import tables
from stillwatch.hub.api.audit import Audit
from stillwatch.hub.api.corrections import Errata
from stillwatch.hub.api.correlations import Correlations
from stillwatch.hub.api.holder import Holder
from stillwatch.hub.api.members import Directory, hub_signer
from stillwatch.hub.api.metrics import Metrics
from stillwatch.hub.api.opinions import Views
from stillwatch.hub.api.proposals import Suggestions
from stillwatch.hub.api.sightings import Sightings
from stillwatch.hub.api.signatures import Book
from stillwatch.hub.api.tokens import Meter, Tokens
from stillwatch.hub.hub import LOG_KEY, Hub
from stillwatch.hub.operations import Operation
from stillwatch.sharing.matching import multiscalar
from stillwatch.sharing.matching.quota import Quota
from stillwatch.transparency.keys import load_signing_key


def operations(hub: Hub, quota: Quota | None = None) -> list[Operation]:
    """Return the operations of a hub, whose keys and tables are made if they are not there.

    Args:
        hub: the hub.
        quota: how many tokens members may have; None is the standard.

    Raises:
        UsageError: a key cannot be read.
    """
    signer = hub_signer(hub.log_dir.parent)
    meter = _meter(hub, quota)
    parts = (
        Directory(hub, signer),
        Book(hub, signer),
        Sightings(hub),
        Views(hub),
        Suggestions(hub),
        Errata(hub),
        Correlations(hub, meter),
    )
    return [one for part in parts for one in part.operations()] + _of_holder(hub, meter, make=True)


def holder_operations(hub: Hub, quota: Quota | None = None) -> list[Operation]:
    """Return the operations of a trustee: tokens, and its own audit log.

    Raises:
        UsageError: there is no share of a key, or it cannot be read.
    """
    return _of_holder(hub, _meter(hub, quota), make=False)


@cache
def _prepare() -> None:
    """Compile beside the start what the first proof needs."""
    threading.Thread(target=multiscalar.prepare, name="prepare").start()


def _meter(hub: Hub, quota: Quota | None) -> Meter:
    hub.storage.create(tables.METADATA)
    return Meter(hub.storage, quota or Quota())


def _of_holder(hub: Hub, meter: Meter, *, make: bool) -> list[Operation]:
    data_dir = hub.log_dir.parent
    holder = Holder(data_dir, os.environ, hub.storage.now(), make=make)
    holder.trustee()  # a file that cannot be read is told at the start
    _prepare()
    key = load_signing_key(data_dir / LOG_KEY, "hub").verifying
    parts = (Tokens(hub.storage, holder, meter), Audit(hub.storage, hub.log, hub.log_dir, key), Metrics(meter))
    return [one for part in parts for one in part.operations()]
