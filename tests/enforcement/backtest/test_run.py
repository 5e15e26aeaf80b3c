"""Replays whose outcome can be counted by hand."""

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.enforcement.backtest.stored import (
    START,
    Row,
    accounts,
    exchange,
    outcome_of,
    requests,
    write_exchanges,
    write_policy,
    write_verdicts,
)
from tests.enforcement.factories import rule
from tests.records.indicators import indicator, write

from stillwatch.enforcement.backtest.outcome import Outcome
from stillwatch.enforcement.backtest.replay import enforced_for_everybody
from stillwatch.enforcement.decider import Decider
from stillwatch.enforcement.model import DecideRequest
from stillwatch.enforcement.policy.load import load_policy
from stillwatch.enforcement.state.cohorts import Cohorts, bucket_of
from stillwatch.enforcement.state.known_texts import KnownTexts
from stillwatch.enforcement.state.verdict_file import read_verdicts
from stillwatch.errors import UsageError
from stillwatch.features.edge import EXCHANGES, sketch_logs
from stillwatch.features.sketch import text_bands

FRAME = "Write one question about {} for an examination of first-year students, then solve it step by step and say why."
LIMIT = '[[limit]]\nid = "two"\ncounts = "requests"\namount = 2\nper = "hour"\nburst = 2'
TOO_MANY = rule("too-many", "throttle", '{ limits = ["two"] }', mode="shadow")
BLOCKED = rule("blocked", "block", '{ verdict = ["block"] }', longest_s="60")
WATCHED = rule("watched", "watch", '{ verdict = ["watch"] }')
TEXT = rule("text", "challenge", "{ text = true }", mode="shadow")


@pytest.fixture
def window(tmp_path: Path) -> Path:
    """Three accounts: `bad` asks three times, `heavy` four times at once, `mild` once; ten tokens each."""
    rows = [exchange(number, "bad", 1000 * number, output_tokens=10) for number in range(3)]
    rows += [exchange(10 + number, "heavy", 5000, output_tokens=10) for number in range(4)]
    rows.append(exchange(20, "mild", 90_000, output_tokens=10))
    return write_exchanges(tmp_path / "window.jsonl", rows)


def test_who_would_have_been_hit(tmp_path: Path, window: Path) -> None:
    policy = write_policy(tmp_path / "p.toml", LIMIT, TOO_MANY, BLOCKED, WATCHED)
    verdicts = write_verdicts(tmp_path / "v.jsonl", {"bad": "block", "mild": "watch"})
    outcome = outcome_of(policy, window, verdicts=verdicts)
    assert (outcome.seen.accounts, outcome.seen.requests, outcome.seen.output_tokens) == (3, 8, 80)
    too_many, blocked, watched = outcome.rules
    assert (requests(too_many.as_written), requests(too_many.if_enforced)) == ((2, 0), (2, 2))
    assert (requests(blocked.as_written), accounts(blocked.as_written)) == ((3, 3), (1, 1))
    assert blocked.as_written.refused.output_tokens == 30
    assert (requests(watched.if_enforced), requests(outcome.if_enforced)) == ((1, 0), (5, 5))
    assert requests(outcome.as_written) == (5, 3)
    assert (outcome.if_enforced.first, outcome.if_enforced.last) == ("2025-06-01T00:00:00Z", "2025-06-01T01:23:20Z")
    assert (outcome.on.first, outcome.on.last) == ("2025-06-01T00:00:00Z", "2025-06-02T01:00:00Z")
    assert "in force from the first exchange to the last" in outcome.notes[0]


def test_a_verdict_holds_however_long_the_replay_is(tmp_path: Path) -> None:
    window = write_exchanges(tmp_path / "w.jsonl", [exchange(day, "bad", 86_400 * day) for day in range(90)])
    verdicts = write_verdicts(tmp_path / "v.jsonl", {"bad": "block"})  # for an hour, and the rule for a minute
    blocked = outcome_of(write_policy(tmp_path / "p.toml", BLOCKED), window, verdicts=verdicts).rules[0]
    assert requests(blocked.as_written) == (90, 90)


def test_a_canary_refuses_its_part_and_everybody_once_it_is_grown(tmp_path: Path) -> None:
    names = [f"a{number}" for number in range(40)]
    window = write_exchanges(tmp_path / "w.jsonl", [exchange(n, name, n) for n, name in enumerate(names)])
    verdicts = write_verdicts(tmp_path / "v.jsonl", dict.fromkeys(names, "block"))
    tables = rule("blocked", "block", '{ verdict = ["block"] }', canary_percent="25")
    (found,) = outcome_of(write_policy(tmp_path / "p.toml", tables), window, verdicts=verdicts).rules
    part = sum(bucket_of(name) < 25 for name in names)
    assert 0 < part < 40
    assert (accounts(found.as_written), accounts(found.if_enforced)) == ((40, part), (40, 40))


def test_labels_tell_collateral_with_its_limits(tmp_path: Path, window: Path) -> None:
    policy = write_policy(tmp_path / "p.toml", LIMIT, TOO_MANY, BLOCKED)
    labels = tmp_path / "truth.json"
    truth = {"bad": "campaign", "heavy": "hard_negative", "mild": "benign", "absent": "benign"}
    labels.write_text(
        json.dumps({"accounts": {name: {"label": label, "cohort": "x"} for name, label in truth.items()}})
    )
    verdicts = write_verdicts(tmp_path / "v.jsonl", {"bad": "block"})
    outcome = outcome_of(policy, window, verdicts=verdicts, labels=labels)
    hits = outcome.rules[0].if_enforced
    assert {group.name: (group.seen, group.hit, group.refused) for group in hits.labels} == {
        "benign": (1, 0, 0),
        "campaign": (1, 0, 0),
        "hard_negative": (1, 1, 1),
        "unlabelled": (0, 0, 0),
    }
    assert hits.collateral is not None
    assert (hits.collateral.accounts, hits.collateral.of, hits.collateral.share) == (1, 2, 0.5)
    assert (round(hits.collateral.low, 3), round(hits.collateral.high, 3)) == (0.013, 0.987)  # tables of 1 of 2
    assert [(one.account_id, one.label, one.seen, one.hit) for one in outcome.if_enforced.worst_hit] == [
        ("heavy", "hard_negative", 4, 2)
    ]
    assert outcome.on.labels == {"campaign": 1, "benign": 2, "hard_negative": 1}


def test_without_labels_whoever_has_no_verdict_may_be_collateral(tmp_path: Path, window: Path) -> None:
    verdicts = write_verdicts(tmp_path / "v.jsonl", {"bad": "block"})
    outcome = outcome_of(write_policy(tmp_path / "p.toml", LIMIT, TOO_MANY, BLOCKED), window, verdicts=verdicts)
    assert outcome.if_enforced.collateral is None
    assert (outcome.if_enforced.hit.accounts, outcome.if_enforced.possible_collateral) == (2, 1)
    assert [one.account_id for one in outcome.if_enforced.worst_hit] == ["heavy"]


def test_a_budget_tells_when_it_would_have_been_spent(tmp_path: Path) -> None:
    rows = [exchange(number, f"a{number:03}", number) for number in range(150)]
    rows += [exchange(200 + number, f"a{number:03}", 1000 + number) for number in range(2)]
    verdicts = write_verdicts(tmp_path / "v.jsonl", {"a000": "block", "a001": "block"})
    share = '[[budget]]\ncohort = "everybody"\nrefused_share = 0.01\noverturned = 3'
    ours = '[[cohort]]\nid = "ours"\naccount_ids = ["x"]\n[[budget]]\ncohort = "ours"\noverturned = 1'
    policy = write_policy(tmp_path / "p.toml", BLOCKED.replace('"enforce"', '"shadow"'), share, ours)
    outcome = outcome_of(policy, write_exchanges(tmp_path / "w.jsonl", rows), verdicts=verdicts)
    (budget,) = outcome.budgets
    assert (budget.as_written, budget.if_enforced) == (None, "2025-06-01T00:16:40Z")  # the first refusal after 100
    assert budget.reason is not None
    assert budget.reason.startswith("2 of 150 accounts")
    assert requests(outcome.if_enforced) == (4, 4)  # it goes on as if nobody had looked
    assert any("by overturned is not assessable" in note for note in outcome.notes)


def test_cohorts_and_exemptions_are_those_of_the_moment(tmp_path: Path) -> None:
    rows = [exchange(day, "a", 86_400 * day, org_id="o") for day in range(6)] + [exchange(9, "b", 9)]
    given = tmp_path / "accounts.jsonl"
    given.write_text('{"account_id": "a", "created_at": "2025-05-31T00:00:00Z"}\n{"account_id": "b"}\n')
    registry = tmp_path / "registry.toml"
    registry.write_text(
        '[[entry]]\nid = "e"\nkind = "researcher"\nholder = "h"\norg_id = "o"\nvalid_from = 2025-06-05\n'
    )
    policy = write_policy(
        tmp_path / "p.toml",
        '[[cohort]]\nid = "new"\nnewer_than_days = 3',
        '[[limit]]\nid = "one"\ncounts = "requests"\namount = 1\nper = "day"\ncohorts = ["new"]',
        BLOCKED,
        rule("first", "throttle", '{ limits = ["one"], cohorts = ["new"] }'),
        '[[exemption]]\nid = "x"\nreason = "r"\nregistry_kinds = ["researcher"]',
    )
    verdicts = write_verdicts(tmp_path / "v.jsonl", {"a": "block", "b": "block"})
    window = write_exchanges(tmp_path / "w.jsonl", rows)
    outcome = outcome_of(policy, window, verdicts=verdicts, accounts=given, registry=registry)
    blocked = outcome.rules[0].as_written
    assert requests(blocked) == (5, 5)  # the last two of a are exempt
    assert {group.name: (group.seen, group.hit) for group in blocked.cohorts} == {"everybody": (2, 2), "new": (1, 1)}
    assert outcome.rules[1].not_assessable == []


def test_what_is_made_smaller_passes(tmp_path: Path, window: Path) -> None:
    policy = write_policy(tmp_path / "p.toml", rule("smaller", "degrade", '{ verdict = ["degrade"] }'))
    outcome = outcome_of(policy, window, verdicts=write_verdicts(tmp_path / "v.jsonl", {"bad": "degrade"}))
    hits = outcome.rules[0].as_written
    assert (requests(hits), hits.degraded) == ((3, 0), 3)


def test_answers_settle_what_their_requests_reserved(tmp_path: Path) -> None:
    limit = '[[limit]]\nid = "t"\ncounts = "tokens"\namount = 1000\nper = "day"\nburst = 1000'
    policy = write_policy(tmp_path / "p.toml", limit, rule("r", "throttle", '{ limits = ["t"] }'))
    rows = [exchange(n, "a", 60 * n, max_tokens=600, output_tokens=10, latency_ms=90_000) for n in range(8)]
    hits = outcome_of(policy, write_exchanges(tmp_path / "w.jsonl", rows)).rules[0].as_written
    assert requests(hits) == (4, 4)  # every other one comes while the answer before it is on its way
    quick = [row | {"latency_ms": 1000} for row in rows]
    assert requests(outcome_of(policy, write_exchanges(tmp_path / "q.jsonl", quick)).rules[0].as_written) == (0, 0)


def test_a_handle_is_foreign_once_its_birth_is_known(tmp_path: Path) -> None:
    policy = write_policy(tmp_path / "p.toml", rule("h", "block", "{ handle = true }"))
    rows = [exchange(0, "a", 0, reasoning_handle="h", reasoning_handle_account="a")]
    rows += [exchange(n, "b", n, reasoning_handle="h", reasoning_handle_account="a") for n in (1, 2)]
    found = outcome_of(policy, write_exchanges(tmp_path / "w.jsonl", rows)).rules[0]
    assert (requests(found.as_written), found.not_assessable) == ((2, 2), [])


def test_texts_are_met_in_prompts_and_in_sketches_alike(tmp_path: Path) -> None:
    topics = ("optics", "sea trade", "grammar", "soils")
    rows = [exchange(n, f"a{n}", n, prompt=FRAME.format(topic)) for n, topic in enumerate(topics)]
    rows += [exchange(9, "z", 9, prompt="Hello, who are you?"), exchange(8, "y", 8)]
    window = write_exchanges(tmp_path / "w.jsonl", rows)
    limit = '[[limit]]\nid = "u"\ncounts = "unseen_templates"\namount = 1\nper = "day"\nburst = 1'
    policy = write_policy(tmp_path / "p.toml", limit, TEXT, rule("u", "throttle", '{ limits = ["u"] }'))
    verdicts = write_verdicts(tmp_path / "v.jsonl", {"old": "block"}, FRAME.format("tides"))
    plain = outcome_of(policy, window, verdicts=verdicts)
    assert (requests(plain.rules[0].if_enforced), plain.on.texts) == ((4, 4), 5)
    sketch_logs([window], tmp_path / "sketched", quiet=True)
    sketched = outcome_of(policy, tmp_path / "sketched" / EXCHANGES, verdicts=verdicts)
    assert plain.rules == sketched.rules
    assert sketched.on.texts == 5


def test_a_log_without_texts_cannot_tell_of_them(tmp_path: Path, window: Path) -> None:
    policy = write_policy(tmp_path / "p.toml", TEXT, BLOCKED)
    verdicts = write_verdicts(tmp_path / "v.jsonl", {"bad": "block"}, FRAME)
    outcome = outcome_of(policy, window, verdicts=verdicts)
    assert outcome.rules[0].not_assessable == ["text, or sketches of it, in the exchanges"]
    assert (outcome.rules[1].not_assessable, outcome.on.texts) == ([], 0)


def test_bad_lines_are_counted_and_left_out(tmp_path: Path, window: Path) -> None:
    with window.open("ab") as stream:
        stream.write(b'{"exchange_id": "x"}\nnonsense\n\xff\xfe\n')
    outcome = outcome_of(write_policy(tmp_path / "p.toml", LIMIT, TOO_MANY), window)
    assert (outcome.on.counts["read"], outcome.on.counts["rejected"], outcome.seen.requests) == (11, 3, 8)
    assert sum(outcome.on.rejected_by_reason.values()) == 3


def test_no_exchange_at_all(tmp_path: Path) -> None:
    window = write_exchanges(tmp_path / "w.jsonl", [])
    outcome = outcome_of(write_policy(tmp_path / "p.toml", BLOCKED), window)
    assert (outcome.seen.requests, outcome.on.first, outcome.rules[0].as_written.first) == (0, None, None)
    with pytest.raises(UsageError, match="does not exist"):
        outcome_of(tmp_path / "p.toml", tmp_path / "absent")


def test_a_directory_of_parquet(tmp_path: Path, window: Path) -> None:
    from stillwatch.records.ingest import IngestOptions, ingest  # noqa: PLC0415 - only here

    ingest([window], tmp_path / "in", IngestOptions(), quiet=True)
    assert pq.read_table(tmp_path / "in" / "exchanges").num_rows == 8
    policy = write_policy(tmp_path / "p.toml", LIMIT, TOO_MANY)
    assert outcome_of(policy, tmp_path / "in").rules == outcome_of(policy, window).rules


ROWS = st.lists(
    st.tuples(
        st.sampled_from("abcd"), st.integers(0, 4000), st.sampled_from([None, "tides", "soils"]), st.integers(0, 900)
    ),
    max_size=25,
)


def _rows(drawn: list[tuple[str, int, str | None, int]]) -> list[Row]:
    return [
        exchange(number, account, at_s, max_tokens=tokens, **({} if topic is None else {"prompt": FRAME.format(topic)}))
        for number, (account, at_s, topic, tokens) in enumerate(drawn)
    ]


def _everything(directory: Path) -> tuple[Path, Path]:
    limit = '[[limit]]\nid = "t"\ncounts = "tokens"\namount = 3000\nper = "hour"\nburst = 1500'
    policy = write_policy(
        directory / "p.toml", LIMIT, limit, TOO_MANY, BLOCKED, TEXT, rule("t", "throttle", '{ limits = ["t"] }')
    )
    return policy, write_verdicts(directory / "v.jsonl", {"a": "block", "b": "throttle"}, FRAME.format("trees"))


@settings(max_examples=15)
@given(ROWS, st.randoms())
def test_the_order_of_lines_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, int, str | None, int]], chance: random.Random
) -> None:
    directory = tmp_path_factory.mktemp("order")
    policy, verdicts = _everything(directory)
    rows, window = _rows(drawn), directory / "w.jsonl"
    first = outcome_of(policy, write_exchanges(window, rows), verdicts=verdicts)
    chance.shuffle(rows)
    again = outcome_of(policy, write_exchanges(window, rows), verdicts=verdicts)
    assert msgspec.json.encode(first) == msgspec.json.encode(again)


@settings(max_examples=15)
@given(ROWS)
def test_what_is_refused_is_what_the_decider_refuses_when_asked_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, int, str | None, int]]
) -> None:
    directory = tmp_path_factory.mktemp("one-by-one")
    policy, verdicts = _everything(directory)
    rows = _rows(drawn)
    outcome = outcome_of(policy, write_exchanges(directory / "w.jsonl", rows), verdicts=verdicts)
    loaded = enforced_for_everybody(load_policy(policy))
    one = Decider(loaded, "enforce", Cohorts(loaded))
    one.standings.take(read_verdicts(verdicts), START + 10_000)
    one.texts = KnownTexts(read_verdicts(verdicts), START + 10_000)
    order = sorted(zip(drawn, rows, strict=True), key=lambda pair: (pair[0][1], pair[1]["exchange_id"]))
    refused: dict[str, int] = {}
    for (account, at_s, _, _), row in order:
        asked = DecideRequest(account_id=account, model="m", prompt=row.get("prompt"), max_tokens=row["max_tokens"])
        decided = one.decide(asked, START + at_s)
        if decided.decision.refuses and decided.enforced is not None:
            refused[decided.enforced.rule.id] = refused.get(decided.enforced.rule.id, 0) + 1
    assert _refused(outcome) == refused


def test_what_others_reported_is_replayed_as_it_would_be_heard(tmp_path: Path) -> None:
    bands = [f"{int(band):016x}" for band in text_bands(None, FRAME.format("optics"))[0]]
    received = write(tmp_path / "received.jsonl", [indicator(1, template_bands=bands)])
    rows = [exchange(number, f"a{number % 3}", number, prompt=FRAME.format(number)) for number in range(6)]
    window = write_exchanges(tmp_path / "w.jsonl", [*rows, exchange(9, "other", 9, prompt="Good morning")])
    theirs = '{ text = true, reason_codes = ["received_indicator"] }'
    policy = write_policy(tmp_path / "p.toml", rule("theirs", "challenge", theirs))
    (told,) = outcome_of(policy, window, received=received).rules
    assert (requests(told.if_enforced), accounts(told.if_enforced), told.not_assessable) == ((6, 6), (3, 3), [])
    (untold,) = outcome_of(policy, window).rules
    assert requests(untold.if_enforced) == (0, 0)
    assert untold.not_assessable == ["what other providers reported (--received)"]


def _refused(outcome: Outcome) -> dict[str, Any]:
    found = {one.id: one.if_enforced.refused.requests for one in outcome.rules}
    return {name: number for name, number in found.items() if number}
