"""How values become text on a page: numbers, chances, times, and text of strangers made harmless to read."""

import math
import re
from datetime import UTC, datetime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LARGE = ((" billion", 1e9), (" million", 1e6), ("", 1.0))
_MISLEADING = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, without tab and line feed
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # invisible, direction
    "\ud800-\udfff"  # lone surrogates cannot be encoded
    "\U000e0000-\U000e01ef"  # tags and variation selectors, which can hide text
    "]"
)


def neutralise(text: str) -> str:
    """Replace characters that a reader cannot see or that reorder the text by their code, such as ⟨U+202E⟩.

    Tab and line feed stay. The result is unchanged by a second pass.
    """
    return _MISLEADING.sub(lambda match: f"⟨U+{ord(match.group()):04X}⟩", text.replace("\r\n", "\n"))


def shorten(text: str, limit: int) -> str:
    """Return `text`, neutralised, on one line, its middle cut out where it is longer than `limit` characters."""
    line = " ".join(neutralise(text).split())
    if len(line) <= limit:
        return line
    tail = (limit - 1) // 2
    return f"{line[: limit - 1 - tail]}…{line[-tail:]}"


def clip(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text` and say how many were left out."""
    return text if len(text) <= limit else f"{text[:limit]} … ({len(text) - limit:,} more characters)"


def count(number: int) -> str:
    """Format a whole number with separators."""
    return f"{number:,}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Format a number with its noun: 1 account, 2 accounts."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def signed_bits(bits: float) -> str:
    """Format bits with their sign and one decimal, with a real minus."""
    return f"{bits:+.1f}".replace("-", MINUS)


def percent(share: float) -> str:
    """Format a share 0..1 as a percentage of at least two significant digits."""
    value = 100 * share
    if value == 0 or value >= 10:
        return f"{value:.0f}%"
    return f"{value:.{max(0, 1 - math.floor(math.log10(value)))}f}%"


def p_value(value: float | None) -> str:
    """Format a p-value; below 0.001 as a power of ten."""
    if value is None:
        return "not assessable"
    if value <= 0:
        return "0"
    if value >= 0.001:
        return f"{value:.2g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa} {TIMES} 10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def chance(value: float) -> str:
    """Format a probability above 0 as "1 in 83,000" or "1 in 3.1 million", two significant digits."""
    times = 1 / value
    if times < 1.5:
        return "more likely than not"
    digits = math.floor(math.log10(times))
    if digits >= 12:
        return f"1 in 10{str(digits).translate(_SUPERSCRIPT)}"
    rounded = round(times, 1 - digits)
    name, unit = next((name, unit) for name, unit in _LARGE if rounded >= unit)
    return f"1 in {rounded / unit:,.10g}{name}"


def parse_instant(text: str) -> datetime:
    """Parse RFC 3339 into UTC; raises ValueError where the zone is missing."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"timestamp without zone: {text!r}")
    return instant.astimezone(UTC)


def day(instant: datetime) -> str:
    """Format as 9 May 2026."""
    return f"{instant.day} {_MONTHS[instant.month - 1]} {instant.year}"


def moment(instant: datetime) -> str:
    """Format as 9 May 2026, 14:05 UTC."""
    return f"{day(instant)}, {instant:%H:%M} UTC"


def short_moment(instant: datetime, *, with_hour: bool) -> str:
    """Format for an axis: 9 May, or 9 May 14:00."""
    label = f"{instant.day} {_MONTHS[instant.month - 1]}"
    return f"{label} {instant:%H:%M}" if with_hour else label
