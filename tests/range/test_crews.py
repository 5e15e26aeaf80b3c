"""What campaigns of each kind leave in a window."""

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import UsageError
from stillwatch_range.campaigns import CampaignPlan, Failover, Search
from stillwatch_range.material import Material
from stillwatch_range.scenario import Scenario, build_window
from stillwatch_range.text import ANALYST
from stillwatch_range.truth import Truth

START = datetime(2026, 3, 9, tzinfo=UTC)
Row = dict[str, object]


@dataclass
class Window:
    truth: Truth
    rows: list[Row]
    history: list[Row]
    harvest: dict[str, str]

    def of(self, campaign: str) -> list[Row]:
        return [row for row in self.rows if self.harvest.get(str(row["exchange_id"])) == campaign]

    def only(self) -> tuple[str, list[Row]]:
        (campaign,) = self.truth.campaigns
        return campaign, self.of(campaign)


Build = Callable[..., Window]


@pytest.fixture
def build(material: Material, small: Scenario, tmp_path: Path) -> Build:
    def make(*plans: CampaignPlan, seed: int = 3, **changes: object) -> Window:
        out = tmp_path / str(seed)
        scenario = msgspec.structs.replace(small, campaigns=plans, hard_negatives="none", **changes)
        truth = build_window(material, out, scenario, seed)
        with gzip.open(out / "harvest_ids.jsonl.gz") as lines:
            harvest = {row["exchange_id"]: row["campaign"] for row in map(json.loads, lines)}
        window, history = (
            pq.read_table(out / part / "exchanges.parquet").to_pylist() for part in ("window", "history")
        )
        return Window(truth, window, history, harvest)

    return make


def day(row: Row) -> float:
    return (row["ts"] - START) / timedelta(days=1)


def plan(**settings: object) -> CampaignPlan:
    return CampaignPlan(**{"family": ANALYST, "accounts": 20, **settings})


def test_a_share_of_the_window(build: Build) -> None:
    window = build(plan(share=0.1), plan(family="tags", accounts=6, share=0.01))
    shares = sorted(campaign.share for campaign in window.truth.campaigns.values())
    assert shares == pytest.approx([0.01, 0.1], rel=0.1)


def test_a_swarm_of_a_few_requests_each(build: Build) -> None:
    window = build(
        plan(accounts=300, pace=2.0, start_day=3.0, end_day=5.0, mixing=0.0, spread=0.25, family="tasks"),
        benign_accounts=60,
        history_accounts=60,
    )
    _, rows = window.only()
    counts = Counter(row["account_id"] for row in rows)
    assert sum(counts.values()) == 1200
    assert len(counts) == 300
    assert sum(2 <= count <= 6 for count in counts.values()) > 270
    assert all(3 <= day(row) < 5 for row in rows)


def test_a_busy_account_works_every_day(build: Build) -> None:
    window = build(plan(accounts=2, pace=150.0, rhythm="daily", mixing=0.0, family="grading"))
    _, rows = window.only()
    assert len(rows) == 2 * 150 * 7
    assert {int(day(row)) for row in rows} == set(range(7))


def test_after_a_ban_others_go_on(build: Build) -> None:
    window = build(plan(family="tags", exchanges=200, failover=Failover(day=3.4, standby=10), mixing=0.2))
    campaign, rows = window.only()
    members = {name for name, account in window.truth.accounts.items() if account.campaign == campaign}
    last, first = defaultdict(float), defaultdict(lambda: 9.0)
    for row in window.rows:
        if row["account_id"] in members:
            last[row["account_id"]] = max(last[row["account_id"]], day(row))
            first[row["account_id"]] = min(first[row["account_id"]], day(row))
    banned = {name for name in members if last[name] < 3.4}
    assert len(banned) == 20
    assert {name for name in members if first[name] >= 3.4} == members - banned
    assert len({row["prompt"] for row in rows}) == 200


def test_a_search_comes_first_and_is_refused(build: Build) -> None:
    search = Search(variants=300, accounts=3, days=1.5, refused=0.9)
    window = build(plan(family="tasks", exchanges=100, search=search, mixing=0.0))
    _, rows = window.only()
    tried = [row for row in rows if day(row) < 1.5]
    assert len(tried) == 300
    assert len(rows) == 400
    assert len({row["account_id"] for row in tried}) == 3
    refused = [row for row in tried if row["finish_reason"] == "refusal" or row["error_code"] == "policy_violation"]
    assert 0.8 < len(refused) / 300 < 0.97


def test_a_campaign_moves_to_a_new_model_within_a_day(build: Build) -> None:
    window = build(plan(family="tags", exchanges=600, pivot=1.0), release_day=3.0)
    _, rows = window.only()
    assert {row["model"] for row in rows if day(row) > 4} == {"larch-3-large"}
    assert "larch-3-large" not in {row["model"] for row in rows if day(row) < 3}
    others = [row for row in window.rows if row["account_id"] not in {row["account_id"] for row in rows}]
    assert 0.1 < sum(row["model"] == "larch-3-large" for row in others if day(row) > 4) / len(others) < 0.6


def test_one_pool_serves_several_actors(build: Build) -> None:
    window = build(
        plan(family="tags", exchanges=100, pool="p"), plan(family="grading", accounts=12, exchanges=60, pool="p")
    )
    by_family = {campaign.family: name for name, campaign in window.truth.campaigns.items()}
    both = [account for account in window.truth.accounts.values() if account.also == (by_family["grading"],)]
    assert len(both) == 12
    assert all(account.campaign == by_family["tags"] for account in both)
    assert window.truth.campaigns[by_family["tags"]].accounts == 20
    assert window.truth.campaigns[by_family["grading"]].accounts == 12
    assert Counter(window.harvest.values()) == {by_family["tags"]: 100, by_family["grading"]: 60}
    assert {"acct_"} == {str(row["account_id"])[:5] for row in window.of(by_family["grading"])}


def test_a_pool_that_is_too_small_is_an_error(build: Build) -> None:
    with pytest.raises(UsageError, match="30 accounts wanted of a pool of 20"):
        build(plan(pool="p", exchanges=40), plan(pool="p", accounts=30, exchanges=40))


def test_stolen_keys_keep_their_owners_work(build: Build) -> None:
    window = build(plan(accounts=8, stolen=True, exchanges=120, start_day=4.0), returning=0.6)
    campaign, rows = window.only()
    victims = {name for name, account in window.truth.accounts.items() if account.victim}
    assert {row["account_id"] for row in rows} == victims
    assert len(victims) == 8
    assert victims <= {row["account_id"] for row in window.history}
    assert all(day(row) >= 4 for row in rows)
    keys, addresses = defaultdict(set), defaultdict(set)
    for row in window.rows:
        if row["account_id"] in victims:
            keys[row["account_id"]].add(row["key_id"])
            addresses[row["account_id"], row["exchange_id"] in window.harvest].add(row["client_ip"])
    assert all(len(names) == 1 for names in keys.values())
    apart = [victim for victim in victims if not addresses[victim, True] & addresses[victim, False]]
    assert len(apart) >= 6
    assert window.truth.campaigns[campaign].mixing > 0


def test_keys_can_only_be_stolen_of_customers_with_a_history(build: Build) -> None:
    with pytest.raises(UsageError, match="keys to steal") as caught:
        build(plan(stolen=True, exchanges=50))
    assert "returning" in str(caught.value.hint)


def test_two_providers_and_a_cloud_share_one_queue(build: Build) -> None:
    settings = {"family": "grading", "exchanges": 120, "queue_seed": 11}
    first = build(plan(**settings, queue_part=(1, 2)), seed=3)
    second = build(plan(**settings, queue_part=(2, 2), channel="cloud-north"), seed=4)
    asked = [{row["prompt"] for row in window.only()[1]} for window in (first, second)]
    assert [len(prompts) for prompts in asked] == [120, 120]
    assert not asked[0] & asked[1]
    assert "cloud-north" in {row["channel"] for row in second.only()[1]}


def test_replayed_handles_and_tools_show_in_the_log(build: Build) -> None:
    window = build(plan(family="replay", exchanges=60), plan(family="tools", accounts=5, exchanges=60))
    by_family = {campaign.family: name for name, campaign in window.truth.campaigns.items()}
    replayed = window.of(by_family["replay"])
    assert all(row["reasoning_handle"] for row in replayed)
    assert not any(row["reasoning_handle_account"] == row["account_id"] for row in replayed)
    tools = window.of(by_family["tools"])
    assert all(row["tool_count"] == len(row["tool_names"]) >= 3 for row in tools)
    innocent = [row for row in window.rows if row["exchange_id"] not in window.harvest]
    assert any(row["tool_names"] for row in innocent)
    assert any(row["reasoning_handle_account"] == row["account_id"] for row in innocent)


def test_forwarded_conversations_are_taken_from_nobody_else(build: Build) -> None:
    window = build(plan(family="forwarded", exchanges=150, mixing=0.0))
    _, rows = window.only()
    others = {row["prompt"] for row in window.rows if row["exchange_id"] not in window.harvest}
    long = {str(row["prompt"]) for row in rows if len(str(row["prompt"])) >= 80}
    assert len(rows) == 150
    assert len(long & others) == 0


def test_invented_talks_lengthen_everybodys_conversations(material: Material, build: Build) -> None:
    big = {"benign_accounts": 400, "history_accounts": 400}
    with pytest.raises(UsageError, match="too few ordinary conversations"):
        build(plan(family="tags", exchanges=900), **big)
    window = build(plan(family="tags", exchanges=900), **big, invented_talks=4000)
    known = {turn.prompt for pile in material.populations.values() for talk in pile for turn in talk}
    campaign, _ = window.only()
    invented: dict[bool, list[bool]] = {True: [], False: []}
    for row in window.rows:
        if row["exchange_id"] not in window.harvest and len(str(row["prompt"])) >= 80:
            cover = window.truth.accounts[str(row["account_id"])].campaign == campaign
            invented[cover].append(row["prompt"] not in known)
    parts = [sum(told) / len(told) for told in invented.values()]
    assert parts[0] == pytest.approx(parts[1], abs=0.06)
