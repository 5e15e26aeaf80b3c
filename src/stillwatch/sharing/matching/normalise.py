"""One writing for each identifier, so that two laboratories that hold the same one compute the same token.

The rules are part of the token scheme: a change takes a new scheme (docs/reference/tokens.md).
They rest on nothing that differs between versions of Python or Unicode. Errors never repeat the value.
"""

import ipaddress
import re
import unicodedata
import uuid
from collections.abc import Callable
from typing import Literal

from stillwatch.errors import InputRejectedError

Kind = Literal["email", "payment", "phone", "device", "ip", "network"]

_LONGEST = 512
_LOCAL_PART = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_PHONE_FILLING = re.compile(r"[\s().\-/\u2010-\u2015]")
_OPAQUE = re.compile(r"[\x21-\x7e]{4,256}")
_UUID = re.compile(r"\{?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?")
_HEX = re.compile(r"[0-9a-fA-F]{12,}")
_CARD = re.compile(r"[0-9]{12,19}")
_NOT_ONE_PARTY = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.168.0.0/16", "224.0.0.0/3", "::/128", "::1/128", "fc00::/7", "fe80::/10", "ff00::/8",
    )
)  # fmt: skip
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def canonical(kind: Kind, value: str) -> bytes:
    """Return the one writing of an identifier, with its kind in front: what is blinded.

    Args:
        kind: `network` takes an address, and stands for the /24 (IPv4) or /64 (IPv6) around it.
        value: as a log or a customer writes it.

    Raises:
        InputRejectedError: it is none of its kind, or says nothing about one party (a private address).
    """
    if len(value) > _LONGEST:
        raise _refusal(kind, f"is longer than {_LONGEST} characters")
    rule = _RULES.get(kind)
    if rule is None:
        raise InputRejectedError(f"unknown kind of identifier {kind[:40]!r}", hint=f"kinds: {', '.join(_RULES)}")
    return f"{kind}:{rule(value.strip())}".encode()


def _refusal(kind: str, why: str, hint: str | None = None) -> InputRejectedError:
    return InputRejectedError(f"an identifier of kind {kind} {why}", hint=hint)


def _email(value: str) -> str:
    local, at, domain = unicodedata.normalize("NFKC", value).rpartition("@")
    local = local.lower()
    base = local.partition("+")[0] or local
    try:
        name = domain.removesuffix(".").encode("idna").decode().lower()
    except UnicodeError:
        name = ""
    if not at or not _LOCAL_PART.fullmatch(base) or not _DOMAIN.fullmatch(name):
        raise _refusal("email", "is no address of the form name@domain")
    return f"{base}@{name}"


def _payment(value: str) -> str:
    compact = re.sub(r"[ \-]", "", value)
    if _CARD.fullmatch(compact) and _luhn(compact):
        raise _refusal("payment", "looks like a card number", "give the processor's fingerprint of the card")
    return _opaque("payment", value)


def _luhn(digits: str) -> bool:
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _phone(value: str) -> str:
    compact = _PHONE_FILLING.sub("", unicodedata.normalize("NFKC", value).replace("(0)", ""))
    number = "+" + compact[2:] if compact.startswith("00") else compact
    if not _PHONE.fullmatch(number):
        raise _refusal("phone", "is no international number", "write +, the country's code, the number; no extension")
    return number


def _device(value: str) -> str:
    if _UUID.fullmatch(value):
        return str(uuid.UUID(value))
    return _opaque("device", value.lower() if _HEX.fullmatch(value) else value)


def _opaque(kind: str, value: str) -> str:
    if not _OPAQUE.fullmatch(value):
        raise _refusal(kind, "is not 4 to 256 printable ASCII characters without a space")
    return value


def _address(kind: str, value: str) -> Address:
    try:
        address: Address = ipaddress.ip_address(value)
    except ValueError:
        raise _refusal(kind, "is no IPv4 or IPv6 address") from None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise _refusal(kind, "has a zone, so it is known on one machine only")
        address = address.ipv4_mapped or address
    if any(address in network for network in _NOT_ONE_PARTY):
        raise _refusal(kind, "is private, shared or special, so it names nobody", "use addresses seen from outside")
    return address


def _ip(value: str) -> str:
    return _address("ip", value).compressed


def _network(value: str) -> str:
    address = _address("network", value)
    return ipaddress.ip_network((address, 24 if address.version == 4 else 64), strict=False).compressed


_RULES: dict[str, Callable[[str], str]] = {
    "email": _email,
    "payment": _payment,
    "phone": _phone,
    "device": _device,
    "ip": _ip,
    "network": _network,
}
