"""A family's frame in words: a few prompts aligned, what differs emptied. Nothing that only one account wrote stays."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stillwatch.features.store import read_batches

SLOT = "{…}"
SAMPLES = 6
_MAX_WORDS = 300

Ints = npt.NDArray[np.int64]


def read_prompts(files: Sequence[Path], positions: Ints) -> dict[int, str]:
    """Read system prompt and prompt of the exchanges at the given positions; those without text are absent."""
    wanted = np.sort(positions)
    found: dict[int, str] = {}
    start = 0
    for batch in read_batches(files, ("system", "prompt")):
        first, last = np.searchsorted(wanted, [start, start + batch.num_rows])
        for position in wanted[first:last]:
            row = int(position) - start
            parts = [batch.column(name)[row].as_py() for name in ("system", "prompt")]
            text = "\n".join(part for part in parts if part)
            if text:
                found[int(position)] = text
        start += batch.num_rows
        if start > (wanted[-1] if wanted.size else -1):
            break
    return found


def emptied(texts: Sequence[str]) -> str | None:
    """Return the words that all texts have in common, in order, each gap as a slot; None for less than two texts."""
    if len(texts) < 2:
        return None
    frame: list[str | None] = list(texts[0].split()[:_MAX_WORDS])
    for text in texts[1:]:
        frame = _common(frame, text.split()[:_MAX_WORDS])
    words: list[str] = []
    for word in frame:
        shown = SLOT if word is None else word
        if shown != SLOT or not words or words[-1] != SLOT:
            words.append(shown)
    return " ".join(words)


def _common(frame: list[str | None], words: list[str]) -> list[str | None]:
    matcher = SequenceMatcher(None, frame, words, autojunk=False)
    kept: list[str | None] = []
    for operation, start, stop, _, _ in matcher.get_opcodes():
        kept += frame[start:stop] if operation == "equal" else [None]
    return kept


def sample_rows(rows: Ints, account: Ints) -> Ints:
    """Choose up to SAMPLES rows, each of another account as far as there are any; deterministic."""
    _, first = np.unique(account, return_index=True)
    rest = np.setdiff1d(np.arange(rows.size), first)
    order = np.concatenate([first, rest])
    step = max(1, first.size // SAMPLES)
    chosen: Ints = rows[np.concatenate([order[: first.size : step], rest])[:SAMPLES]]
    return chosen
