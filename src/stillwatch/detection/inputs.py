"""What a run is asked to look at, and the files beside the logs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.features.templates import text_tokens
from stillwatch.records.accounts import read_accounts
from stillwatch.records.indicators import ReceivedIndicator, load_indicators
from stillwatch.records.public_templates import load_public_templates
from stillwatch.records.registry import RegistryEntry, Release, load_registry, load_releases


@dataclass(frozen=True, slots=True)
class DetectRequest:
    """What to look at, and how. Field names are the options of `stillwatch detect` (contract: cli.md)."""

    logs: Sequence[Path]
    out: Path
    history: Sequence[Path] = ()
    accounts: Path | None = None
    registry: Path | None = None
    public_templates: Path | None = None
    releases: Path | None = None
    received: Path | None = None
    log_format: str = "auto"
    fpr: float = 0.001
    memory: str | None = None
    seed: int = 0
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Beside:
    """What is known beside the logs.

    Attributes:
        accounts: account records (ACCOUNT_SCHEMA), None where none were given.
        public: tokens of the public templates, ascending.
        received: what others shared, also what has lapsed.
    """

    accounts: pa.Table | None
    registry: tuple[RegistryEntry, ...]
    releases: tuple[Release, ...]
    public: npt.NDArray[np.uint64]
    received: tuple[ReceivedIndicator, ...]


def read_beside(request: DetectRequest) -> Beside:
    """Read the files beside the logs.

    Raises:
        UsageError: one of them is absent or wrong; says where.
    """
    templates = load_public_templates(request.public_templates) if request.public_templates else ()
    return Beside(
        accounts=read_accounts(request.accounts) if request.accounts else None,
        registry=load_registry(request.registry) if request.registry else (),
        releases=load_releases(request.releases) if request.releases else (),
        public=text_tokens([segment for template in templates for segment in _segments(template.text)]),
        received=load_indicators(request.received) if request.received else (),
    )


def _segments(template: str) -> list[str]:
    """Split a template at its {slots}: shingles that reach over a slot never occur."""
    segments, depth, start = [], 0, 0
    for position, character in enumerate(template):
        if character == "{":
            if depth == 0:
                segments.append(template[start:position])
            depth += 1
        elif character == "}" and depth:
            depth -= 1
            start = position + 1
    return [*segments, template[start:]]
