from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from tests.detection import factories
from tests.detection.factories import FRAME, START, Row, Traffic, casefile, filled, numbers_only, population, write_log

from stillwatch.detection.campaigns.build import Built, build_campaigns, judge_families
from stillwatch.detection.campaigns.identity import KnownCampaigns
from stillwatch.detection.campaigns.pictures import HOUR_US, add_pictures, bucket_us
from stillwatch.detection.findings.model import Campaign
from stillwatch.detection.population import Population

START_US = int(START.timestamp() * 1e6)


@dataclass
class Found:
    people: Population
    built: list[Built]
    log: Path


def find(tmp_path: Path, rows: list[Row]) -> Found:
    people = population(tmp_path, rows)
    case = casefile(people)
    built = build_campaigns(case, judge_families(case), [], KnownCampaigns(tmp_path))
    return Found(people, built, tmp_path / "log.parquet")


def rows_of(accounts: int = 8) -> list[Row]:
    traffic = Traffic(1)
    traffic.together([f"pool-{number}" for number in range(accounts)], FRAME, each=5)
    return traffic.rows


def whole(found: Found) -> pa.Table:
    width = bucket_us(found.people)
    buckets, count = np.unique(found.people.store.ts_us // width * width, return_counts=True)
    return pa.table({"bucket_start_us": buckets, "exchanges": count})


def picture(found: Found, files: list[Path]) -> Campaign:
    (campaign,) = add_pictures(found.built, found.people, whole(found), files)
    return campaign


def test_frames_are_worded_and_the_timeline_adds_up(tmp_path: Path) -> None:
    found = find(tmp_path, rows_of())
    campaign = picture(found, [found.log])
    assert campaign.templates[0].text == filled_frame()
    assert sum(point.campaign for point in campaign.timeline) == campaign.exchanges == 40
    assert all(point.campaign <= point.population for point in campaign.timeline)


def filled_frame() -> str:
    return FRAME.replace("{slot}", "{…}")


def test_text_of_one_account_alone_is_not_shown(tmp_path: Path) -> None:
    """Where all but one account come as sketches, what its prompts have in common are its own words."""
    rows = rows_of(accounts=4)
    found = find(tmp_path, rows)
    for name in {row["account_id"] for row in rows}:
        alone = [row if row["account_id"] == name else row | {"prompt": None} for row in rows]
        assert picture(found, [write_log(tmp_path / "alone.parquet", alone)]).templates[0].text is None


def test_a_log_without_text_gives_frames_without_words(tmp_path: Path) -> None:
    found = find(tmp_path, rows_of())
    empty = write_log(tmp_path / "none.parquet", [row | {"prompt": None} for row in rows_of()])
    assert picture(found, [empty]).templates[0].text is None


def test_the_words_do_not_depend_on_the_order_of_the_log(tmp_path: Path) -> None:
    rows = rows_of()
    for row in rows:
        row["prompt"] = filled(factories.random.Random(row["exchange_id"]), FRAME, item=3)
    one, other = find(tmp_path / "a", rows), find(tmp_path / "b", rows[::-1])
    assert picture(one, [one.log]).templates == picture(other, [other.log]).templates


def test_buckets_are_whole_hours_and_at_most_96() -> None:
    for hours in (1, 5, 96, 97, 24 * 365):
        people = numbers_only(["a"], first_us=[START_US], last_us=[START_US + hours * HOUR_US])
        width = bucket_us(people)
        assert width % HOUR_US == 0
        assert hours * HOUR_US <= 96 * width
    assert bucket_us(numbers_only([])) == HOUR_US
