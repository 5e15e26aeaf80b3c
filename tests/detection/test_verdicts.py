from pathlib import Path

from tests.detection.factories import FRAME, Traffic, casefile, population

from stillwatch.detection.campaigns.build import build_campaigns, judge_families
from stillwatch.detection.campaigns.identity import KnownCampaigns
from stillwatch.detection.campaigns.response import TTL_S
from stillwatch.detection.findings.model import ACTIONS, AccountFinding, Action
from stillwatch.detection.verdicts import template_bands, verdicts_of


def finding(name: str, action: Action, campaign_id: str | None) -> AccountFinding:
    return AccountFinding(
        account_id=name,
        exchanges=1,
        segment="api",
        score_bits=0.0,
        p_value=None,
        action=action,
        campaign_id=campaign_id,
        reasons=[],
        not_assessable=[],
    )


def test_only_accounts_that_are_not_simply_allowed_have_a_verdict() -> None:
    accounts = [
        finding("quiet", "allow", None),
        finding("known", "allow", "cmp-2"),
        finding("odd", "watch", None),
        finding("beside", "watch", "cmp-1"),
        finding("member", "challenge", "cmp-1"),
    ]
    found = {verdict.account_id: verdict for verdict in verdicts_of(accounts, {"cmp-1": ["aa", "bb"]})}
    assert {name: verdict.reason_code for name, verdict in found.items()} == {
        "odd": "unusual_account",
        "beside": "linked_to_campaign",
        "member": "campaign_member",
    }
    assert found["member"].template_bands == ["aa", "bb"]
    assert found["odd"].template_bands == []
    assert found["member"].ttl_s == TTL_S["challenge"]


def test_harder_verdicts_must_be_renewed_sooner() -> None:
    lasting = [TTL_S[action] for action in ACTIONS if action != "allow"]
    assert lasting == sorted(lasting, reverse=True)


def test_the_bands_of_a_harvest_are_those_that_its_prompts_share(tmp_path: Path) -> None:
    traffic = Traffic(1)
    traffic.strangers(40)
    traffic.together([f"pool-{number}" for number in range(12)], FRAME, each=6)
    people = population(tmp_path, traffic.rows)
    case = casefile(people)
    built = build_campaigns(case, judge_families(case), [], KnownCampaigns(tmp_path))
    (harvest,) = [one for one in built if one.campaign.kind == "harvest"]
    (bands,) = template_bands(people, built).values()
    assert 0 < len(bands) <= 32
    assert all(len(band) == 16 and int(band, 16) >= 0 for band in bands)
    assert list(template_bands(people, built)) == [harvest.campaign.campaign_id]
