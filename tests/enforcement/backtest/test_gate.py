from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.enforcement.backtest.stored import exchange, outcome_of, write_exchanges, write_policy, write_verdicts
from tests.enforcement.factories import policy, rule

from stillwatch.enforcement.backtest.gate import digest, keep, kept_path, untried_rules
from stillwatch.enforcement.policy.load import load_policy, parse_policy

POLICY = """
id = "p"
version = "1"
[[cohort]]
id = "a"
plans = ["x", "y"]
[[cohort]]
id = "b"
plans = ["z"]
[[limit]]
id = "one"
counts = "requests"
amount = 5
per = "hour"
[[limit]]
id = "two"
counts = "requests"
amount = 90
per = "day"
[[rule]]
id = "r"
action = "throttle"
when.limits = ["one", "two"]
[[rule]]
id = "s"
action = "block"
longest_s = 60
when.verdict = ["block"]
[[exemption]]
id = "e"
reason = "we said so"
account_ids = ["k", "l"]
"""
LIMIT_ONE = POLICY[POLICY.index("[[limit]]") : POLICY.index('[[limit]]\nid = "two"')]
COHORT_A = POLICY[POLICY.index("[[cohort]]") : POLICY.index('[[cohort]]\nid = "b"')]


def digest_of(text: str) -> str:
    return digest(parse_policy(text, "p.toml"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[[limit]]", "# a comment\n[[limit]]"),
        ('version = "1"', 'version = "2"\ndescription = "ours"'),
        ('["x", "y"]', '["y", "x"]'),
        ("amount = 5", "amount = 5.0"),
        ("we said so", "a contract"),
        ('when.limits = ["one", "two"]', 'mode = "enforce"\ncanary_percent = 10\nwhen = { limits = ["two", "one"] }'),
        (LIMIT_ONE, ""),
    ],
)
def test_what_changes_no_decision_changes_no_digest(old: str, new: str) -> None:
    changed = POLICY.replace(old, new)
    if not new:
        changed = changed.replace("[[exemption]]", f"{LIMIT_ONE}[[exemption]]")  # limits in another order
    assert changed != POLICY
    assert digest_of(changed) == digest_of(POLICY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("amount = 5", "amount = 6"),
        ('["x", "y"]', '["x"]'),
        ("longest_s = 60", "longest_s = 61"),
        ('action = "throttle"', 'action = "watch"'),
        ('when.limits = ["one", "two"]', 'retry_after_s = 9\nwhen.limits = ["one", "two"]'),
        ('"k", "l"', '"k"'),
        (COHORT_A, ""),
    ],
)
def test_what_changes_a_decision_changes_the_digest(old: str, new: str) -> None:
    changed = POLICY.replace(old, new)
    if not new:
        changed = changed.replace("[[limit]]", f"{COHORT_A}[[limit]]", 1)  # the first cohort that fits wins
    assert digest_of(changed) != digest_of(POLICY)


BLOCKED = rule("blocked", "block", '{ verdict = ["block"] }')
HANDLE = rule("handle", "block", "{ handle = true }")


def test_a_rule_is_tried_once_its_policy_was_replayed(tmp_path: Path) -> None:
    file = write_policy(tmp_path / "p.toml", BLOCKED, HANDLE)
    assert untried_rules(load_policy(file), file) == dict.fromkeys(("blocked", "handle"), "it was never replayed")
    verdicts = write_verdicts(tmp_path / "v.jsonl", {"a": "block"})
    window = write_exchanges(tmp_path / "w.jsonl", [exchange(0, "a", 0)])
    path = keep(outcome_of(file, window, verdicts=verdicts), file, datetime(2026, 6, 1, tzinfo=UTC))
    assert path == kept_path(file) == tmp_path / "p.toml.backtest.json"
    assert '"at": "2026-06-01T00:00:00Z"' in path.read_text()
    assert [*untried_rules(load_policy(file), file)] == ["handle"]  # no handle was in the exchanges
    assert untried_rules(policy(BLOCKED, HANDLE.replace('"enforce"', '"shadow"')), file) == {}
    assert "has changed" in untried_rules(policy(BLOCKED), file)["blocked"]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[" * 100_000])
def test_a_spoilt_file_is_no_replay(tmp_path: Path, content: bytes) -> None:
    file = write_policy(tmp_path / "p.toml", BLOCKED)
    kept_path(file).write_bytes(content)
    assert "p.toml.backtest.json cannot be read" in untried_rules(load_policy(file), file)["blocked"]
