"""The prompt sketch: what detection needs of a text, without the text.

One Arrow batch in, one struct array out; a pure function of UTF-8 bytes, so that a sketch made at a gateway equals one
made at the analyst's desk, whatever carries the batches. Fields of a sketch (records.exchange.SKETCH_TYPE):

- `content_hash`, `system_hash`: the whole prompt (digits kept) and the whole system prompt (digits collapsed)
- `head_hash`, `tail_hash`: its first and last 8 words
- `words`, `chars` (bytes): lengths of system and prompt together; `cues`: bits of cues.toml
- `minhash`: 64 little-endian uint32, one-permutation MinHash over 4-word shingles of system and prompt
  (Li, Owen & Zhang 2012); an empty bin holds 0xFFFFFFFF, so that every other value is a sampled shingle of the text
- `vocabulary`: 1,024 bits, one per hashed word of the prompt
"""

import functools
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.features import kernel
from stillwatch.hashing import string_buffers
from stillwatch.records.exchange import SKETCH_TYPE

SKETCH_VERSION = 1
BANDS = 32
_ROWS_PER_BAND = kernel.BINS // BANDS

Minhash = kernel.Minhash


def sketch_texts(system: pa.Array, prompt: pa.Array) -> pa.StructArray:
    """Sketch each pair of system prompt and prompt; null where both are null.

    Both are arrays of one length, of strings, of dictionaries of strings, or all null. A system prompt that many rows
    share is looked at once.
    """
    said = _Sketches.of(prompt)
    content, _, head, tail = said.hashes.view(np.int64)
    instruction = np.full(len(prompt), _Sketches.of(pa.array([""])).hashes.view(np.int64)[1, 0])
    if system.null_count < len(system):
        distinct = system if pa.types.is_dictionary(system.type) else system.dictionary_encode()
        told, which = _Sketches.of(distinct.dictionary), np.asarray(distinct.indices.fill_null(-1))
        rows = np.flatnonzero(which >= 0)
        which = which[rows]
        instruction[rows] = told.hashes.view(np.int64)[1, which]
        said.counts[:2, rows] += told.counts[:2, which]
        said.counts[2, rows] |= told.counts[2, which]
        said.minhash[rows] = np.minimum(said.minhash[rows], told.minhash[which])
    columns = [
        pa.array(np.full(len(prompt), SKETCH_VERSION, np.int8)),
        *(pa.array(hashes) for hashes in (content, instruction, head, tail)),
        *(pa.array(column) for column in said.counts),
        _fixed_binary(said.minhash.view(np.uint8)),
        _fixed_binary(said.vocabulary),
    ]
    absent = np.asarray(system.is_null()) & np.asarray(prompt.is_null())
    return pa.StructArray.from_arrays(columns, fields=list(SKETCH_TYPE), mask=pa.array(absent))


@dataclass(frozen=True, slots=True)
class _Sketches:
    """What the kernel says of each text, see kernel.sketch_rows."""

    hashes: npt.NDArray[np.uint64]
    counts: npt.NDArray[np.int32]
    minhash: Minhash
    vocabulary: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, texts: pa.Array) -> Self:
        rows = len(texts)
        made = cls(
            hashes=np.empty((4, rows), np.uint64),
            counts=np.empty((3, rows), np.int32),
            minhash=np.full((rows, kernel.BINS), kernel.EMPTY, np.uint32),
            vocabulary=np.zeros((rows, kernel.VOCABULARY_BYTES), np.uint8),
        )
        table = load_cues().table
        kernel.sketch_rows(string_buffers(texts), table, made.hashes, made.counts, made.minhash, made.vocabulary)
        return made


def _fixed_binary(matrix: npt.NDArray[np.uint8]) -> pa.Array:
    rows, width = matrix.shape
    return pa.Array.from_buffers(pa.binary(width), rows, [None, pa.py_buffer(matrix)])


def minhash_matrix(column: pa.Array) -> Minhash:
    """Return the minhash field of sketches as a matrix (rows, 64) without copying; rows that are null are garbage."""
    return _matrix(column, kernel.BINS, np.dtype("<u4"))


def vocabulary_matrix(column: pa.Array) -> npt.NDArray[np.uint8]:
    """Return the vocabulary field of sketches as a matrix (rows, 128) of packed bits, without copying."""
    return _matrix(column, kernel.VOCABULARY_BYTES, np.dtype("u1"))


def _matrix(column: pa.Array, width: int, dtype: np.dtype) -> npt.NDArray:  # type: ignore[type-arg]
    flat = np.frombuffer(column.buffers()[1] or b"", dtype)
    return flat.reshape(-1, width)[column.offset : column.offset + len(column)]


def similarity(left: Minhash, right: Minhash) -> npt.NDArray[np.float64]:
    """Estimate the Jaccard similarity of shingle sets from two minhash matrices of one shape (n, 64), row by row."""
    empty = (left == kernel.EMPTY) & (right == kernel.EMPTY)
    same = ((left == right) & ~empty).sum(axis=1)
    estimate: npt.NDArray[np.float64] = same / np.maximum(1, kernel.BINS - empty.sum(axis=1))
    return estimate


def bands(minhash: Minhash) -> npt.NDArray[np.uint64]:
    """Return the LSH band hashes (n, 32) of a minhash matrix (n, 64).

    Two texts of similarity s meet in a band with probability s², so in one of 32 with 1 - (1 - s²)^32. An empty bin
    borrows the next filled one (densification by rotation, Shrivastava & Li 2014), so that texts of fewer than about
    100 words, which leave bins empty, meet more often than that. Texts without words share bands.
    """
    filled = minhash != kernel.EMPTY
    dense = minhash.astype(np.uint64)
    for shift in range(1, kernel.BINS):
        missing = ~filled
        if not missing.any():
            break
        borrowed = np.roll(minhash, -shift, axis=1)
        usable = missing & (borrowed != kernel.EMPTY)
        dense[usable] = borrowed[usable].astype(np.uint64) + (np.uint64(shift) << np.uint64(32))
        filled |= usable
    pairs = dense.reshape(-1, BANDS, _ROWS_PER_BAND)
    number = np.arange(1, BANDS + 1, dtype=np.uint64)
    joined = pairs[:, :, 0] * np.uint64(0x9E3779B97F4A7C15) + pairs[:, :, 1] * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (joined ^ (joined >> np.uint64(29))) * np.uint64(0x94D049BB133111EB) + number
    hashed: npt.NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(32))
    return hashed


def text_bands(system: str | None, prompt: str) -> tuple[npt.NDArray[np.uint64], int]:
    """Return the bands (32) of one text, equal to those of `bands` on its sketch, and the hash of its first words."""
    made = np.empty(BANDS, np.uint64)
    return made, int(kernel.band_text(_utf8(prompt), _utf8(system or ""), made))


def _utf8(text: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)


class Cues:
    """The phrases that hint at a harvest, by name; bit i of a sketch's `cues` stands for the i-th name."""

    def __init__(self, phrases: dict[str, list[str]]) -> None:
        self.names = tuple(phrases)
        bits: dict[int, int] = {}
        gate = np.zeros(kernel.CUE_SLOTS, np.bool_)
        for bit, name in enumerate(self.names):
            for key, last in map(_phrase, phrases[name]):
                bits[key] = bits.get(key, 0) | 1 << bit
                gate[last % kernel.CUE_SLOTS] = True
        keys = np.array(sorted(bits), np.uint64)
        masks = np.array([bits[key] for key in sorted(bits)], np.int32)
        self.table: kernel.CueTable = (gate, keys, masks)


@functools.cache
def load_cues() -> Cues:
    """Load the phrase list that ships with the package (cues.toml)."""
    text = resources.files("stillwatch.features").joinpath("cues.toml").read_text(encoding="utf-8")
    return Cues({name: table["phrases"] for name, table in tomllib.loads(text).items()})


def _phrase(text: str) -> tuple[int, int]:
    words, _, sequence = kernel.hash_text(np.frombuffer(text.encode(), np.uint8))
    if not 1 <= words.size <= kernel.CUE_WORDS:
        message = f"cue phrase {text!r} has {words.size} words; 1 to {kernel.CUE_WORDS} are possible"
        raise ValueError(message)
    return int(sequence), int(words[-1])
