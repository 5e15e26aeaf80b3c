"""What a person needs to see of a campaign: its course over time, and its frames in words."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detection.campaigns.build import Built
from stillwatch.detection.campaigns.families import FamilyFacts
from stillwatch.detection.campaigns.texts import emptied, read_prompts, sample_rows
from stillwatch.detection.findings.model import Campaign, DailyCount
from stillwatch.detection.moments import rfc3339
from stillwatch.detection.population import Population

Ints = npt.NDArray[np.int64]

HOUR_US = 3_600_000_000
_MAX_BUCKETS = 96
_WORDED_FAMILIES = 5


def bucket_us(population: Population) -> int:
    """Return a bucket width (µs, whole hours) that cuts the window into at most 96 pieces."""
    if not len(population):
        return HOUR_US
    span = int(population.ints("last_us").max() - population.ints("first_us").min())
    return HOUR_US * max(1, -(-span // (HOUR_US * _MAX_BUCKETS)))


def add_pictures(
    built: list[Built], population: Population, traffic: pa.Table, files: Sequence[Path]
) -> list[Campaign]:
    """Return the campaigns with timelines and worded frames.

    Args:
        built: campaigns with the rows that they are made of.
        population: the window.
        traffic: features.window.window_counts in buckets of `bucket_us(population)`.
        files: the window's dataset, from which sample prompts are read; sketches alone give frames without words.
    """
    samples = {id(family): _sample(population, family) for one in built for family in _worded(one)}
    positions = [position for sample in samples.values() for position in sample]
    prompts = read_prompts(files, np.array(positions, np.int64))
    campaigns = []
    for one in built:
        texts = [_words(prompts, samples.get(id(family), {})) for family in one.families]
        templates = [
            msgspec.structs.replace(template, text=text)
            for template, text in zip(one.campaign.templates, texts, strict=True)
        ]
        timeline = _timeline(population, one.rows, traffic, bucket_us(population))
        campaigns.append(msgspec.structs.replace(one.campaign, templates=templates, timeline=timeline))
    return campaigns


def _worded(one: Built) -> list[FamilyFacts]:
    return one.families[:_WORDED_FAMILIES]


def _sample(population: Population, family: FamilyFacts) -> dict[int, int]:
    """Choose exchanges of a family, whatever the order of the log: position to account."""
    store = population.store
    rows = family.rows[np.lexsort((store.content[family.rows], store.ts_us[family.rows]))]
    chosen = sample_rows(rows, population.row_account[rows])
    return dict(zip(store.position[chosen].tolist(), population.row_account[chosen].tolist(), strict=True))


def _words(prompts: dict[int, str], sample: dict[int, int]) -> str | None:
    """Return the frame in words, None where fewer than two accounts' text is there: one's own words are not shown."""
    there = [position for position in sample if position in prompts]
    if len({sample[position] for position in there}) < 2:
        return None
    return emptied([prompts[position] for position in there])


def _timeline(population: Population, rows: Ints, traffic: pa.Table, width: int) -> list[DailyCount]:
    starts = np.asarray(traffic.column("bucket_start_us"))
    place = np.searchsorted(starts, population.store.ts_us[rows] // width * width)
    own = np.bincount(place, minlength=starts.size)
    everyone = np.asarray(traffic.column("exchanges"))
    return [
        DailyCount(start=rfc3339(int(start)), campaign=int(campaign), population=int(total))
        for start, campaign, total in zip(starts, own, everyone, strict=True)
    ]
