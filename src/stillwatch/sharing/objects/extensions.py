"""Our three property extensions of STIX 2.1: their ids, models, schemas and published definitions.

Property extensions on standard objects, and no new types: converters drop types that they do not know and keep
properties that they do not know (docs/reference/stix.md).
"""

import json
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from stillwatch.sharing.objects.vocabulary import (
    Band,
    Capability,
    Circumvention,
    Explanation,
    Lifetime,
    Synchrony,
    TokenKind,
)

SHARING = "extension-definition--a673601a-5792-4f19-ab2e-86ff4c617328"
HARVEST = "extension-definition--ee689344-e734-4881-9722-47850deaa6b2"
LLM_ACCOUNT = "extension-definition--89e493d3-1b87-40a4-8024-18798c3eb595"

SCHEMA_FILES = MappingProxyType({SHARING: "sharing.json", HARVEST: "harvest.json", LLM_ACCOUNT: "llm-account.json"})
MAY_EXTEND: MappingProxyType[str, frozenset[str] | None] = MappingProxyType(
    {SHARING: None, HARVEST: frozenset({"campaign", "indicator"}), LLM_ACCOUNT: frozenset({"user-account"})}
)
"""The types of objects that an extension may stand on; None is any."""

PUBLISHER = MappingProxyType(
    {
        "type": "identity",
        "spec_version": "2.1",
        "id": "identity--9facd338-0eec-42bf-b661-879595b2a97d",
        "created_by_ref": "identity--9facd338-0eec-42bf-b661-879595b2a97d",
        "created": "2026-11-28T00:00:00.000Z",
        "modified": "2026-11-28T00:00:00.000Z",
        "name": "stillwatch",
        "description": "The project that publishes the extension definitions. No member of a hub.",
        "identity_class": "organization",
    }
)
_VERSION = "1.0.0"
_Model = TypeVar("_Model", bound=msgspec.Struct)


class Iep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A FIRST Information Exchange Policy 2.0 (words and meaning: docs/reference/stix.md)."""

    id: str
    name: str
    start_date: str | None = None
    end_date: str | None = None
    encrypt_in_transit: str | None = None
    permitted_actions: str | None = None
    affected_party_notifications: str | None = None
    attribution: str | None = None
    unmodified_resale: str | None = None


class Cleared(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The clearance that let an object leave; `log_digest` is SHA-256 in hex of the entry in the log of decisions.

    `bases` are names of legal bases; none where nothing in the object rests on one.
    """

    rules_version: str
    bases: tuple[str, ...] = ()
    log_digest: str


class Sharing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who may have an object beside its producer; no `recipients` means all whom the marking allows."""

    recipients: tuple[str, ...] = ()
    correlate: bool = False
    anonymous: bool = False
    iep: Iep | None = None
    cleared: Cleared | None = None


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """An innocent explanation; `kept` where the data could not rule it out."""

    explanation: Explanation
    kept: bool


class Harvest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The shape of a campaign, in bands and closed words; `template_bands` are hashes of 16 hex digits."""

    accounts_band: Band | None = None
    exchanges_band: Band | None = None
    lifetime_band: Lifetime | None = None
    synchrony: Synchrony | None = None
    capability: Capability | None = None
    models_after_release: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    circumvention: tuple[Circumvention, ...] = ()
    template_bands: tuple[str, ...] = ()
    template_text: str | None = None


class AccountToken(msgspec.Struct, frozen=True, kw_only=True):
    """One identifier of an account's holder as a keyed token: `<suite>:<epoch>:<hex>`."""

    kind: TokenKind
    token: str


class LlmAccount(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An account at a provider of models, without a name; tokens of one epoch of one scheme."""

    token_scheme: str | None = None
    token_epoch: str | None = None
    tokens: tuple[AccountToken, ...] = ()
    requests_bucket: Band | None = None
    distinct_models: int | None = None
    template_bands: tuple[str, ...] = ()


def extensions_of(*parts: Sharing | Harvest | LlmAccount | None) -> dict[str, Any]:
    """Return the `extensions` property that holds the given parts; what says nothing is left out."""
    ids = {Sharing: SHARING, Harvest: HARVEST, LlmAccount: LLM_ACCOUNT}
    found = {ids[type(part)]: msgspec.to_builtins(part) for part in parts if part is not None}
    return {key: {"extension_type": "property-extension", **body} for key, body in found.items() if body}


def sharing_of(decoded: dict[str, Any]) -> Sharing | None:
    """Return the sharing extension of a validated object, None where it has none."""
    return _read(decoded, SHARING, Sharing)


def harvest_of(decoded: dict[str, Any]) -> Harvest | None:
    """Return the harvest extension of a validated object, None where it has none."""
    return _read(decoded, HARVEST, Harvest)


def llm_account_of(decoded: dict[str, Any]) -> LlmAccount | None:
    """Return the account extension of a validated object, None where it has none."""
    return _read(decoded, LLM_ACCOUNT, LlmAccount)


def _read(decoded: dict[str, Any], extension_id: str, model: type[_Model]) -> _Model | None:
    held = decoded.get("extensions")
    body = held.get(extension_id) if isinstance(held, dict) else None
    return None if body is None else msgspec.convert(body, model)


@cache
def schema(extension_id: str) -> dict[str, Any]:
    """Return the JSON Schema of one of our extensions, as package data has it."""
    file = resources.files("stillwatch.sharing.objects").joinpath("schemas", SCHEMA_FILES[extension_id])
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def definition(extension_id: str) -> dict[str, Any]:
    """Return the extension-definition object of one of our extensions.

    Its `schema` is the JSON Schema itself, so that whoever holds the object needs no further address.
    """
    body = schema(extension_id)
    return {
        "type": "extension-definition",
        "spec_version": "2.1",
        "id": extension_id,
        "created_by_ref": PUBLISHER["id"],
        "created": PUBLISHER["created"],
        "modified": PUBLISHER["modified"],
        "name": body["title"],
        "description": body["description"],
        "schema": json.dumps(body, separators=(",", ":")),
        "version": _VERSION,
        "extension_types": ["property-extension"],
    }
