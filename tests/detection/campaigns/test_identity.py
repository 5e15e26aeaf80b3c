import json
import random
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detection.campaigns.families import FamilyFacts
from stillwatch.detection.campaigns.grouping import Group
from stillwatch.detection.campaigns.identity import SKETCH_TOKENS, KnownCampaigns, frame_sketch
from stillwatch.features.overlap import Overlap

Tokens = npt.NDArray[np.uint64]


def frame(seed: int, size: int = 50) -> Tokens:
    rng = np.random.default_rng(seed)
    bins, values = rng.integers(0, 64, size).astype(np.uint64), rng.integers(0, 2**32 - 1, size).astype(np.uint64)
    return np.unique((bins << np.uint64(32)) | values)


def group(core: Tokens, tokens: Tokens | None = None) -> Group:
    numbers = np.arange(4)
    every = core if tokens is None else tokens
    facts = FamilyFacts(numbers, numbers, numbers, np.ones(4), 4, 4.0, 4, 0.5, 0.0, Overlap(0.0, 0.0), 0.0, every, core)
    return Group("harvest", [facts])


def findings(out: Path, campaigns: dict[str, Tokens]) -> Path:
    rows = [
        {"campaign_id": name, "kind": "harvest", "templates": [{"sketch": frame_sketch(core), "text": "x"}]}
        for name, core in campaigns.items()
    ]
    out.mkdir(exist_ok=True)
    (out / "campaigns.json").write_text(json.dumps({"campaigns": rows}))
    return out


def test_the_same_frame_has_the_same_name_in_any_directory(tmp_path: Path) -> None:
    names = {KnownCampaigns(tmp_path / place).name(group(frame(1))) for place in ("a", "b")}
    assert len(names) == 1
    assert names != {KnownCampaigns(tmp_path).name(group(frame(2)))}


def test_a_frame_without_a_core_is_named_by_all_its_tokens(tmp_path: Path) -> None:
    none = np.empty(0, np.uint64)
    assert KnownCampaigns(tmp_path).name(group(none, frame(1))) == KnownCampaigns(tmp_path).name(group(frame(1)))


@given(seed=st.integers(0, 1000), lost=st.integers(0, 20))
def test_losing_tokens_seldom_displaced_is_what_changes_a_name(seed: int, lost: int) -> None:
    core = frame(seed)
    values = core & np.uint64(0xFFFFFFFF)
    largest = np.argsort(values)[core.size - lost :]
    thinner = np.delete(core, largest)
    assert KnownCampaigns(Path("absent")).name(group(core)) == KnownCampaigns(Path("absent")).name(group(thinner))


def test_a_campaign_is_recognised_from_earlier_findings_also_when_half_of_its_frame_changed(tmp_path: Path) -> None:
    core = frame(3)
    out = findings(tmp_path, {"cmp-other": frame(4), "cmp-known": core})
    changed = np.unique(np.concatenate([core[::2], frame(5, 20)]))
    assert KnownCampaigns(out).name(group(changed)) == "cmp-known"
    assert KnownCampaigns(out).name(group(frame(6))) not in {"cmp-known", "cmp-other"}


def test_the_likest_of_several_known_frames_gives_the_name(tmp_path: Path) -> None:
    core = frame(7)
    near, nearer = np.union1d(core[:30], frame(8, 10)), np.union1d(core[:40], frame(9, 5))
    assert KnownCampaigns(findings(tmp_path, {"near": near, "nearer": nearer})).name(group(core)) == "nearer"


def test_no_name_is_given_twice(tmp_path: Path) -> None:
    core = frame(10)
    known = KnownCampaigns(findings(tmp_path, {"cmp-known": core}))
    first, second, third = (known.name(group(core)) for _ in range(3))
    assert first == "cmp-known"
    assert len({first, second, third}) == 3
    again = KnownCampaigns(findings(tmp_path, {"cmp-known": core}))
    assert [again.name(group(core)) for _ in range(3)] == [first, second, third]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"campaigns": 3}', b'{"campaigns": [{}]}', b"\xff\xfe", b"null", b"\x00" * 100]
)
def test_unreadable_earlier_findings_mean_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "campaigns.json").write_bytes(content)
    assert KnownCampaigns(tmp_path).name(group(frame(1))) == KnownCampaigns(tmp_path / "absent").name(group(frame(1)))


def test_a_directory_in_place_of_earlier_findings_means_none(tmp_path: Path) -> None:
    (tmp_path / "campaigns.json").mkdir()
    assert KnownCampaigns(tmp_path).name(group(frame(1))).startswith("cmp-")


def test_a_sketch_is_a_bounded_part_of_the_frame() -> None:
    large = frame(11, 500)
    sketch = frame_sketch(large)
    assert len(sketch) == SKETCH_TOKENS
    assert sketch == sorted(sketch)
    assert set(sketch) <= {f"{int(token):010x}" for token in large}
    shuffled = large.tolist()
    random.Random(1).shuffle(shuffled)
    assert frame_sketch(np.array(shuffled, np.uint64)) == sketch
    assert len(frame_sketch(frame(12, 10))) == 10


def without_frame(out: Path, name: str, accounts: list[str]) -> Path:
    row = {"campaign_id": name, "templates": [], "accounts": [{"account_id": account} for account in accounts]}
    (out / "campaigns.json").write_text(json.dumps({"campaigns": [row]}))
    return out


def test_a_campaign_without_a_frame_is_recognised_by_its_accounts(tmp_path: Path) -> None:
    accounts = [f"a{number}" for number in range(20)]
    known = KnownCampaigns(without_frame(tmp_path, "cmp-known", accounts))
    assert known.name_accounts([*accounts[8:], "new-1", "new-2"]) == "cmp-known"
    assert known.name_accounts(accounts) != "cmp-known"  # each name is given once
    strangers = [f"b{number}" for number in range(20)]
    fresh = KnownCampaigns(tmp_path).name_accounts(strangers)
    assert fresh.startswith("cmp-")
    assert fresh != "cmp-known"
    assert fresh == KnownCampaigns(tmp_path / "absent").name_accounts(strangers[::-1])


def test_the_name_of_accounts_mostly_stays_when_some_leave() -> None:
    accounts = [f"a{number}" for number in range(40)]
    name = KnownCampaigns(Path("absent")).name_accounts(accounts)
    stays = [
        KnownCampaigns(Path("absent")).name_accounts(accounts[:gone] + accounts[gone + 4 :]) == name
        for gone in range(36)
    ]
    assert sum(stays) >= 30
