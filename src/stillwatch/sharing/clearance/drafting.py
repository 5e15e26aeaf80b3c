"""From rulings to objects that have passed the gate, with their ids and times."""

from collections.abc import Sequence

import msgspec

from stillwatch.sharing.clearance.build import DAY_S, Draft, build_objects, confidence_of
from stillwatch.sharing.clearance.egress import check_egress
from stillwatch.sharing.clearance.events import ObjectMade
from stillwatch.sharing.clearance.model import Kept, Ruling, Terms
from stillwatch.sharing.clearance.outbox import Outbox
from stillwatch.sharing.objects.build import Object, Origin, timestamp
from stillwatch.sharing.objects.extensions import SHARING, Iep, Sharing
from stillwatch.sharing.objects.extensions import Cleared as ClearedBy

IEP = Iep(
    id="5f1c1f0a-6a0c-4f5e-9f0e-2f6a5d1f7c11",
    name="stillwatch default",
    encrypt_in_transit="must",
    permitted_actions="internally-visible",
    affected_party_notifications="may",
    attribution="must-not",
    unmodified_resale="must-not",
)
"""What recipients may do unless the producer says otherwise (FIRST IEP 2.0). The marking stays the authority."""
_TICK_S = 0.001


def drafts_of(
    outbox: Outbox, kept: Kept, rulings: Sequence[Ruling], rules_version: str, log_digest: str, now_s: float
) -> list[Draft]:
    """Return the objects that tell what leaves of an item; none while nobody stands for who is not to be named.

    Args:
        outbox: whose member sends them.
        kept: the item and its terms.
        rulings: on the facts of the item.
        rules_version: that of the rules that ship, which any table keeps to: a version of one's own is one's own word.
        log_digest: the entry of the log with the rulings.
        now_s: Unix seconds.

    Raises:
        PolicyRefusedError: one of them does not pass the gate, so none of them leaves.
    """
    item, terms = kept.item, kept.terms
    creator = outbox.member.hidden_by if terms.anonymous else outbox.member.member_id
    if not creator:
        return []
    bases = sorted({basis for ruling in rulings if ruling.state == "leaves" for basis in ruling.bases})
    log_digest = outbox.log_digest(log_digest, anonymous=terms.anonymous)
    sharing = Sharing(
        recipients=terms.recipients,
        correlate=terms.correlate,
        anonymous=terms.anonymous,
        iep=IEP,
        cleared=ClearedBy(rules_version=rules_version, bases=tuple(bases), log_digest=log_digest),
    )
    confidence = confidence_of(rulings)
    origin = Origin(created_by=creator, at=now_s, tlp=terms.tlp, sharing=sharing, confidence=confidence)

    def identify(place: str, kind: str) -> str:
        return outbox.object_id(item, place, kind, anonymous=terms.anonymous)

    drafts = build_objects(item, rulings, origin, identify)
    for draft in drafts:
        check_egress(draft.body, draft.rulings, origin, identify("campaign", "campaign"))
    return [msgspec.structs.replace(draft, body=_timed(outbox, draft.body, terms, now_s)) for draft in drafts]


def later_than(last: ObjectMade | None, now_s: float, *, anonymous: bool) -> float:
    """Return now, or where the clock stands or went back, the next moment after the latest version (Unix seconds).

    Of what is anonymous, it is the midnight before: the moment of its clearing would show what else is the member's.
    """
    at = now_s - now_s % DAY_S if anonymous else now_s
    return at if last is None else max(at, last.ts + _TICK_S)


def content_of(body: Object) -> Object:
    """Return what of an object makes a new version worth sending: all but its times and the entry that cleared it.

    It is what JSON tells, so that an object that was just built compares with one that was read.
    """
    told: Object = msgspec.json.decode(msgspec.json.encode(body))
    kept = {name: value for name, value in told.items() if name not in ("created", "modified")}
    extensions = dict(kept.get("extensions", {}))
    extensions[SHARING] = {name: value for name, value in extensions.get(SHARING, {}).items() if name != "cleared"}
    return {**kept, "extensions": extensions}


def _timed(outbox: Outbox, body: Object, terms: Terms, now_s: float) -> Object:
    if "modified" not in body:
        return body
    at = later_than(outbox.latest_of(body["id"]), now_s, anonymous=terms.anonymous)
    created = outbox.created(body["id"])
    return {**body, "created": timestamp(at if created is None else created), "modified": timestamp(at)}
