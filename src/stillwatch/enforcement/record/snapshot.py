"""What is in memory and would be missed after a restart: what accounts owe of their limits, and births of handles."""

from pathlib import Path

import msgspec

from stillwatch.enforcement.state.counters import Counters
from stillwatch.enforcement.state.handles import Birth, Handles
from stillwatch.errors import UsageError

VERSION = 1


class _Snapshot(msgspec.Struct):
    version: int
    owed: dict[str, dict[str, float]]
    births: list[tuple[bytes, tuple[str, str | None, str | None]]]


def pack(counters: Counters, handles: Handles) -> bytes:
    """Return a snapshot, for `files.replace_file`."""
    return msgspec.msgpack.encode(_Snapshot(VERSION, counters.dump(), handles.dump()))  # type: ignore[arg-type]


def restore(path: Path, counters: Counters, handles: Handles) -> None:
    """Take over a snapshot, if there is one.

    Raises:
        UsageError: the file is none of ours.
    """
    try:
        held = msgspec.msgpack.decode(path.read_bytes(), type=_Snapshot)
    except FileNotFoundError:
        return
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(
            f"{path} is no snapshot of this program: {error}", hint="move it away to start without"
        ) from error
    if held.version == VERSION:
        counters.load(held.owed)
        handles.load([(key, Birth(*birth)) for key, birth in held.births])
