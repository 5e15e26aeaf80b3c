import math
import random

import pytest
from msgspec.structs import replace
from tests.detection.findings import campaigns, factories

from stillwatch.detection.findings.canonical import (
    canonical_account,
    canonical_calibration,
    canonical_campaign,
    canonical_verdict,
)
from stillwatch.detection.findings.model import CalibrationRow, Evidence, Reason, Verdict


def test_numbers_are_rounded_and_negative_zero_is_zero() -> None:
    finding = canonical_account(
        factories.account(
            "a",
            score_bits=1.23456,
            p_value=0.000123456789,
            reasons=[Reason(signal="s", bits=-0.0001, p_value=None, detail="")],
        )
    )
    assert finding.score_bits == 1.235
    assert finding.p_value == 0.000123457
    assert math.copysign(1, finding.reasons[0].bits) == 1


def test_reasons_come_by_weight() -> None:
    reasons = [Reason(signal=name, bits=bits, p_value=None, detail="") for name, bits in (("b", 1), ("c", 5), ("a", 1))]
    finding = canonical_account(factories.account("a", reasons=reasons))
    assert [reason.signal for reason in finding.reasons] == ["c", "a", "b"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_cannot_say_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="must not carry"):
        canonical_account(factories.account("a", score_bits=value))
    with pytest.raises(ValueError, match="must not carry"):
        canonical_campaign(
            campaigns.harvest(evidence=[Evidence(factor="volume", signal="s", bits=1.0, p_value=value, detail="")])
        )


def test_a_campaign_is_the_same_in_any_order() -> None:
    campaign = campaigns.harvest()
    chance = random.Random(5)
    parts = {
        name: chance.sample(getattr(campaign, name), len(getattr(campaign, name)))
        for name in ("accounts", "models", "templates", "evidence", "timeline", "shared_keys")
    }
    parts["templates"] = [replace(t, account_ids=t.account_ids[::-1]) for t in parts["templates"]]
    assert canonical_campaign(replace(campaign, **parts)) == canonical_campaign(campaign)


def test_alternatives_keep_their_order() -> None:
    campaign = campaigns.harvest()
    assert canonical_campaign(campaign).alternatives == campaign.alternatives


def test_calibration_and_verdicts() -> None:
    row = CalibrationRow(
        segment="s", accounts=3, held_out=3, declared_fpr=0.1, realised_fpr=1 / 3, low=None, high=None, source="window"
    )
    assert canonical_calibration(row).realised_fpr == 0.333333
    verdict = Verdict(
        account_id="a", action="watch", reason_code="r", ttl_s=1, campaign_id=None, template_bands=["b", "a"]
    )
    assert canonical_verdict(verdict).template_bands == ["a", "b"]
