"""The closed vocabularies of shared objects: what has no word here cannot be said in a structured field.

Facts come as bands on a logarithmic scale, because exact numbers of a competitor's traffic are nobody's business. No
vocabulary has a word for an action, a threshold or a vote; `schemas/*.json` repeat these lists and a test compares.
"""

from bisect import bisect_right
from typing import Literal, get_args

Band = Literal["1-9", "10-99", "100-999", "1000-9999", "10000-99999", "100000-999999", "1000000+"]
Lifetime = Literal["under-1-hour", "under-1-day", "under-1-week", "under-1-month", "under-1-year", "1-year-or-more"]
Synchrony = Literal["low", "moderate", "high"]
Capability = Literal["reasoning", "agentic-coding", "multimodal", "general"]
Explanation = Literal[
    "one-customer",
    "agency",
    "family-or-reseller",
    "shared-address",
    "public-list",
    "public-template",
    "fashion",
    "new-topic",
    "trial",
    "authorised-use",
]
Circumvention = Literal[
    "false-identity",
    "stolen-credential",
    "unauthorised-payment",
    "geographic-evasion",
    "ownership-evasion",
    "safeguard-bypass",
    "reasoning-replay",
    "control-defeat",
]
TokenKind = Literal["email", "payment", "phone", "device", "ip", "network"]
ConfidenceWord = Literal["low", "moderate", "high"]
OpinionWord = Literal["strongly-disagree", "disagree", "neutral", "agree", "strongly-agree"]

BANDS: tuple[Band, ...] = get_args(Band)
LIFETIMES: tuple[Lifetime, ...] = get_args(Lifetime)
CONFIDENCE: dict[ConfidenceWord, int] = {"low": 15, "moderate": 50, "high": 85}
"""STIX 2.1, appendix A, scale "None / Low / Med / High": the middle of each range of 1-29, 30-69, 70-100."""

_DAY = 86_400
_LIFETIME_ENDS = (3_600, _DAY, 7 * _DAY, 30 * _DAY, 365 * _DAY)


def band_of(count: int) -> Band:
    """Return the band that a count of one or more falls into.

    Raises:
        ValueError: the count is below one; what was not seen is not reported as a band.
    """
    if count < 1:
        raise ValueError("a band counts from one")
    return BANDS[min(len(str(count)), len(BANDS)) - 1]


def least(band: Band) -> int:
    """Return the smallest count of a band, which stands for it where STIX wants an integer."""
    return int(10 ** BANDS.index(band))


def lifetime_of(seconds: float) -> Lifetime:
    """Return the band of a duration in seconds."""
    return LIFETIMES[bisect_right(_LIFETIME_ENDS, seconds)]


def confidence_word(value: int | None) -> ConfidenceWord | None:
    """Return the word for a STIX confidence of 0-100; None where none is stated (absent or 0)."""
    if not value:
        return None
    return "low" if value < 30 else "moderate" if value < 70 else "high"
