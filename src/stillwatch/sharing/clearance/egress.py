"""The gate: an object leaves only if every word in it is either of a closed form or a value that was ruled to leave.

It does not trust the builder. Each place of an object is in the table below with what may stand there; where it finds a
place or a word that it cannot account for, the object stays.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args

from stillwatch.errors import PolicyRefusedError
from stillwatch.sharing.clearance.build import CONFIDENCE_FIELD, lines_of
from stillwatch.sharing.clearance.model import Ruling
from stillwatch.sharing.objects import vocabulary
from stillwatch.sharing.objects.atlas import mapping, references
from stillwatch.sharing.objects.build import Object, Origin
from stillwatch.sharing.objects.extensions import HARVEST, LLM_ACCOUNT, SHARING, extensions_of
from stillwatch.sharing.objects.tlp import MARKING_ID

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
_DAY = re.compile(r"\d{4}-\d\d-\d\dT00:00:00\.000Z", re.ASCII)
_TOKENS = ("identity.email", "identity.payment", "identity.phone", "identity.device")
_ADDRESSES = ("infrastructure.hosting_ip", "infrastructure.residential_prefix")
_COMPARISON = re.compile(r"([^=]+) = '([^'\\]*)'")
_PATTERN_PATHS = {
    f"user-account:extensions.'{LLM_ACCOUNT}'.template_bands[*]": ("template.bands",),
    "ipv4-addr:value": _ADDRESSES,
    "ipv6-addr:value": _ADDRESSES,
    "domain-name:value": ("infrastructure.reseller_domain",),
}


class _Gate:
    """What is known of one object: what was ruled to leave, by field, and whose it is."""

    def __init__(self, rulings: Sequence[Ruling], origin: Origin, campaign_id: str) -> None:
        self.rulings, self.origin, self.campaign_id = rulings, origin, campaign_id
        self._values: dict[str, set[Any]] = {}
        for ruling in rulings:
            self._values.setdefault(ruling.field, set()).update(_words_of(ruling))

    def has(self, field: str) -> bool:
        """Return whether anything leaves under a field."""
        return field in self._values

    def holds(self, leaf: Any, *fields: str) -> bool:
        """Return whether a leaf was ruled to leave under one of some fields."""
        return not isinstance(leaf, bool) and any(leaf in self._values.get(field, ()) for field in fields)

    def tells(self, leaf: Any, field: str) -> bool:
        """Return whether an entry of a list was ruled to leave whole under a field."""
        values = [ruling.value for ruling in self.rulings if ruling.field == field]
        return any(leaf == one for value in values for one in (value if isinstance(value, list) else [value]))

    def token_parts(self, part: int) -> set[str]:
        """Return the schemes (0) or epochs (1) of the tokens that leave."""
        return {str(token).split(":")[part] for field in _TOKENS for token in self._values.get(field, ())}

    def references(self) -> list[dict[str, str]]:
        """Return the references to the techniques that leave."""
        return references(word for word in mapping().technique if self.holds(word, "tactic.techniques"))

    def name(self, leaf: Any) -> bool:
        """Return whether a name is one that the builder gives: a kind, and the end of the campaign's id."""
        tail = self.campaign_id[-12:]
        kinds = ("Prompt frame", "Addresses", "Networks", "Domains")
        return leaf in {f"Harvest {tail}", *(f"{kind} of {tail}" for kind in kinds)}

    def pattern(self, leaf: Any) -> bool:
        """Return whether a pattern only compares, and only with values that leave under the field of its path."""
        if not isinstance(leaf, str) or leaf[:1] != "[" or leaf[-1:] != "]":
            return False
        return all(self._compares(part) for part in leaf[1:-1].split(" OR "))

    def _compares(self, part: str) -> bool:
        found = _COMPARISON.fullmatch(part)
        return found is not None and self.holds(found[2], *_PATTERN_PATHS.get(found[1], ()))


_Check = Callable[[Any, _Gate], bool]


def _form(pattern: str) -> _Check:
    compiled = re.compile(pattern, re.ASCII)
    return lambda leaf, _gate: isinstance(leaf, str) and compiled.fullmatch(leaf) is not None


def _ruled(*fields: str) -> _Check:
    return lambda leaf, gate: gate.holds(leaf, *fields)


def _among(words: Sequence[Any]) -> _Check:
    return lambda leaf, _gate: isinstance(leaf, str) and leaf in words


def _in_reference(name: str) -> _Check:
    return lambda leaf, gate: isinstance(leaf, str) and any(one.get(name) == leaf for one in gate.references())


def _campaign(leaf: Any, gate: _Gate) -> bool:
    return bool(leaf == gate.campaign_id)


def _sure(leaf: Any, gate: _Gate) -> bool:
    words = vocabulary.CONFIDENCE
    return not isinstance(leaf, bool) and any(
        leaf == words[word] for word in words if gate.holds(word, CONFIDENCE_FIELD)
    )


def _week(leaf: Any, gate: _Gate) -> bool:
    """A Monday, and only beside the lifetime that it belongs to."""
    if not isinstance(leaf, str) or _DAY.fullmatch(leaf) is None or not gate.has("cluster.lifetime"):
        return False
    try:
        return dt.date.fromisoformat(leaf[:10]).weekday() == 0
    except ValueError:
        return False


_ALTERNATIVES = ("extensions", HARVEST, "alternatives")
"""A list whose entries say something only whole: an explanation, and whether it was kept."""
_KINDS = "autonomous-system|campaign|indicator|note|relationship|user-account"
_PLACES: Mapping[tuple[str, ...], _Check] = {
    ("type",): _form(_KINDS),
    ("spec_version",): _form(r"2\.1"),
    ("id",): _form(rf"(?:{_KINDS})--{_UUID}"),
    ("created_by_ref",): lambda leaf, gate: bool(leaf == gate.origin.created_by),
    ("object_marking_refs",): lambda leaf, gate: bool(leaf == MARKING_ID[gate.origin.tlp]),
    ("object_refs",): _campaign,
    ("source_ref",): _form(rf"indicator--{_UUID}"),
    ("target_ref",): _campaign,
    ("relationship_type",): _form("indicates"),
    ("created",): _form(_TIME),
    ("modified",): _form(_TIME),
    ("valid_from",): _form(_TIME),
    ("valid_until",): _form(_TIME),
    ("first_seen",): _week,
    ("last_seen",): _week,
    ("name",): lambda leaf, gate: gate.name(leaf),
    ("confidence",): _sure,
    ("indicator_types",): _form("anomalous-activity"),
    ("pattern_type",): _form("stix"),
    ("pattern_version",): _form(r"2\.1"),
    ("pattern",): lambda leaf, gate: gate.pattern(leaf),
    ("content",): lambda leaf, gate: bool(leaf == lines_of(gate.rulings)),
    ("account_type",): _form("llm-api"),
    ("user_id",): _ruled("account.id"),
    ("number",): _ruled("infrastructure.asn"),
    ("external_references", "source_name"): _in_reference("source_name"),
    ("external_references", "external_id"): _in_reference("external_id"),
    ("external_references", "url"): _in_reference("url"),
    ("external_references", "description"): _in_reference("description"),
    ("extensions", HARVEST, "extension_type"): _form("property-extension"),
    ("extensions", HARVEST, "accounts_band"): _ruled("cluster.accounts"),
    ("extensions", HARVEST, "exchanges_band"): _ruled("volume.exchanges"),
    ("extensions", HARVEST, "lifetime_band"): _ruled("cluster.lifetime"),
    ("extensions", HARVEST, "synchrony"): _ruled("cluster.synchrony"),
    ("extensions", HARVEST, "capability"): _ruled("target.capability"),
    ("extensions", HARVEST, "models_after_release"): _ruled("target.models"),
    _ALTERNATIVES: lambda leaf, gate: gate.tells(leaf, "finding.alternatives"),
    ("extensions", HARVEST, "circumvention"): _ruled("finding.circumvention"),
    ("extensions", HARVEST, "template_bands"): _ruled("template.bands"),
    ("extensions", HARVEST, "template_text"): _ruled("template.text"),
    ("extensions", LLM_ACCOUNT, "extension_type"): _form("property-extension"),
    ("extensions", LLM_ACCOUNT, "token_scheme"): lambda leaf, gate: leaf in gate.token_parts(0),
    ("extensions", LLM_ACCOUNT, "token_epoch"): lambda leaf, gate: leaf in gate.token_parts(1),
    ("extensions", LLM_ACCOUNT, "tokens", "kind"): _among(get_args(vocabulary.TokenKind)),
    ("extensions", LLM_ACCOUNT, "tokens", "token"): _ruled(*_TOKENS),
}  # fmt: skip
_NAMES = {name for path in _PLACES for name in path} | {SHARING}


def check_egress(body: Object, rulings: Sequence[Ruling], origin: Origin, campaign_id: str) -> None:
    """Let an object pass, given the rulings on what is in it, whose it is, and the campaign that it tells of.

    Raises:
        PolicyRefusedError: something in it is accounted for by no rule; says where, never what.
    """
    gate = _Gate([ruling for ruling in rulings if _may_leave(ruling)], origin, campaign_id)
    shared = extensions_of(origin.sharing).get(SHARING)
    extensions = body.get("extensions")
    rest = dict(body)
    if isinstance(extensions, dict) and shared is not None and _alike(extensions.get(SHARING), shared):
        rest["extensions"] = {name: part for name, part in extensions.items() if name != SHARING}
        if not rest["extensions"]:
            del rest["extensions"]
    for path, leaf in _leaves(rest, ()):
        check = _PLACES.get(path)
        whole = path == _ALTERNATIVES and isinstance(leaf, dict)
        if check is None or (isinstance(leaf, dict | list | tuple) and not whole) or not check(leaf, gate):
            place = ".".join(name if name in _NAMES else "?" for name in path)
            raise PolicyRefusedError(
                f"an object: what stands at {place or '?'} was cleared by no rule",
                hint="this is a fault of the program, and nothing was sent; please report it",
            )


def _may_leave(ruling: Ruling) -> bool:
    return ruling.state == "leaves" and ruling.channel == "hub"


def _alike(value: Any, other: Any) -> bool:
    return bool(value == other) or _listed(value) == _listed(other)


def _listed(value: Any) -> Any:
    """Return a value with lists in place of tuples, as JSON has them."""
    if isinstance(value, dict):
        return {name: _listed(inner) for name, inner in value.items()}
    return [_listed(inner) for inner in value] if isinstance(value, list | tuple) else value


def _words_of(ruling: Ruling) -> Iterator[Any]:
    values = ruling.value if isinstance(ruling.value, list) else [ruling.value]
    yield from (value for value in values if isinstance(value, str | int))


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield all that stands in an object with its place; what is empty counts too, for its name could say something."""
    if isinstance(value, dict) and value and path != _ALTERNATIVES:
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    elif isinstance(value, list | tuple) and value:
        for inner in value:
            yield from _leaves(inner, path)
    else:
        yield path, value
