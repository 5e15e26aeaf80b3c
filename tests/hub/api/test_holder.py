import json
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.hub.api.worlds import DAY, NOW

from stillwatch.errors import UsageError
from stillwatch.hub.api.holder import AHEAD_S, LASTS_S, Holder, split
from stillwatch.sharing.matching.key_ring import load_ring, save_ring
from stillwatch.sharing.matching.keys import generate, sum_of_public_keys

KEY = generate()
DATE = time.strftime("%Y-%m-%d", time.gmtime(NOW))


def numbers(ids: Iterable[str]) -> list[str]:
    """Return what stands behind the day in the names of epochs."""
    return [one.rpartition(".")[2] for one in ids]


def given(**more: str) -> dict[str, str]:
    return {"STILLWATCH_HUB_OPRF_KEY": KEY.secret_hex()} | more


def test_a_ring_is_made_once_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    keys = [Holder(tmp_path, {}, NOW).published(NOW) for _ in range(2)]
    assert keys[0] == keys[1]
    assert (tmp_path / "oprf-ring.json").stat().st_mode & 0o777 == 0o600
    (epoch,) = keys[0]
    assert (epoch.id, epoch.valid_to - epoch.valid_from) == (f"{DATE}.1", LASTS_S)


def test_the_next_epoch_is_there_before_the_last_one_ends_and_dead_keys_are_forgotten(tmp_path: Path) -> None:
    holder = Holder(tmp_path, {}, NOW)
    assert len(holder.published(NOW + LASTS_S - AHEAD_S - DAY)) == 1
    ids = [one.id for one in holder.published(NOW + LASTS_S - AHEAD_S + DAY)]
    assert numbers(ids) == ["1", "2"]
    assert ids == [one.id for one in Holder(tmp_path, {}, NOW).published(NOW)]
    assert numbers(one.id for one in holder.published(NOW + 2 * LASTS_S - DAY)) == ["2", "3"]
    assert holder.published(NOW + 9 * LASTS_S)[-1].id.endswith(".10")


def test_epochs_of_other_names_go_on_with_the_highest_number(tmp_path: Path) -> None:
    Holder(tmp_path, {}, NOW)
    path = tmp_path / "oprf-ring.json"
    save_ring(load_ring(path).rotated("spring", 40 * 86_400).rotated("7", 1).rotated("summer", 1), path)
    ids = [one.id for one in Holder(tmp_path, {}, NOW).published(NOW + LASTS_S + 20 * DAY)]
    assert numbers(ids) == ["spring", "7", "summer", "8"]


def test_a_key_of_the_environment_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    (epoch,) = Holder(tmp_path, given(), NOW).published(NOW + 10 * LASTS_S)
    assert (epoch.id, list(epoch.public_keys)) == ("1", [KEY.public_hex])
    (other,) = Holder(tmp_path, given(STILLWATCH_HUB_OPRF_EPOCH="2026-11"), NOW).published(NOW)
    assert other.id == "2026-11"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "environment",
    [{"STILLWATCH_HUB_OPRF_KEY": "00" * 32}, {"STILLWATCH_HUB_OPRF_KEY": "x"}, given(STILLWATCH_HUB_OPRF_EPOCH="A B")],
)
def test_a_wrong_key_is_told_without_the_key(tmp_path: Path, environment: dict[str, str]) -> None:
    with pytest.raises(UsageError) as told:
        Holder(tmp_path, environment, NOW)
    assert KEY.secret_hex() not in str(told.value)


def test_two_shares_add_up_to_the_key_that_was_split(tmp_path: Path) -> None:
    hub, trustee = tmp_path / "hub", tmp_path / "trustee"
    hub.mkdir()
    (before,) = Holder(hub, {}, NOW).published(NOW)
    (told,) = split(hub, trustee, "https://trustee.example")
    (mine,), (theirs,) = Holder(hub, {}, NOW).published(NOW), Holder(trustee, {}, NOW, make=False).published(NOW)
    assert list(mine.public_keys) == list(told.public_keys)
    assert mine.public_keys[1:] == theirs.public_keys
    one, other = (bytes.fromhex(text) for text in mine.public_keys)
    assert sum_of_public_keys(one, other).hex() == before.public_keys[0]
    assert (trustee / "oprf-ring.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="split already"):
        split(hub, tmp_path / "other", None)


def test_both_holders_name_and_time_their_next_epochs_alike(tmp_path: Path) -> None:
    hub, trustee = tmp_path / "hub", tmp_path / "trustee"
    hub.mkdir()
    Holder(hub, {}, NOW)
    split(hub, trustee, None)
    later = NOW + LASTS_S - DAY
    ours, theirs = Holder(hub, {}, NOW), Holder(trustee, {}, NOW, make=False).published(later)
    assert [one.id for one in ours.published(later)] == [f"{DATE}.1"]
    known = json.loads((hub / "trustee.json").read_bytes())
    known["epochs"] = [{"id": e.id, "valid_from": 0, "valid_to": 1, "public_keys": e.public_keys} for e in theirs]
    (hub / "trustee.json").write_text(json.dumps(known))
    both = ours.published(later)
    assert [(e.id, e.valid_from, e.valid_to) for e in both] == [(e.id, e.valid_from, e.valid_to) for e in theirs]
    assert {len(e.public_keys) for e in both} == {2}


def test_a_trustee_has_a_share_or_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no share"):
        Holder(tmp_path, {}, NOW, make=False)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"epochs": 3}', b"\xff"])
def test_a_trustee_file_that_says_something_else_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "trustee.json").write_bytes(content)
    with pytest.raises(UsageError, match="no trustee"):
        Holder(tmp_path, given(), NOW).trustee()
