import typing

from tests.detection.findings import campaigns, factories

from stillwatch.detection.findings import wording
from stillwatch.detection.findings.model import ACTIONS, CalibrationRow, Confidence, Factor, Kind, Member, Role


def test_every_code_has_words() -> None:
    assert set(wording.KIND_NAME) == set(wording.KIND_MEANING) == set(typing.get_args(Kind))
    assert set(wording.ACTION_MEANING) == set(ACTIONS)
    assert set(wording.CONFIDENCE_MEANING) == set(typing.get_args(Confidence))
    assert set(wording.FACTOR_NAME) == set(typing.get_args(Factor))
    assert set(wording.ROLE_NAME) == set(wording.ROLE_MEANING) == set(typing.get_args(Role))


def test_headline_counts_an_account_of_two_harvests_once() -> None:
    twice = factories.findings(campaigns=[campaigns.harvest(), campaigns.harvest(campaign_id="other")])
    assert wording.headline(twice) == "2 harvests found, 24 accounts in all"


def test_headline_without_a_harvest() -> None:
    only_benchmark = factories.findings(campaigns=[campaigns.benchmark()])
    assert wording.headline(only_benchmark) == "No harvest found; 1 group of accounts acting alike for other reasons"
    assert wording.headline(factories.empty_findings()) == "No campaign found"


def test_overview_adds_up() -> None:
    found = [campaigns.harvest(), campaigns.benchmark()]
    text = " ".join(wording.overview(found, accounts=466, limited=20, watched=146))
    assert "1 public benchmark" in text
    assert "limiting 20 accounts and watching 146; nothing changes for the other 300" in text
    assert wording.overview([], accounts=9, limited=0, watched=0) == ["No account needs attention."]
    assert wording.overview([], accounts=0, limited=0, watched=0) == ["There was no traffic to look at."]


def test_a_harvest_is_told_with_its_limits() -> None:
    text = " ".join(wording.campaign_sentences(campaigns.harvest()))
    assert "24 accounts sent 18,432 exchanges between 9 May 2026 and 24 May 2026" in text
    assert "does not show who is behind" in text
    assert "once in 830 million such windows" in text
    assert "its owner is a victim" in text


def test_an_innocent_group_is_not_told_like_an_attack() -> None:
    text = " ".join(wording.campaign_sentences(campaigns.benchmark()))
    assert "nothing to contain" in text
    assert "innocent people" not in text


def test_sentences_follow_the_data() -> None:
    one_day = campaigns.harvest(
        accounts=[Member(account_id="a", role="victim", share=1.0), Member(account_id="b", role="victim", share=1.0)],
        first_seen="2026-05-09T01:00:00Z",
        last_seen="2026-05-09T02:00:00Z",
        templates=[],
        p_value=None,
    )
    sentences = wording.campaign_sentences(one_day)
    assert sentences[0] == "2 accounts sent 18,432 exchanges on 9 May 2026."
    assert sentences[-1] == "2 of the accounts look taken over; their owners are victims and should be told."
    assert not any("by chance" in sentence for sentence in sentences)


def test_chance_of_zero_and_one() -> None:
    assert "practically never" in " ".join(wording.campaign_sentences(campaigns.harvest(p_value=0.0)))
    assert "every time" in " ".join(wording.campaign_sentences(campaigns.harvest(p_value=1.0)))


def test_roles_in_words() -> None:
    assert wording.roles_sentence(campaigns.harvest()) == (
        "20 accounts send the campaign's prompts; 3 only share its infrastructure; "
        "1 belongs to a real customer whose key or account was taken over."
    )
    assert wording.roles_sentence(campaigns.harvest(accounts=[])) == "No account is named."


def test_harvests_come_first_then_the_heaviest() -> None:
    light = campaigns.harvest(campaign_id="light", evidence=[])
    order = wording.by_importance([campaigns.benchmark(), light, campaigns.harvest()])
    assert [campaign.campaign_id for campaign in order][1:] == ["light", campaigns.benchmark().campaign_id]


def test_calibration_is_judged_by_its_interval() -> None:
    verdicts = [wording.calibration_verdict(row) for row in factories.calibration()]
    assert verdicts == ["Yes", "No: too many false alarms", "not known"]
    cautious = CalibrationRow(
        segment="s", accounts=9, held_out=9, declared_fpr=0.1, realised_fpr=0.0, low=0.0, high=0.05, source="window"
    )
    assert wording.calibration_verdict(cautious) == "Yes: fewer than declared"


def test_only_an_action_that_is_felt_limits_service() -> None:
    felt = [action for action in ACTIONS if wording.limits_service(factories.account("a", action=action))]
    assert felt == ["throttle", "challenge", "degrade", "block"]


def test_nobody_is_called_a_harvester_without_a_harvest() -> None:
    assert wording.role_name(campaigns.harvest(), "harvester") == "Harvester"
    assert wording.role_name(campaigns.benchmark(), "harvester") == "Sender"
    assert wording.role_name(campaigns.benchmark(), "victim") == "Victim"
