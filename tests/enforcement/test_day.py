"""A day of decisions in hourly segments: the record verifies, and no byte of it can be changed unseen."""

import random
import shutil
from pathlib import Path

import pytest
from tests.enforcement.factories import NOW, standing

from stillwatch.enforcement.model import DecideRequest
from stillwatch.enforcement.policy.load import standard_policy
from stillwatch.enforcement.record.ledger import verify
from stillwatch.enforcement.service import Service, Setup
from stillwatch.errors import InputRejectedError

HOURS, PER_HOUR = 24, 400
ACTIONS = ("watch", "throttle", "challenge", "degrade", "block")


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    now = [NOW - NOW % 86_400]
    directory = tmp_path_factory.mktemp("day")
    service = Service(Setup(data_dir=directory, policy=standard_policy(), mode="enforce"), lambda: now[0])
    for action in ACTIONS:
        service.decider.standings.put(action, standing(action, until_s=NOW + 10 * 86_400, set_s=NOW - 86_400))
    for hour in range(HOURS):
        for number in range(PER_HOUR):
            service.decide(DecideRequest(account_id=ACTIONS[number % len(ACTIONS)], prompt="p"), "native")
            now[0] += 3600 / PER_HOUR
        service.tick()
        assert verify(directory / "decisions").lines == (hour + 1) * PER_HOUR
    service.close()
    return directory / "decisions"


def test_a_day_is_kept_hour_by_hour_and_verifies(day: Path) -> None:
    assert len(list(day.glob("*.jsonl"))) == HOURS
    assert verify(day).lines == HOURS * PER_HOUR


@pytest.mark.parametrize("seed", range(25))
def test_one_byte_changed_is_found_where_it_is(day: Path, tmp_path: Path, seed: int) -> None:
    shutil.copytree(day, tmp_path / "copy")
    chance = random.Random(seed)
    path = chance.choice(sorted((tmp_path / "copy").iterdir()))
    data = bytearray(path.read_bytes())
    at = chance.randrange(len(data))
    data[at] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    line = data[:at].count(b"\n") + 1
    with pytest.raises(InputRejectedError) as told:
        verify(tmp_path / "copy")
    assert told.value.where is not None
    assert (told.value.where.file, told.value.where.line) == (str(path), line)


@pytest.mark.parametrize("cut", [0, 7, HOURS - 2])
def test_an_hour_taken_out_is_found(day: Path, tmp_path: Path, cut: int) -> None:
    shutil.copytree(day, tmp_path / "copy")
    sorted((tmp_path / "copy").iterdir())[cut].unlink()
    with pytest.raises(InputRejectedError, match="breaks here"):
        verify(tmp_path / "copy")
