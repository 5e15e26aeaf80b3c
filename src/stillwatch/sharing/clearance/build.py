"""Builds STIX objects out of rulings, and of nothing else: a fact that was not ruled to leave cannot get in here."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from stillwatch.sharing.clearance.circumvention import circumventions
from stillwatch.sharing.clearance.model import Item, Ruling
from stillwatch.sharing.objects import build, patterns
from stillwatch.sharing.objects.build import Object, Origin
from stillwatch.sharing.objects.extensions import AccountToken, Harvest, LlmAccount
from stillwatch.sharing.objects.vocabulary import TokenKind

DAY_S = 86_400
_INDICATOR_DAYS = 90
_ADDRESS_DAYS = 7
_TOKEN_KINDS: tuple[TokenKind, ...] = ("email", "payment", "phone", "device")
_MOST_TOKENS = 64
_MOST_MODELS = 32
_MOST_BANDS = 256
_VALUES_EACH = 200
"""Addresses or domains in one indicator, and lines in one note: what a hub takes as one pattern and one object."""
_STRUCTURED = frozenset(
    {
        "account.id", "cluster.accounts", "cluster.lifetime", "cluster.synchrony", "identity.device", "identity.email",
        "identity.payment", "identity.phone", "infrastructure.asn", "infrastructure.hosting_ip",
        "infrastructure.reseller_domain", "infrastructure.residential_prefix", "tactic.techniques", "target.capability",
        "target.models", "template.bands", "template.text", "volume.exchanges",
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
    campaign = builder.campaign()
    return [campaign, *builder.template(), *builder.infrastructure(), *builder.accounts(), *builder.notes()]


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

    def _rulings(self, *fields: str) -> tuple[Ruling, ...]:
        return tuple(ruling for field in fields for ruling in self._by_field.get(field, ()))

    def _one(self, field: str) -> Any:
        found = self._by_field.get(field)
        return found[0].value if found else None

    def _many(self, field: str) -> tuple[Any, ...]:
        values = [ruling.value for ruling in self._by_field.get(field, ())]
        flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
        return tuple(dict.fromkeys(flat))

    def _shape(self) -> Harvest:
        capability = self._many("target.capability")
        return Harvest(
            accounts_band=self._one("cluster.accounts"),
            exchanges_band=self._one("volume.exchanges"),
            lifetime_band=self._one("cluster.lifetime"),
            synchrony=self._one("cluster.synchrony"),
            capability=capability[0] if capability else None,
            models_after_release=self._many("target.models")[:_MOST_MODELS],
            alternatives=self._item.alternatives,
            circumvention=circumventions(self._item.circumvention),
        )

    def campaign(self) -> Draft:
        first = _day(self._item.first_seen)
        body = build.campaign(
            self._origin,
            name=f"Harvest {self._campaign_id[-12:]}",
            first_seen=first,
            last_seen=max(first, _day(self._item.last_seen)),
            harvest=self._shape(),
            techniques=self._many("tactic.techniques"),
        )
        if self._item.last_seen <= 0:  # an item of analysts alone says no times
            del body["first_seen"], body["last_seen"]
        fields = (
            "cluster.accounts", "volume.exchanges", "cluster.lifetime", "cluster.synchrony", "target.capability",
            "target.models", "tactic.techniques",
        )  # fmt: skip
        return Draft(body={**body, "id": self._campaign_id}, rulings=self._rulings(*fields))

    def template(self) -> list[Draft]:
        bands = self._many("template.bands")[:_MOST_BANDS]
        if not bands:
            return []
        texts = self._many("template.text")
        shape = Harvest(
            circumvention=circumventions(self._item.circumvention),
            template_bands=bands,
            template_text=texts[0] if texts else None,
        )
        pattern = patterns.template_pattern(bands)
        rulings = self._rulings("template.bands", "template.text")
        until_s = _day(self._item.last_seen) + _INDICATOR_DAYS * DAY_S
        return self._indicator("template", "Prompt frame", pattern, rulings, until_s, shape)

    def infrastructure(self) -> list[Draft]:
        drafts: list[Draft] = []
        for field, name, pattern_of in (
            ("infrastructure.hosting_ip", "Addresses", patterns.address_pattern),
            ("infrastructure.residential_prefix", "Networks", patterns.address_pattern),
            ("infrastructure.reseller_domain", "Domains", patterns.domain_pattern),
        ):
            for number, rulings in enumerate(_in_parts(self._rulings(field))):
                ends = [ruling.expires_at for ruling in rulings if ruling.expires_at is not None]
                until_s = min(ends, default=_day(self._item.last_seen) + _ADDRESS_DAYS * DAY_S)
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
            body = build.note(self._origin, content="\n".join(map(line_of, rulings)), refs=[self._campaign_id])
            place = f"note-{number}"
            drafts.append(Draft(body={**body, "id": self._identify(place, "note")}, rulings=rulings))
        return drafts

    def _indicator(
        self, place: str, name: str, pattern: str, rulings: tuple[Ruling, ...], until_s: float, shape: Harvest | None
    ) -> list[Draft]:
        start = min(_day(self._item.first_seen), until_s - DAY_S)
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
        told = (*rulings, *self._rulings("tactic.techniques"))
        return [
            Draft(body={**body, "id": indicator_id}, rulings=told),
            Draft(body=tie, rulings=rulings),
        ]


def _day(moment_s: float) -> float:
    return moment_s // DAY_S * DAY_S


def _is_of(ruling: Ruling, scheme: str, epoch: str) -> bool:
    return str(ruling.value).startswith(f"{scheme}:{epoch}:")


def _in_parts(rulings: Sequence[Ruling]) -> Iterator[tuple[Ruling, ...]]:
    for start in range(0, len(rulings), _VALUES_EACH):
        yield tuple(rulings[start : start + _VALUES_EACH])


def _once(drafts: list[Draft]) -> list[Draft]:
    return list({draft.body["id"]: draft for draft in drafts}.values())


def line_of(ruling: Ruling) -> str:
    """Return the line of a note that a ruling comes to."""
    value = ruling.value
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    elif isinstance(value, dict):
        value = ", ".join(f"{name} {level}" for name, level in value.items())
    return f"{ruling.field}: {value}"
