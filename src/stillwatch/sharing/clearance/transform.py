"""What is done to a value before it may leave. Each transformation returns what leaves, or says why nothing does."""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Callable
from typing import Any, get_args

import msgspec

from stillwatch.errors import InputRejectedError
from stillwatch.sharing.clearance.certain import certain_in
from stillwatch.sharing.clearance.characters import holds_hidden, shown
from stillwatch.sharing.clearance.circumvention import KINDS
from stillwatch.sharing.clearance.model import Fact
from stillwatch.sharing.clearance.personal_data import emptied, identifiers_in
from stillwatch.sharing.matching.epochs import read_token
from stillwatch.sharing.objects.atlas import mapping
from stillwatch.sharing.objects.extensions import Alternative
from stillwatch.sharing.objects.vocabulary import Capability, Synchrony, band_of, lifetime_of

_LEVELS: tuple[str, ...] = get_args(Synchrony)
_MOST_BANDS = 32
_BAND = re.compile(r"[0-9a-f]{16}")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/+-]{0,79}")
_MOST_DIGITS = 8
_IN_NAMES = frozenset({"a key or a digest", "a link or a domain", "a long number"})
"""What names of models and hosts look like too: a date, a digest of a version, a domain."""
_KEY = re.compile(r"(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{12,}")
_FINGERPRINT = re.compile(
    r"[0-9a-f]{32}|[a-z][0-9]{2}[a-z][0-9]{4}[a-z0-9]{2}_[0-9a-f]{12}_[0-9a-f]{12}"
    r"|[A-Za-z][A-Za-z-]{1,30}/[0-9]{1,3}(?:\.[0-9]{1,3}){0,3}"
)
"""Digests of a TLS handshake (JA3, JA4), or a program and its version."""
_DOMAIN = re.compile(r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_MOST_TEXT = 2_000


class WithheldError(Exception):
    """A value that cannot be made fit to leave; the message says why, without the value."""


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """What transformations need beside the fact.

    Attributes:
        pseudonym_key: the member's own secret for pseudonyms.
        audience: whom the pseudonyms are for, so that two audiences cannot join theirs.
    """

    pseudonym_key: bytes = b""
    audience: str = ""


Transformation = Callable[[Fact, Means], Any]


def _band(fact: Fact, _means: Means) -> str:
    return band_of(_count(fact.value, least=1))


def _lifetime(fact: Fact, _means: Means) -> str:
    return lifetime_of(_count(fact.value, least=0))


def _count(value: object, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < 1e15:
        raise WithheldError("it is no count")
    return int(value)


def _matching(pattern: re.Pattern[str], what: str) -> Transformation:
    def check(fact: Fact, _means: Means) -> Any:
        values = _listed(fact.value)
        if not all(isinstance(value, str) and pattern.fullmatch(value) and not _is_told_in(value) for value in values):
            raise WithheldError(f"it is no {what}")
        return sorted(set(values)) if isinstance(fact.value, list | tuple) else fact.value

    return check


def _listed(value: Any) -> list[Any]:
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not values:
        raise WithheldError("it says nothing")
    return values


def _is_told_in(digits: str) -> bool:
    """Return whether hex digits are no digest but a number, or a text that somebody wrote as hex."""
    if len(digits) < 16 or re.fullmatch(r"[0-9a-f]+", digits) is None:
        return False
    return digits.isdecimal() or all(32 <= byte < 127 for byte in bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _label(fact: Fact, means: Means) -> Any:
    """Keep names of products and hosts as they are; what else has a form that is found is no name."""
    for value in _listed(fact.value):
        if isinstance(value, str) and (
            sum(map(str.isdigit, value)) > _MOST_DIGITS
            or _KEY.search(value)
            or not _IN_NAMES.issuperset(identifiers_in(value))
        ):
            raise WithheldError("it is no short label: it holds a long number, a key, a sum or an address")
    return _matching(_LABEL, "short label")(fact, means)


def _sketch(fact: Fact, _means: Means) -> list[str]:
    """Keep the first bands. The one in a thousand that reads as a number or a text is left out: it may be one."""
    bands = fact.value if isinstance(fact.value, list | tuple) else ()
    if not bands or not all(isinstance(band, str) and _BAND.fullmatch(band) for band in bands):
        raise WithheldError("it is no sketch: bands of 16 hex digits are")
    kept = [band for band in dict.fromkeys(bands) if not _is_told_in(band)]
    if not kept:
        raise WithheldError("it is no sketch: its bands read as numbers or text")
    return kept[:_MOST_BANDS]


def _token(fact: Fact, _means: Means) -> str:
    token = fact.context.get("token")
    if token is None:
        raise WithheldError("it has no token: give the address of the token service")
    try:
        return str(read_token(str(token)))
    except (ValueError, InputRejectedError) as error:
        raise WithheldError("it has no token: it is not written as one of its kind is") from error


def _pseudonym(fact: Fact, means: Means) -> str:
    if len(means.pseudonym_key) < 16:
        raise WithheldError("the member has no key for pseudonyms")
    if not isinstance(fact.value, str) or not fact.value:
        raise WithheldError("it is no name of an account")
    told = f"{means.audience}\0{fact.value}".encode("utf-8", "surrogatepass")
    return "acct-" + hmac.new(means.pseudonym_key, told, hashlib.sha256).hexdigest()[:24]


def _address(fact: Fact, _means: Means) -> str:
    text = fact.value if isinstance(fact.value, str) else ""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])  # behind % stands whatever somebody wrote
    except ValueError as error:
        raise WithheldError("it is no address") from error
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if not address.is_global or address.is_multicast:
        raise WithheldError("it is no address of the public network")
    return str(address)


def _prefix(fact: Fact, means: Means) -> str:
    address = ipaddress.ip_address(_address(fact, means))
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))


def _number(fact: Fact, _means: Means) -> int:
    if isinstance(fact.value, bool) or not isinstance(fact.value, int) or not 0 < fact.value < 1 << 32:
        raise WithheldError("it is no AS number")
    return fact.value


def _domain(fact: Fact, means: Means) -> Any:
    numbers = {"a card number", "a phone number"}
    if any(isinstance(value, str) and numbers.intersection(certain_in(value)) for value in _listed(fact.value)):
        raise WithheldError("it is no domain: it holds the number of a card or a telephone")
    return _matching(_DOMAIN, "domain")(fact, means)


def _level(fact: Fact, means: Means) -> Any:
    if not isinstance(fact.value, str):
        raise WithheldError(f"it is none of {', '.join(_LEVELS)}")
    return _one_of(_LEVELS)(fact, means)


def _one_of(words: tuple[str, ...]) -> Transformation:
    def check(fact: Fact, _means: Means) -> Any:
        known = sorted({value for value in _listed(fact.value) if isinstance(value, str) and value in words})
        if not known:
            raise WithheldError(f"it is none of {', '.join(words)}")
        return known if isinstance(fact.value, list | tuple) else known[0]

    return check


def _emptied_template(fact: Fact, means: Means) -> str:
    """Keep the words that all share; whatever a slot was called goes, since a slot's name may be somebody's word."""
    text = fact.value if isinstance(fact.value, str) else ""
    return _text(Fact(field=fact.field, value=emptied(text)), means)


def _text(fact: Fact, _means: Means, *, register: bool = False) -> str:
    text = fact.value if isinstance(fact.value, str) else ""
    if not text.strip() or len(text) > _MOST_TEXT:
        raise WithheldError(f"it is no text of at most {_MOST_TEXT} characters")
    text = shown(text)
    if holds_hidden(text):
        raise WithheldError("it holds characters that nobody sees")
    certain = certain_in(text, register=register)
    if certain:
        raise WithheldError(f"it holds {' and '.join(certain)}, which leaves in clear by nobody's word")
    return text


def _register_text(fact: Fact, means: Means) -> str:
    """Keep a text of a public register: what registers number companies with is no card number."""
    return _text(fact, means, register=True)


def _alternatives(fact: Fact, _means: Means) -> list[dict[str, Any]]:
    """Keep innocent explanations in words of the closed vocabulary, each with whether it was kept."""
    try:
        told = msgspec.convert(_listed(fact.value), list[Alternative])
    except msgspec.ValidationError as error:
        raise WithheldError("it is no list of explanations") from error
    return [msgspec.to_builtins(one) for one in told]


def _yes_or_no(fact: Fact, _means: Means) -> bool:
    if not isinstance(fact.value, bool):
        raise WithheldError("it is neither true nor false")
    return fact.value


def _category_levels(fact: Fact, _means: Means) -> dict[str, str]:
    """Keep a level for each category; scores finer than a level name a product too well."""
    scores = fact.value if isinstance(fact.value, dict) else {}
    if not scores or not all(
        isinstance(name, str) and _LABEL.fullmatch(name) and not identifiers_in(name) and _is_a_part(score)
        for name, score in scores.items()
    ):
        raise WithheldError("it is no table of scores from 0 to 1")
    return {name: _LEVELS[min(2, int(score * 3))] for name, score in sorted(scores.items())}


def _is_a_part(score: object) -> bool:
    return isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= 1


TRANSFORMATIONS: dict[str, Transformation] = {
    "address": _address,
    "alternatives": _alternatives,
    "bin_range": _matching(re.compile(r"[0-9]{6}"), "range of six digits"),
    "band": _band,
    "capability": _one_of(get_args(Capability)),
    "category_levels": _category_levels,
    "circumvention": _one_of(KINDS),
    "domain": _domain,
    "emptied_template": _emptied_template,
    "fingerprint": _matching(_FINGERPRINT, "fingerprint of a client"),
    "label": _label,
    "level": _level,
    "lifetime": _lifetime,
    "number": _number,
    "prefix": _prefix,
    "pseudonym": _pseudonym,
    "register_text": _register_text,
    "sketch": _sketch,
    "techniques": _one_of(tuple(mapping().technique)),
    "text": _text,
    "token": _token,
    "yes_or_no": _yes_or_no,
}
IN_WORDS = frozenset({"category_levels", "emptied_template", "register_text", "text"})
"""Those that let words of somebody leave: what is in them, only who reads them knows."""
