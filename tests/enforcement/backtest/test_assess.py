from dataclasses import replace

import pytest
from tests.enforcement.factories import policy, rule

from stillwatch.enforcement.backtest.assess import Given, not_assessable, notes

ALL = Given(
    fields=frozenset({"output_tokens", "reasoning_handle", "reasoning_handle_account", "operation", "org_id"}),
    texts=True,
    verdicts=True,
    bands=True,
    reports=True,
    accounts=True,
    registry=True,
)
LIMITS = (
    '[[limit]]\nid = "t"\ncounts = "tokens"\namount = 1\nper = "day"',
    '[[limit]]\nid = "u"\ncounts = "unseen_templates"\namount = 1\nper = "day"\ncohorts = ["free"]',
)
POLICY = policy(
    '[[cohort]]\nid = "ours"\norg_ids = ["o"]',
    '[[cohort]]\nid = "free"\nplans = ["free"]',
    *LIMITS,
    rule("verdict", "watch", '{ verdict = ["watch"], cohorts = ["ours"] }'),
    rule("text", "challenge", "{ text = true }"),
    rule("handle", "block", "{ handle = true }"),
    rule("tokens", "throttle", '{ limits = ["t"], operations = ["chat"] }'),
    rule("either", "watch", '{ limits = ["t", "u"] }'),
    '[[budget]]\ncohort = "free"\noverturned = 2',
    '[[exemption]]\nid = "x"\nreason = "r"\nregistry_kinds = ["researcher"]',
)
TEXT = "text, or sketches of it, in the exchanges"
TOKENS = "the field output_tokens in the exchanges"
RECORDS = "account records (--accounts)"


def without(**less: object) -> Given:
    return replace(ALL, **less)  # type: ignore[arg-type]


HANDLES = ["the field reasoning_handle in the exchanges", "the field reasoning_handle_account in the exchanges"]
VERDICTS = "verdicts (--verdicts)"
BANDS = "verdicts that name texts of campaigns (--verdicts)"


@pytest.mark.parametrize(
    ("less", "missing"),
    [
        ({}, {}),
        ({"verdicts": False, "bands": False}, {"verdict": [VERDICTS], "text": [BANDS]}),
        ({"texts": False}, {"text": [TEXT]}),
        ({"accounts": False}, {}),
        ({"fields": frozenset({"operation", "org_id"})}, {"handle": HANDLES, "tokens": [TOKENS]}),
        (
            {"texts": False, "fields": ALL.fields - {"output_tokens"}},
            {"text": [TEXT], "tokens": [TOKENS], "either": [TOKENS, TEXT]},
        ),
        (
            {"accounts": False, "fields": ALL.fields - {"output_tokens", "operation", "org_id"}},
            {
                "verdict": ["the field org_id in the exchanges"],
                "tokens": ["the field operation in the exchanges", TOKENS],
                "either": [TOKENS, RECORDS],
            },
        ),
    ],
)
def test_a_rule_is_assessable_where_all_it_waits_for_can_be_told(
    less: dict[str, object], missing: dict[str, list[str]]
) -> None:
    assert not_assessable(POLICY, without(**less)) == missing


def test_a_reader_is_told_what_the_replay_rests_on() -> None:
    said = notes(POLICY, without(accounts=False, registry=False))
    assert [line.split(maxsplit=2)[:2] for line in said] == [
        ["The", "verdicts"],
        ["No", "registry"],
        ["Cohort", '"free"'],
        ["What", "reviewers"],
    ]
    assert len(notes(POLICY, ALL)) == 2


def test_a_rule_on_texts_alone_lacks_what_it_hears() -> None:
    asked = policy(
        rule("ours", "challenge", '{ text = true, reason_codes = ["campaign_text"] }'),
        rule("theirs", "watch", '{ text = true, reason_codes = ["received_indicator"] }'),
        rule("found", "watch", '{ text = true, verdict = ["watch"], reason_codes = ["received_indicator"] }'),
    )
    assert not_assessable(asked, ALL) == {}
    assert not_assessable(asked, without(reports=False)) == {"theirs": ["what other providers reported (--received)"]}
    assert not_assessable(asked, without(bands=False)) == {"ours": [BANDS], "found": [BANDS]}
