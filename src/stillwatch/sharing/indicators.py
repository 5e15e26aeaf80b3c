"""From objects that others shared to indicators that detection and enforcement read; none says what to do."""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from stillwatch.records.indicators import ReceivedIndicator
from stillwatch.sharing.objects.extensions import harvest_of, sharing_of
from stillwatch.sharing.objects.vocabulary import confidence_word
from stillwatch.sharing.received import Received


def indicators_in(objects: Iterable[Received], disputed: AbstractSet[str], now_s: float) -> Iterator[ReceivedIndicator]:
    """Yield the indicators with a prompt frame that hold at a moment (Unix seconds) and that nobody disputes.

    What somebody disputes is left out until its owner corrects it: an error must not go on raising suspicion.
    """
    campaigns: dict[str, str] = {}
    found: list[tuple[Received, dict[str, Any]]] = []
    for received in objects:
        if received.kind not in ("indicator", "relationship"):
            continue
        body = _decoded(received.raw)
        if body is None or body.get("revoked"):
            continue
        if received.kind == "relationship":
            if body.get("relationship_type") == "indicates":
                campaigns[str(body.get("source_ref"))] = str(body.get("target_ref"))
        elif received.object_id not in disputed:
            found.append((received, body))
    for received, body in found:
        indicator = _indicator(received, body, campaigns.get(received.object_id))
        if indicator is not None and indicator.holds(now_s):
            yield indicator


def _decoded(raw: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.MsgspecError:
        return None


def _indicator(received: Received, body: dict[str, Any], campaign: str | None) -> ReceivedIndicator | None:
    try:
        harvest, sharing = harvest_of(body), sharing_of(body)
    except msgspec.ValidationError:
        return None
    if harvest is None or not harvest.template_bands or received.source is None:
        return None
    stated = body.get("confidence")
    cleared = None if sharing is None else sharing.cleared
    told = {
        "indicator_id": received.object_id,
        "campaign_ref": campaign,
        "source": received.source,
        "template_bands": harvest.template_bands,
        "confidence": confidence_word(stated if isinstance(stated, int) else None) or "low",
        "circumvention": harvest.circumvention,
        "valid_from": body.get("valid_from"),
        "valid_until": body.get("valid_until"),
        "cleared": None if cleared is None else msgspec.to_builtins(cleared),
    }
    try:
        return msgspec.convert(told, ReceivedIndicator)
    except msgspec.ValidationError:
        return None
