"""Moments as the hub keeps them, microseconds since 1970, and as TAXII and STIX write them."""

import re
import time
from calendar import timegm

_RFC3339 = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,30}))?(?:[Zz]|([+-])(\d{2}):(\d{2}))", re.ASCII
)


def version_text(microseconds: int) -> str:
    """Return a version as RFC 3339: three decimals, as STIX wants, unless it has more."""
    text = added_text(microseconds)
    return f"{text[:-4]}Z" if text.endswith("000Z") else text


def added_text(seq: int) -> str:
    """Return when an object was added: RFC 3339 with six decimals."""
    whole, part = divmod(seq, 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{part:06d}Z"


def parse_moment(text: str) -> int | None:
    """Return the microseconds since 1970 that an RFC 3339 text stands for; None where it is none.

    Decimals beyond the sixth are cut. Years before 1970 are refused.
    """
    moment = any_moment(text)
    return moment if moment is not None and moment >= 0 and not text.startswith("1969") else None


def any_moment(text: str) -> int | None:
    """Return what `parse_moment` does, and for years from 1 to 1969 a negative number."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(match[group]) for group in range(1, 7))
    if not _holds(year, month, day, hour, minute, second):
        return None
    seconds = timegm(
        (year, month, day, hour, minute, min(second, 59))
    )  # STIX allows :60, and no reader has a place for it
    if match[8]:
        hours, minutes = int(match[9]), int(match[10])
        if hours > 23 or minutes > 59:
            return None
        seconds -= (hours * 3600 + minutes * 60) * (1 if match[8] == "+" else -1)
    return seconds * 1_000_000 + int((match[7] or "0")[:6].ljust(6, "0"))


def _holds(year: int, month: int, day: int, hour: int, minute: int, second: int) -> bool:
    if not (year >= 1 and 1 <= month <= 12 and day >= 1 and hour <= 23 and minute <= 59 and second <= 60):
        return False
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return day <= days[month - 1]
