"""Builds the STIX 2.1 objects that members share: dictionaries, ready for `canonical`.

Each has its producer, a marking (TLP:AMBER+STRICT unless said otherwise) and times to the millisecond. Ids of domain
and relationship objects are random (UUID 4); ids of observables follow from their content (UUID 5, STIX 2.1, 2.9).
"""

import re
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import rfc8785

from stillwatch.errors import UsageError
from stillwatch.sharing.objects.atlas import references
from stillwatch.sharing.objects.extensions import Harvest, LlmAccount, Sharing, extensions_of
from stillwatch.sharing.objects.tlp import DEFAULT, MARKING_ID, Tlp
from stillwatch.sharing.objects.vocabulary import CONFIDENCE, Band, ConfidenceWord, OpinionWord, least

Object = dict[str, Any]

ENTITY_TYPES = frozenset({"identity", "intrusion-set", "threat-actor"})
"""Types that stand for somebody. Nobody's standing is put to opinions."""

_OBSERVABLES = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")  # the name space of STIX 2.1, section 2.9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IDENTITY = re.compile(r"identity--[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Who says something, when (Unix seconds), for whom, and how sure of it.

    Raises:
        UsageError: the producer is no id of an identity.
    """

    created_by: str
    at: float
    tlp: Tlp = DEFAULT
    sharing: Sharing | None = None
    confidence: ConfidenceWord | None = None

    def __post_init__(self) -> None:
        if not is_member_id(self.created_by):
            raise UsageError("an object needs a producer: created_by is the id of an identity")


def is_member_id(text: str) -> bool:
    """Return whether a text has the form of a member's id: that of its identity object."""
    return _IDENTITY.fullmatch(text) is not None


def new_id(kind: str) -> str:
    """Return a new random id of an object."""
    return f"{kind}--{uuid.uuid4()}"


def observable_id(kind: str, contributing: Object) -> str:
    """Return the id that STIX 2.1 prescribes for an observable with these contributing properties."""
    return f"{kind}--{uuid.uuid5(_OBSERVABLES, rfc8785.dumps(contributing).decode())}"


def timestamp(seconds: float) -> str:
    """Return Unix seconds as STIX writes times: UTC, milliseconds, Z."""
    moment = _EPOCH + timedelta(milliseconds=round(seconds * 1000))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def canonical(decoded: Object) -> bytes:
    """Return the bytes of an object that are signed and sent: RFC 8785.

    Raises:
        UsageError: it holds what that form cannot (integers beyond 2^53, NaN, no text as a key).
    """
    try:
        return rfc8785.dumps(decoded)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise UsageError("the object has no canonical form (RFC 8785)") from error


def identity(*, name: str, at: float, identifier: str | None = None, tlp: Tlp = DEFAULT) -> Object:
    """Return the identity of an organisation, which vouches for itself."""
    identifier = identifier or new_id("identity")
    origin = Origin(created_by=identifier, at=at, tlp=tlp)
    return _object("identity", origin, {"name": name, "identity_class": "organization"}, identifier=identifier)


def campaign(
    origin: Origin,
    *,
    name: str,
    first_seen: float | None = None,
    last_seen: float | None = None,
    harvest: Harvest | None = None,
    techniques: Iterable[str] = (),
    description: str | None = None,
) -> Object:
    """Return a campaign: accounts that act as one, described by its shape and never by its members."""
    if first_seen is not None and last_seen is not None:
        _in_order(first_seen, last_seen, "a campaign is last seen after it is first seen")
    body = {
        "name": name,
        "description": description,
        "first_seen": None if first_seen is None else timestamp(first_seen),
        "last_seen": None if last_seen is None else timestamp(last_seen),
        "external_references": references(techniques),
    }
    return _object("campaign", origin, body, harvest)


def indicator(
    origin: Origin,
    *,
    name: str,
    pattern: str,
    valid_from: float,
    valid_until: float,
    harvest: Harvest | None = None,
    techniques: Iterable[str] = (),
) -> Object:
    """Return an indicator: a STIX pattern that holds for a time. It says what to look for, never what to do.

    Raises:
        UsageError: it would not expire after it begins.
    """
    _in_order(valid_from, valid_until, "an indicator expires after it begins", strict=True)
    body = {
        "name": name,
        "indicator_types": ["anomalous-activity"],
        "pattern": pattern,
        "pattern_type": "stix",
        "pattern_version": "2.1",
        "valid_from": timestamp(valid_from),
        "valid_until": timestamp(valid_until),
        "external_references": references(techniques),
    }
    return _object("indicator", origin, body, harvest)


def infrastructure(
    origin: Origin,
    *,
    name: str,
    kinds: Sequence[str],
    first_seen: float,
    last_seen: float,
    description: str | None = None,
) -> Object:
    """Return infrastructure that campaigns used; `kinds` are words of STIX's infrastructure-type-ov."""
    _in_order(first_seen, last_seen, "infrastructure is last seen after it is first seen")
    body = {
        "name": name,
        "description": description,
        "infrastructure_types": list(kinds),
        "first_seen": timestamp(first_seen),
        "last_seen": timestamp(last_seen),
    }
    return _object("infrastructure", origin, body)


def observed_data(
    origin: Origin, *, first: float, last: float, number: Band, refs: Sequence[str], identifier: str | None = None
) -> Object:
    """Return what was observed, on observables `refs`; the number is the least of its band."""
    _in_order(first, last, "data is last observed after it is first observed")
    body = {
        "first_observed": timestamp(first),
        "last_observed": timestamp(last),
        "number_observed": least(number),
        "object_refs": list(refs),
    }
    return _object("observed-data", origin, body, identifier=identifier)


def sighting(
    origin: Origin,
    *,
    of: str,
    first_seen: float,
    last_seen: float,
    count: Band,
    where: Sequence[str] = (),
    observed: Sequence[str] = (),
) -> Object:
    """Return "seen here too" of a campaign, an indicator or infrastructure; the count is the least of its band.

    Raises:
        UsageError: `of` is somebody; what is seen is conduct.
    """
    _nobody([of], "a sighting is of conduct, not of somebody")
    _in_order(first_seen, last_seen, "it is last seen after it is first seen")
    body = {
        "sighting_of_ref": of,
        "first_seen": timestamp(first_seen),
        "last_seen": timestamp(last_seen),
        "count": least(count),
        "where_sighted_refs": list(where),
        "observed_data_refs": list(observed),
        "summary": True,
    }
    return _object("sighting", origin, body)


def opinion(origin: Origin, *, word: OpinionWord, refs: Sequence[str], explanation: str | None = None) -> Object:
    """Return agreement or disagreement with what objects state.

    Raises:
        UsageError: one of `refs` is somebody; there is no vote on an entity.
    """
    _nobody(refs, "an opinion is on a statement, not on somebody")
    return _object("opinion", origin, {"opinion": word, "explanation": explanation, "object_refs": list(refs)})


def note(origin: Origin, *, content: str, refs: Sequence[str], abstract: str | None = None) -> Object:
    """Return a text about objects."""
    return _object("note", origin, {"abstract": abstract, "content": content, "object_refs": list(refs)})


def relationship(origin: Origin, *, source: str, kind: str, target: str) -> Object:
    """Return a relationship: `kind` is a word of STIX, such as `indicates`, `uses`, `related-to`."""
    return _object("relationship", origin, {"relationship_type": kind, "source_ref": source, "target_ref": target})


def user_account(account: LlmAccount, *, user_id: str, tlp: Tlp = DEFAULT, sharing: Sharing | None = None) -> Object:
    """Return an account at a provider of models; `user_id` is a token or a pseudonym, never the provider's own id."""
    contributing = {"account_type": "llm-api", "user_id": user_id}
    return _observable("user-account", contributing, {}, tlp, account, sharing)


def address(value: str, *, tlp: Tlp = DEFAULT, sharing: Sharing | None = None) -> Object:
    """Return an address or a network (CIDR), IPv4 or IPv6."""
    return _observable("ipv6-addr" if ":" in value else "ipv4-addr", {"value": value}, {}, tlp, sharing)


def domain_name(value: str, *, tlp: Tlp = DEFAULT, sharing: Sharing | None = None) -> Object:
    """Return a domain name."""
    return _observable("domain-name", {"value": value}, {}, tlp, sharing)


def autonomous_system(
    number: int, *, name: str | None = None, tlp: Tlp = DEFAULT, sharing: Sharing | None = None
) -> Object:
    """Return an autonomous system."""
    return _observable("autonomous-system", {"number": number}, {"name": name}, tlp, sharing)


def revise(decoded: Object, *, at: float, **changes: Any) -> Object:
    """Return the next version of an object: same id, later `modified`; a change to None takes a property away.

    Raises:
        UsageError: `at` is not later than the version that it replaces, or the object was revoked.
    """
    if decoded.get("revoked"):
        raise UsageError("a revoked object has no further version")
    modified = timestamp(at)
    if modified <= decoded["modified"]:
        raise UsageError("a new version is later than the one that it replaces")
    return _present({**decoded, **changes, "modified": modified})


def revoke(decoded: Object, *, at: float) -> Object:
    """Return the version that withdraws an object for good."""
    return revise(decoded, at=at, revoked=True)


def _object(
    kind: str, origin: Origin, body: Object, harvest: Harvest | None = None, *, identifier: str | None = None
) -> Object:
    moment = timestamp(origin.at)
    common = {
        "type": kind,
        "spec_version": "2.1",
        "id": identifier or new_id(kind),
        "created_by_ref": origin.created_by,
        "created": moment,
        "modified": moment,
        "confidence": CONFIDENCE[origin.confidence] if origin.confidence else None,
        "object_marking_refs": [MARKING_ID[origin.tlp]],
        "extensions": extensions_of(origin.sharing, harvest),
    }
    return _present({**common, **body})


def _observable(kind: str, contributing: Object, more: Object, tlp: Tlp, *parts: Sharing | LlmAccount | None) -> Object:
    common = {
        "type": kind,
        "spec_version": "2.1",
        "id": observable_id(kind, contributing),
        "object_marking_refs": [MARKING_ID[tlp]],
        "extensions": extensions_of(*parts),
    }
    return _present({**common, **contributing, **more})


def _present(body: Object) -> Object:
    """Drop what is empty: STIX knows no null, no empty list and no empty dictionary."""
    return {name: value for name, value in body.items() if value is not None and value not in ([], {})}


def _in_order(first: float, last: float, message: str, *, strict: bool = False) -> None:
    if timestamp(last) < timestamp(first) or (strict and timestamp(last) == timestamp(first)):
        raise UsageError(message)


def _nobody(refs: Sequence[str], message: str) -> None:
    if any(ref.partition("--")[0] in ENTITY_TYPES for ref in refs):
        raise UsageError(message)
