import gzip
import json
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import UsageError
from stillwatch.records.exchange import EXCHANGE_SCHEMA
from stillwatch_range.campaigns import CampaignPlan
from stillwatch_range.corpora import read_corpora
from stillwatch_range.material import Material
from stillwatch_range.scenario import Scenario, build_labelled_window, build_window
from stillwatch_range.text import ANALYST
from stillwatch_range.truth import Truth, read_truth

IDENTIFYING = 40


def rows(out: Path, part: str) -> list[dict[str, object]]:
    return list(pq.read_table(out / part / "exchanges.parquet").to_pylist())


def harvest(out: Path) -> dict[str, str]:
    with gzip.open(out / "harvest_ids.jsonl.gz") as lines:
        records = [json.loads(line) for line in lines]
    return {record["exchange_id"]: record["campaign"] for record in records}


def files(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def test_writes_the_files_of_the_contract(built: tuple[Path, Truth]) -> None:
    out, _ = built
    assert set(files(out)) == {
        "accounts.jsonl",
        "harvest_ids.jsonl.gz",
        "history/exchanges.parquet",
        "registry.toml",
        "releases.toml",
        "truth.json",
        "window/exchanges.parquet",
    }
    assert pq.read_schema(out / "window" / "exchanges.parquet").equals(EXCHANGE_SCHEMA)


def test_same_seed_same_bytes_other_seed_other_bytes(
    material: Material, small: Scenario, built: tuple[Path, Truth], tmp_path: Path
) -> None:
    again, other = tmp_path / "again", tmp_path / "other"
    build_window(material, again, small, seed=3)
    build_window(material, other, small, seed=4)
    assert files(again) == files(built[0])
    assert not set(files(other).values()) & set(files(again).values()) - {files(again)["releases.toml"]}


def test_truth_describes_the_window(built: tuple[Path, Truth]) -> None:
    out, truth = built
    window = rows(out, "window")
    assert truth == read_truth(out / "truth.json")
    assert set(truth.accounts) == {row["account_id"] for row in window}
    planted = harvest(out)
    senders = {row["exchange_id"]: row["account_id"] for row in window}
    ((name, campaign),) = truth.campaigns.items()
    assert len(planted) == campaign.exchanges == 120
    assert {truth.accounts[str(senders[exchange])].campaign for exchange in planted} == {name}
    members = [account for account, label in truth.accounts.items() if label.campaign == name]
    sent = sum(row["account_id"] in set(members) for row in window)
    assert len(members) == campaign.accounts == 20
    assert campaign.mixing == pytest.approx(1 - 120 / sent, abs=1e-4)
    assert 0.4 < campaign.mixing < 0.65
    assert campaign.share == pytest.approx(120 / len(window), abs=1e-6)


def test_every_harvested_task_is_asked_once(built: tuple[Path, Truth]) -> None:
    out, _ = built
    planted = harvest(out)
    prompts = [row["prompt"] for row in rows(out, "window") if row["exchange_id"] in planted]
    assert len(set(prompts)) == len(prompts) == 120
    assert all(str(prompt).startswith("You are a senior data analyst") for prompt in prompts)


def test_no_ordinary_text_is_in_two_accounts(built: tuple[Path, Truth]) -> None:
    out, truth = built
    planted = harvest(out)
    heavy = {name for name, account in truth.accounts.items() if account.label == "hard_negative"}
    senders = defaultdict(set)
    for row in rows(out, "history") + rows(out, "window"):
        first = row["turn"] in (0, None) and len(str(row["prompt"])) >= 2 * IDENTIFYING
        if first and row["exchange_id"] not in planted and row["account_id"] not in heavy:
            senders[row["prompt"]].add(row["account_id"])
    assert len(senders) > 300
    assert all(len(accounts) == 1 for accounts in senders.values())


def test_new_heavy_users_are_absent_from_the_history_and_known_ones_are_in_it(
    material: Material, small: Scenario, built: tuple[Path, Truth], tmp_path: Path
) -> None:
    out, truth = built
    heavy = {name for name, account in truth.accounts.items() if account.label == "hard_negative"}
    assert not heavy & {row["account_id"] for row in rows(out, "history")}
    known = build_window(material, tmp_path, msgspec.structs.replace(small, hard_negatives="known"), seed=3)
    cohorts = Counter(account.cohort for account in known.accounts.values() if account.label == "hard_negative")
    assert cohorts == {"classifier": 6, "benchmark": 5, "summaries": 1, "licensed": 2}
    heavy = {name for name, account in known.accounts.items() if account.label == "hard_negative"}
    assert heavy <= {row["account_id"] for row in rows(tmp_path, "history")}


def test_registry_names_the_licensed_accounts_only(built: tuple[Path, Truth]) -> None:
    out, truth = built
    (entry,) = tomllib.loads((out / "registry.toml").read_text())["entry"]
    licensed = {name for name, account in truth.accounts.items() if account.cohort == "new:licensed"}
    assert set(entry["account_ids"]) == licensed
    records = [json.loads(line) for line in (out / "accounts.jsonl").read_text().splitlines()]
    assert {record["org_id"] for record in records if record["account_id"] in licensed} == {entry["org_id"]}


def test_strangers_on_a_benchmark_share_items_and_nothing_else(built: tuple[Path, Truth]) -> None:
    out, truth = built
    strangers = {name for name, account in truth.accounts.items() if account.cohort == "new:benchmark"}
    prompts, orgs = defaultdict(set), set()
    for row in rows(out, "window"):
        if row["account_id"] in strangers:
            prompts[row["prompt"]].add(row["account_id"])
            orgs.add(row["org_id"])
    assert len(orgs) == len(strangers) == 5
    assert sum(len(accounts) > 1 for accounts in prompts.values()) > len(prompts) / 2


def test_a_drifting_population_arrives_only_in_the_window(material: Material, small: Scenario, tmp_path: Path) -> None:
    truth = build_window(material, tmp_path, msgspec.structs.replace(small, drift="abroad"), seed=3)
    newcomers = {name for name, account in truth.accounts.items() if account.cohort == "drift"}
    foreign = {turn.prompt for talk in material.populations["abroad"] for turn in talk}
    assert len(newcomers) == 45
    sent = {row["prompt"] for row in rows(tmp_path, "window") if row["account_id"] in newcomers}
    assert sent <= foreign
    opened = {talk[0].prompt for talk in material.populations["abroad"]}
    assert not opened & {row["prompt"] for row in rows(tmp_path, "history")}


def test_without_metadata_only_text_time_and_identifiers_remain(
    material: Material, small: Scenario, tmp_path: Path
) -> None:
    build_window(material, tmp_path, msgspec.structs.replace(small, metadata=False), seed=3)
    window = pq.read_table(tmp_path / "window" / "exchanges.parquet")
    for name in ("client_ip", "asn", "org_id", "key_id", "device_id", "user_agent", "tls_fingerprint", "country"):
        assert window[name].null_count == window.num_rows
    first = json.loads((tmp_path / "accounts.jsonl").read_text().splitlines()[0])
    assert set(first) == {"account_id"}
    assert "org_id" not in (tmp_path / "registry.toml").read_text()


def test_a_campaign_free_window(material: Material, small: Scenario, tmp_path: Path) -> None:
    truth = build_window(material, tmp_path, msgspec.structs.replace(small, campaigns=()), seed=3)
    assert truth.campaigns == {}
    assert harvest(tmp_path) == {}
    assert {account.label for account in truth.accounts.values()} == {"benign", "hard_negative"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"campaigns": (CampaignPlan(family="nothing", accounts=6),)}, "unknown family"),
        ({"campaigns": (CampaignPlan(family=ANALYST, accounts=6, exchanges=10**6),)}, "exchanges wanted"),
        ({"drift": "nobody"}, "unknown population"),
        ({"benign_accounts": 5000}, "too few ordinary conversations"),
    ],
)
def test_what_the_material_cannot_give_is_an_error(
    material: Material, small: Scenario, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        build_window(material, tmp_path, msgspec.structs.replace(small, **change), seed=3)


@pytest.mark.corpora
@pytest.mark.slow
def test_a_window_of_the_shared_corpora(corpora: Path, tmp_path: Path) -> None:
    plan = CampaignPlan(family="evolinstruct", accounts=200)
    truth = build_labelled_window(corpora, tmp_path, Scenario(name="evolinstruct-200", campaigns=(plan,)), seed=1)
    labels = Counter(account.label for account in truth.accounts.values())
    assert labels == {"benign": 1000, "campaign": 200, "hard_negative": 29}
    (campaign,) = truth.campaigns.values()
    assert campaign.exchanges > 800
    assert 0.45 < campaign.mixing < 0.55
    queue = {talk[0].prompt for talk in read_corpora(corpora).families["evolinstruct"]}
    planted = harvest(tmp_path)
    assert {row["prompt"] for row in rows(tmp_path, "window") if row["exchange_id"] in planted} <= queue
