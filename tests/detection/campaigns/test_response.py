from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.detection.factories import evidence

from stillwatch.detection.campaigns.evidence import INDEPENDENT, REPORTED
from stillwatch.detection.campaigns.response import campaign_action, confidence_of, independent_kinds
from stillwatch.detection.findings.model import ACTIONS

SIGNALS = (
    *("template_linkage", "repeat_use", "partition", "shared_identity", "shared_address", "first_use_synchrony"),
    *("first_seen_synchrony", "harvest_intent", "release_pivot", "handle_replay", "novel_mass", "account_outlier"),
)
PIECES = st.lists(st.builds(evidence, st.sampled_from(SIGNALS), st.floats(-10, 30)), max_size=8)
KINDS = st.sampled_from(["harvest", "public_benchmark", "single_organisation", "authorised", "unclear"])


@given(kind=KINDS, pieces=PIECES, calibrated=st.booleans())
def test_only_a_harvest_carries_more_than_watch(kind: Any, pieces: list[Any], *, calibrated: bool) -> None:
    action = campaign_action(kind, confidence_of(pieces), pieces, calibrated=calibrated)
    if kind != "harvest":
        assert ACTIONS.index(action) <= ACTIONS.index("watch")


@given(pieces=PIECES, calibrated=st.booleans())
def test_block_takes_history_and_an_independent_kind_of_evidence(pieces: list[Any], *, calibrated: bool) -> None:
    action = campaign_action("harvest", confidence_of(pieces), pieces, calibrated=calibrated)
    if action == "block":
        assert calibrated
        assert any(piece.signal in INDEPENDENT and piece.bits > 6 for piece in pieces)
        assert sum(piece.bits for piece in pieces) >= 40


def test_no_kind_of_evidence_that_blocks_can_come_from_volume_novelty_or_one_place() -> None:
    assert {"shared_identity", "handle_replay"} == INDEPENDENT


def test_a_block_is_reached() -> None:
    pieces = [evidence("template_linkage", 30.0), evidence("repeat_use", 10.0), evidence("shared_identity", 12.0)]
    assert confidence_of(pieces) == "high"
    assert independent_kinds(pieces) == ["shared_identity"]
    assert campaign_action("harvest", "high", pieces, calibrated=True) == "block"
    assert campaign_action("harvest", "high", pieces, calibrated=False) == "challenge"


def test_confidence_follows_the_bits_and_is_never_high_by_one_kind_alone() -> None:
    assert confidence_of([]) == "low"
    assert confidence_of([evidence("template_linkage", 15.0)]) == "moderate"
    assert confidence_of([evidence("template_linkage", 300.0)]) == "moderate"
    assert confidence_of([evidence("template_linkage", 300.0), evidence("shared_identity", 2.0)]) == "moderate"


def test_weak_evidence_throttles() -> None:
    assert campaign_action("harvest", "low", [], calibrated=True) == "throttle"
    assert campaign_action("unclear", "low", [], calibrated=True) == "watch"


@given(pieces=PIECES, bits=st.floats(0, 300), calibrated=st.booleans())
def test_a_shared_indicator_changes_neither_confidence_nor_action(
    pieces: list[Any], bits: float, *, calibrated: bool
) -> None:
    told = [*pieces, evidence(REPORTED, bits)]
    assert confidence_of(told) == confidence_of(pieces)
    assert independent_kinds(told) == independent_kinds(pieces)
    before = campaign_action("harvest", confidence_of(pieces), pieces, calibrated=calibrated)
    assert campaign_action("harvest", confidence_of(told), told, calibrated=calibrated) == before
