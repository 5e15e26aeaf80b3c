"""Received indicators as tests need them."""

import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from stillwatch.records.indicators import ReceivedIndicator


def indicator_id(number: int) -> str:
    """Return the STIX id of the indicator of a number."""
    return f"indicator--{uuid.UUID(int=number, version=4)}"


def indicator(number: int = 1, **changes: Any) -> ReceivedIndicator:
    """Return an indicator of a sure member that holds from 2020 to 2090; it names no bands unless given."""
    fields: dict[str, Any] = {
        "indicator_id": indicator_id(number),
        "source": "identity--1",
        "confidence": "high",
        "valid_from": "2020-01-01T00:00:00Z",
        "valid_until": "2090-01-01T00:00:00Z",
        **changes,
    }
    return msgspec.convert(fields, ReceivedIndicator)


def write(path: Path, indicators: Iterable[ReceivedIndicator]) -> Path:
    """Write a received.jsonl as `share pull` does."""
    path.with_suffix(".new").write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in indicators))
    path.with_suffix(".new").replace(path)
    return path
