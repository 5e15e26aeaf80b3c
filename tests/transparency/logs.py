"""Small logs for tests."""

from pathlib import Path

from stillwatch.transparency.keys import SigningKey, VerifyingKey
from stillwatch.transparency.log import Log

ORIGIN = "hub.example/audit"
KEY = SigningKey(ORIGIN, b"\x07" * 32)
PUBLIC: VerifyingKey = KEY.verifying
NOW = 1_790_000_000.0


def opened(directory: Path) -> Log:
    return Log(directory, ORIGIN, KEY)


def entries(start: int, end: int) -> list[bytes]:
    return [b"entry %d" % index for index in range(start, end)]


def written(directory: Path, size: int, *, signed: bool = True) -> bytes:
    """Write a log of some size and return its checkpoint."""
    with opened(directory) as log:
        log.append(entries(log.size, size))
        return log.checkpoint(NOW) if signed else b""
