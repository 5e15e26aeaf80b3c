"""Builds STIX objects out of rulings, and of nothing else: a fact that was not ruled to leave cannot get in here."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from stillwatch.sharing.clearance.circumvention import circumventions
from stillwatch.sharing.clearance.model import Item, Ruling
from stillwatch.sharing.objects import build, patterns
from stillwatch.sharing.objects.build import Object, Origin
from stillwatch.sharing.objects.extensions import AccountToken, Alternative, Harvest, LlmAccount
from stillwatch.sharing.objects.vocabulary import ConfidenceWord, TokenKind

DAY_S = 86_400
_WEEK_S = 7 * DAY_S
_LAST_DAY_S = 253_402_214_400
"""The last day of the year 9999."""
_INDICATOR_DAYS = 90
_ADDRESS_DAYS = 7
_TOKEN_KINDS: tuple[TokenKind, ...] = ("email", "payment", "phone", "device")
_MOST_TOKENS = 64
_MOST_MODELS = 32
_MOST_BANDS = 256
_VALUES_EACH = 200
"""Addresses or domains in one indicator, and lines in one note: what a hub takes as one pattern and one object."""
CONFIDENCE_FIELD = "finding.confidence"
OF_CAMPAIGN = (
    "cluster.accounts", "cluster.lifetime", "cluster.synchrony", "finding.alternatives", "finding.circumvention",
    CONFIDENCE_FIELD, "tactic.techniques", "target.capability", "target.models", "volume.exchanges",
)  # fmt: skip
_STRUCTURED = frozenset(
    {
        *OF_CAMPAIGN, "account.id", "identity.device", "identity.email", "identity.payment", "identity.phone",
        "infrastructure.asn", "infrastructure.hosting_ip", "infrastructure.reseller_domain",
        "infrastructure.residential_prefix", "template.bands", "template.text",
    }
)  # fmt: skip
"""Fields with a place of their own; all others leave as lines of a note."""

Identify = Callable[[str, str], str]
"""Takes the place of an object within its item and its type; returns an id that stays the same from run to run."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An object before it has a version, and the rulings that it rests on."""

    body: Object
    rulings: tuple[Ruling, ...]


def build_objects(item: Item, rulings: Sequence[Ruling], origin: Origin, identify: Identify) -> list[Draft]:
    """Return the objects that tell what leaves of an item; none where nothing does."""
    leaving = [ruling for ruling in rulings if ruling.state == "leaves" and ruling.channel == "hub"]
    if not leaving:
        return []
    builder = _Builder(item, leaving, origin, identify)
    drafts = [*builder.template(), *builder.infrastructure(), *builder.accounts(), *builder.notes()]
    return [*builder.campaign(drafts), *drafts]


def confidence_of(rulings: Sequence[Ruling]) -> ConfidenceWord | None:
    """Return how sure a finding is, where that leaves."""
    found = _confidence(rulings)
    word: ConfidenceWord | None = found[0].value if found else None
    return word


def _confidence(rulings: Sequence[Ruling]) -> tuple[Ruling, ...]:
    told = (one for one in rulings if one.field == CONFIDENCE_FIELD and one.state == "leaves" and one.channel == "hub")
    return tuple(told)[:1]


class _Builder:
    def __init__(self, item: Item, leaving: Sequence[Ruling], origin: Origin, identify: Identify) -> None:
        self._item, self._origin, self._identify = item, origin, identify
        self._by_field: dict[str, list[Ruling]] = defaultdict(list)
        self._tokens: dict[str, list[tuple[TokenKind, Ruling]]] = defaultdict(list)
        for ruling in leaving:
            self._by_field[ruling.field].append(ruling)
            area, _, kind = ruling.field.partition(".")
            if area == "identity" and kind in _TOKEN_KINDS and ruling.account is not None:
                self._tokens[ruling.account].append((kind, ruling))
        self._campaign_id = identify("campaign", "campaign")
        self._confidence = _confidence(leaving)
        """Stands on every object that has a place for it."""

    def _rulings(self, *fields: str) -> tuple[Ruling, ...]:
        return tuple(ruling for field in fields for ruling in self._by_field.get(field, ()))

    def _one(self, field: str) -> Any:
        found = self._by_field.get(field)
        return found[0].value if found else None

    def _listed(self, field: str) -> list[Any]:
        values = [ruling.value for ruling in self._by_field.get(field, ())]
        return [one for value in values for one in (value if isinstance(value, list) else [value])]

    def _many(self, field: str) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(self._listed(field)))

    def _shape(self) -> Harvest:
        capability = self._many("target.capability")
        return Harvest(
            accounts_band=self._one("cluster.accounts"),
            exchanges_band=self._one("volume.exchanges"),
            lifetime_band=self._one("cluster.lifetime"),
            synchrony=self._one("cluster.synchrony"),
            capability=capability[0] if capability else None,
            models_after_release=self._many("target.models")[:_MOST_MODELS],
            alternatives=tuple(msgspec.convert(one, Alternative) for one in self._listed("finding.alternatives")),
            circumvention=circumventions(self._many("finding.circumvention")),
        )

    def campaign(self, others: Sequence[Draft]) -> list[Draft]:
        """Return the campaign, where something of it leaves; bare, where another object must name one (STIX 2.1)."""
        rulings = self._rulings(*OF_CAMPAIGN)
        if not rulings and not any(self._campaign_id in _refs(draft.body) for draft in others):
            return []
        first, last = self._weeks()
        body = build.campaign(
            self._origin,
            name=f"Harvest {self._campaign_id[-12:]}",
            first_seen=first,
            last_seen=last,
            harvest=self._shape(),
            techniques=self._many("tactic.techniques"),
        )
        return [Draft(body={**body, "id": self._campaign_id}, rulings=rulings)]

    def _weeks(self) -> tuple[float, float] | tuple[None, None]:
        """Return the Mondays of the weeks of first and last seen, where the lifetime leaves and the item has times."""
        if self._item.last_seen <= 0 or self._one("cluster.lifetime") is None:
            return None, None
        first = _monday(self._item.first_seen)
        return first, max(first, _monday(self._item.last_seen))

    def template(self) -> list[Draft]:
        bands = self._many("template.bands")[:_MOST_BANDS]
        if not bands:
            return []
        texts = self._many("template.text")
        shape = Harvest(
            circumvention=circumventions(self._many("finding.circumvention")),
            template_bands=bands,
            template_text=texts[0] if texts else None,
        )
        pattern = patterns.template_pattern(bands)
        rulings = self._rulings("template.bands", "template.text", "finding.circumvention")
        until_s = self._end() + _INDICATOR_DAYS * DAY_S
        return self._indicator("template", "Prompt frame", pattern, rulings, until_s, shape)

    def infrastructure(self) -> list[Draft]:
        drafts: list[Draft] = []
        for field, name, pattern_of in (
            ("infrastructure.hosting_ip", "Addresses", patterns.address_pattern),
            ("infrastructure.residential_prefix", "Networks", patterns.address_pattern),
            ("infrastructure.reseller_domain", "Domains", patterns.domain_pattern),
        ):
            for number, rulings in enumerate(_in_parts(self._rulings(field))):
                ends = [whole_day(ruling.expires_at) for ruling in rulings if ruling.expires_at is not None]
                until_s = min(ends, default=self._end() + _ADDRESS_DAYS * DAY_S)
                pattern = pattern_of(list(dict.fromkeys(str(ruling.value) for ruling in rulings)))
                drafts += self._indicator(f"{field}-{number}", name, pattern, rulings, until_s, None)
        for ruling in self._rulings("infrastructure.asn"):
            body = build.autonomous_system(ruling.value, tlp=self._origin.tlp, sharing=self._origin.sharing)
            drafts.append(Draft(body=body, rulings=(ruling,)))
        return _once(drafts)

    def accounts(self) -> list[Draft]:
        """Return accounts by pseudonym, each with its tokens; tokens without an account's name do not leave."""
        drafts = []
        for named in self._by_field.get("account.id", ()):
            told = self._tokens.get(named.account or "", [])
            if not told:
                continue
            scheme, epoch, _ = str(told[-1][1].value).split(":", 2)
            tokens = {ruling.value: (kind, ruling) for kind, ruling in told if _is_of(ruling, scheme, epoch)}
            tokens = dict(list(tokens.items())[:_MOST_TOKENS])
            account = LlmAccount(
                token_scheme=scheme,
                token_epoch=epoch,
                tokens=tuple(AccountToken(kind=kind, token=token) for token, (kind, _) in tokens.items()),
            )
            body = build.user_account(account, user_id=named.value, tlp=self._origin.tlp, sharing=self._origin.sharing)
            drafts.append(Draft(body=body, rulings=(named, *(ruling for _, ruling in tokens.values()))))
        return _once(drafts)

    def notes(self) -> list[Draft]:
        others = self._rulings(*(field for field in sorted(self._by_field) if field not in _STRUCTURED))
        drafts = []
        for number, rulings in enumerate(_in_parts(others)):
            body = build.note(self._origin, content=lines_of(rulings), refs=[self._campaign_id])
            told = (*rulings, *self._confidence)
            drafts.append(Draft(body={**body, "id": self._identify(f"note-{number}", "note")}, rulings=told))
        return drafts

    def _end(self) -> float:
        """Return the end of the week of last seen, from which indicators are counted: an end says no day either."""
        return _monday(self._item.last_seen) + _WEEK_S

    def _indicator(
        self, place: str, name: str, pattern: str, rulings: tuple[Ruling, ...], until_s: float, shape: Harvest | None
    ) -> list[Draft]:
        first, _ = self._weeks()
        start = min(_monday(self._item.last_seen) if first is None else first, until_s - DAY_S)
        body = build.indicator(
            self._origin,
            name=f"{name} of {self._campaign_id[-12:]}",
            pattern=pattern,
            valid_from=start,
            valid_until=until_s,
            harvest=shape,
            techniques=self._many("tactic.techniques"),
        )
        indicator_id = self._identify(place, "indicator")
        tie = build.relationship(self._origin, source=indicator_id, kind="indicates", target=self._campaign_id)
        tie["id"] = self._identify(f"{place}-indicates", "relationship")
        rulings = (*rulings, *self._confidence)
        return [
            Draft(body={**body, "id": indicator_id}, rulings=(*rulings, *self._rulings("tactic.techniques"))),
            Draft(body=tie, rulings=rulings),
        ]


def whole_day(moment_s: float) -> float:
    """Return the midnight at or after a moment (Unix seconds): an end of a fact's own says no hour.

    It stays within the years that STIX can write.
    """
    return min(max(math.ceil(moment_s / DAY_S) * DAY_S, 0), _LAST_DAY_S)


def _monday(moment_s: float) -> float:
    days = moment_s // DAY_S
    return (days - (days + 3) % 7) * DAY_S  # the first of January 1970 was a Thursday


def _refs(body: Object) -> tuple[str, ...]:
    return (body.get("target_ref", ""), *body.get("object_refs", ()))


def _is_of(ruling: Ruling, scheme: str, epoch: str) -> bool:
    return str(ruling.value).startswith(f"{scheme}:{epoch}:")


def _in_parts(rulings: Sequence[Ruling]) -> Iterator[tuple[Ruling, ...]]:
    for start in range(0, len(rulings), _VALUES_EACH):
        yield tuple(rulings[start : start + _VALUES_EACH])


def _once(drafts: list[Draft]) -> list[Draft]:
    return list({draft.body["id"]: draft for draft in drafts}.values())


def lines_of(rulings: Sequence[Ruling]) -> str:
    """Return the text of a note: a line for each ruling on a field that has no place of its own."""
    return "\n".join(_line(ruling) for ruling in rulings if ruling.field not in _STRUCTURED)


def _line(ruling: Ruling) -> str:
    value = ruling.value
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    elif isinstance(value, dict):
        value = ", ".join(f"{name} {level}" for name, level in value.items())
    return f"{ruling.field}: {value}"
