"""What others report of invented frames."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.detection.factories import Traffic, filled
from tests.records.indicators import indicator, write

from stillwatch.features.sketch import text_bands
from stillwatch.records.indicators import ReceivedIndicator


def bands_of(text: str) -> list[str]:
    """Return the bands of one text."""
    return [f"{int(band):016x}" for band in text_bands(None, text)[0]]


def bands_of_frame(frame: str) -> list[str]:
    """Return the bands that at least a fifth of the texts of a frame have, as a provider shares them."""
    traffic = Traffic(99)
    counts = Counter(band for _ in range(50) for band in set(bands_of(filled(traffic.rng, frame))))
    return sorted(band for band, count in counts.items() if count >= 10)


def report(frame: str, number: int = 1, **changes: Any) -> ReceivedIndicator:
    """Return what another provider shares of a frame."""
    return indicator(number, template_bands=bands_of_frame(frame), **changes)


def received(path: Path, indicators: Iterable[ReceivedIndicator]) -> Path:
    """Write a received.jsonl below a directory."""
    return write(path / "received.jsonl", indicators)
