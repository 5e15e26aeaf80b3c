"""The schema below is ours, written from the published definition of class 2004: required attributes, enumerations,
and the "at least one" constraints of its objects. Unknown attributes are refused, so that a typo cannot pass.
"""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import UNSET, Meta, Struct, UnsetType
from tests.detection.findings import campaigns, factories

from stillwatch.detection.findings.ocsf import detection_finding
from stillwatch.detection.findings.run import RunFacts, Window

Text = Annotated[str, Meta(min_length=1)]
Millis = Annotated[int, Meta(ge=1_400_000_000_000, le=4_000_000_000_000)]
Atlas = Annotated[str, Meta(pattern=r"^AML\.T\d{4}(\.\d{3})?$")]


class Strict(Struct, forbid_unknown_fields=True, kw_only=True):
    pass


class Product(Strict):
    name: Text
    vendor_name: Text
    version: Text


class Metadata(Strict):
    version: Annotated[str, Meta(pattern=r"^1\.\d+\.\d+$")]
    product: Product
    uid: Text | UnsetType = UNSET
    log_name: Text | UnsetType = UNSET


class Technique(Strict):
    uid: Atlas
    name: Text


class Attack(Strict):
    technique: Technique
    version: Text
    sub_technique: Technique | UnsetType = UNSET


class Analytic(Strict):
    type_id: Literal[0, 1, 2, 3, 4, 99]
    type: Text
    name: Text
    uid: Text


class FindingInfo(Strict):
    uid: Text
    title: Text
    desc: Text
    types: list[Text]
    created_time: Millis
    first_seen_time: Millis
    last_seen_time: Millis
    analytic: Analytic
    attacks: list[Attack]


class User(Strict):
    uid: Text


class Actor(Strict):
    user: User


class Evidences(Strict):
    data: dict[str, Any]
    name: Text
    actor: Actor | UnsetType = UNSET


class Resource(Strict):
    type: Text
    name: Text


class Remediation(Strict):
    desc: Text


class DetectionFinding(Strict):
    activity_id: Literal[1]
    activity_name: Literal["Create"]
    category_uid: Literal[2]
    category_name: Literal["Findings"]
    class_uid: Literal[2004]
    class_name: Literal["Detection Finding"]
    type_uid: Literal[200401]
    type_name: Literal["Detection Finding: Create"]
    time: Millis
    start_time: Millis
    end_time: Millis
    count: int
    severity_id: Literal[1, 2, 3, 4, 5, 6]
    severity: Literal["Informational", "Low", "Medium", "High", "Critical", "Fatal"]
    confidence_id: Literal[1, 2, 3]
    confidence: Literal["Low", "Medium", "High"]
    status_id: Literal[1]
    status: Literal["New"]
    is_alert: bool
    message: Text
    metadata: Metadata
    finding_info: FindingInfo
    evidences: list[Evidences]
    resources: list[Resource]
    remediation: Remediation
    unmapped: dict[str, Any]


RUN = RunFacts.of(factories.run_facts())


def techniques(event: dict[str, Any]) -> set[str]:
    attacks = event["finding_info"]["attacks"]
    return {part["uid"] for attack in attacks for key, part in attack.items() if key.endswith("technique")}


@pytest.mark.parametrize("campaign", [campaigns.harvest(), campaigns.benchmark()], ids=lambda c: c.kind)
def test_events_meet_the_class(campaign: Any) -> None:
    event = detection_finding(campaign, RUN)
    decoded = msgspec.json.decode(msgspec.json.encode(event), type=DetectionFinding)
    assert decoded.finding_info.uid == campaign.campaign_id
    assert decoded.start_time <= decoded.end_time <= decoded.time


def test_severity_follows_what_is_recommended_and_only_a_harvest_alerts() -> None:
    assert detection_finding(campaigns.harvest(), RUN)["severity"] == "High"
    assert detection_finding(campaigns.harvest(recommended_action="challenge"), RUN)["severity"] == "Medium"
    quiet = detection_finding(campaigns.benchmark(), RUN)
    assert (quiet["severity"], quiet["is_alert"]) == ("Informational", False)


def test_techniques_follow_the_evidence() -> None:
    assert techniques(detection_finding(campaigns.harvest(), RUN)) == {
        "AML.T0024", "AML.T0024.002", "AML.T0040", "AML.T0021", "AML.T0012",
    }  # fmt: skip
    assert techniques(detection_finding(campaigns.benchmark(), RUN)) == set()


def test_a_proxy_is_named_only_where_controls_were_circumvented() -> None:
    evidence = [msgspec.structs.replace(campaigns.harvest().evidence[0], factor="circumvention")]
    bare = detection_finding(campaigns.harvest(evidence=evidence, accounts=[]), RUN)
    assert techniques(bare) == {"AML.T0024", "AML.T0024.002", "AML.T0040", "AML.T0008", "AML.T0008.005"}


def test_prompt_text_never_goes_into_the_event() -> None:
    encoded = msgspec.json.encode(detection_finding(campaigns.harvest(), RUN))
    assert b"careful grader" not in encoded
    assert b"Show every step" not in encoded


def test_members_are_capped_and_counted() -> None:
    event = detection_finding(campaigns.benchmark(), RUN)
    assert sum(evidence["name"] == "account" for evidence in event["evidences"]) == 100
    assert (event["unmapped"]["accounts"], event["unmapped"]["accounts_listed"]) == (140, 100)


def test_time_is_the_end_of_the_window_or_of_the_campaign() -> None:
    window = Window(first="2026-05-01T00:00:00Z", last="2026-05-31T00:00:00Z")
    assert detection_finding(campaigns.harvest(), RunFacts(window=window))["time"] == 1_780_185_600_000
    bare = detection_finding(campaigns.harvest(), RunFacts())
    assert bare["time"] == bare["end_time"]
