"""Shared objects in the form that misp-stix turns into a MISP event without losing what matters.

That converter drops types and extensions that it does not know, and the time at which an indicator expires. It merges
an indicator into an observable that its pattern names. So the facts are told in words, and observables stay away.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from stillwatch.sharing.objects.bundle import bundle
from stillwatch.sharing.objects.extensions import Harvest, harvest_of

_KEPT = frozenset({"campaign", "identity", "indicator", "intrusion-set", "threat-actor"})


def misp_bundle(objects: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a bundle of the objects that MISP can hold, with the facts of our extension also in words.

    The objects are validated ones and keep their ids and times; their signatures do not hold over this form.
    """
    held = [_in_words(one) for one in objects if one["type"] in _KEPT]
    ids = {one["id"] for one in held}
    return bundle([*held, *(_in_words(one) for one in objects if _ends(one) and _ends(one) <= ids)])


def _ends(decoded: dict[str, Any]) -> set[str]:
    """Return what a relationship or a sighting stands between."""
    return {decoded[name] for name in ("source_ref", "target_ref", "sighting_of_ref") if name in decoded}


def _in_words(decoded: dict[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in decoded.items() if name not in ("observed_data_refs", "extensions")}
    facts = [decoded.get("description"), *_facts(harvest_of(decoded) or Harvest())]
    if "valid_until" in decoded:
        facts.append(f"expires: {decoded['valid_until']}")
    words = "\n".join(filter(None, facts))
    return {**told, "description": words} if words else told


def _facts(harvest: Harvest) -> Iterator[str]:
    for label, value in (
        ("accounts", harvest.accounts_band),
        ("exchanges", harvest.exchanges_band),
        ("lifetime of an account", harvest.lifetime_band),
        ("synchrony", harvest.synchrony),
        ("capability", harvest.capability),
        ("models", ", ".join(harvest.models_after_release)),
        ("circumvention", ", ".join(harvest.circumvention)),
        ("not ruled out", ", ".join(one.explanation for one in harvest.alternatives if one.kept)),
        ("template", harvest.template_text),
    ):
        if value:
            yield f"{label}: {value}"
