"""Moments as the findings write them."""

from datetime import UTC, datetime


def rfc3339(moment_us: int) -> str:
    """Return a moment (µs since 1970 UTC) as RFC 3339, to the second."""
    return datetime.fromtimestamp(moment_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
