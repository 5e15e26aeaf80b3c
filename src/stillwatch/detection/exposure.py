"""What a campaign took away, as counts of exchanges, tokens and capabilities (no money, no model values)."""

import numpy as np
import numpy.typing as npt

from stillwatch.detection.findings.model import Exposure
from stillwatch.features.store import SketchStore

Ints = npt.NDArray[np.int64]


def exposure_of(store: SketchStore, rows: Ints, capabilities: list[str]) -> Exposure:
    """Count what the given rows of the store gave away."""
    return Exposure(
        exchanges=int(rows.size),
        output_tokens=_total(store.output_tokens[rows]),
        reasoning_tokens=_total(store.reasoning_tokens[rows]),
        distinct_prompts=int(np.unique(store.content[rows]).size),
        capabilities=capabilities,
    )


def _total(tokens: npt.NDArray[np.int32]) -> int | None:
    known = tokens[tokens >= 0]
    return int(known.sum(dtype=np.int64)) if known.size else None
