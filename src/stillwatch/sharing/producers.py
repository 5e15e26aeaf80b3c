"""Turns findings into facts for clearance: all that is known, in clear. What of it may leave is not decided here.

The only part of sharing that knows detection.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from stillwatch.detection.findings.model import Alternative as Considered
from stillwatch.detection.findings.model import Campaign, Verdict
from stillwatch.errors import Location, UsageError
from stillwatch.records.registry import Release, load_releases
from stillwatch.sharing.clearance.model import Fact, Item
from stillwatch.sharing.objects.extensions import Alternative
from stillwatch.sharing.objects.vocabulary import Circumvention, Explanation, Synchrony

_ANEW = "run `stillwatch detect` anew"
_STRONG_BITS, _SOME_BITS = 6.6, 3.0
_EXPLANATIONS: tuple[tuple[str, Explanation], ...] = (
    ("one customer's application", "one-customer"),
    ("an agency that pays", "agency"),
    ("strangers who run one public benchmark", "public-list"),
    ("a public prompt template", "public-template"),
    ("a prompt in fashion", "fashion"),
    ("a new group of customers", "new-topic"),
    ("people who try something out", "trial"),
    ("a family, an agency or a reseller", "family-or-reseller"),
    ("one office, school or carrier", "shared-address"),
    ("authorised use", "authorised-use"),
)
"""How detection begins each innocent explanation, and the word that is shared for it."""
_CIRCUMVENTIONS: tuple[tuple[str, tuple[Circumvention, ...]], ...] = (
    ("shared_identity", ("false-identity",)),
    ("handle_replay", ("reasoning-replay", "safeguard-bypass")),
)
"""Evidence that a control was circumvented, where it is strong: one hand behind accounts of many owners, and replay."""
_CAPABILITIES = {"reasoning_elicitation": "reasoning", "tool_trajectory": "agentic-coding"}


class Identifiers(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider knows of the holder of an account, in clear; a line of the file given with --identifiers."""

    account_id: str
    email: str | None = None
    payment: str | None = None
    phone: str | None = None
    device: str | None = None


class _Campaigns(msgspec.Struct):
    campaigns: list[Campaign]


class _Configuration(msgspec.Struct):
    releases: str | None = None


class _Run(msgspec.Struct):
    configuration: _Configuration


def read_findings(
    run: Path, identifiers: Mapping[str, Identifiers], releases: Iterable[Release] | None = None
) -> list[Item]:
    """Return the harvests that a finished run of `detect` found, each as an item with all that is known of it.

    Args:
        run: the directory that `detect --out` wrote.
        identifiers: by account; may be empty.
        releases: when models were released; by default what the run was given.

    Raises:
        UsageError: the directory holds no finished run.
    """
    campaigns = _decode(run / "campaigns.json", _Campaigns).campaigns
    bands: dict[str, tuple[str, ...]] = {}
    for verdict in _lines(run / "verdicts.jsonl", Verdict):
        if verdict.campaign_id is not None:
            bands[verdict.campaign_id] = tuple(verdict.template_bands)
    released = {release.model: release.released_at.timestamp() for release in releases or _releases_of(run)}
    return [
        _item(campaign, bands.get(campaign.campaign_id, ()), identifiers, released)
        for campaign in campaigns
        if campaign.kind == "harvest"
    ]


def read_identifiers(path: Path) -> dict[str, Identifiers]:
    """Read what is known of holders (JSON Lines), by account.

    Raises:
        UsageError: the file is not there or a line is wrong; says which, never what it holds.
    """
    return {holder.account_id: holder for holder in _lines(path, Identifiers)}


class _Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    item: str
    field: str
    value: Any
    context: dict[str, Any] = msgspec.field(default_factory=dict)


def read_facts(path: Path) -> dict[str, list[Fact]]:
    """Read facts that analysts state (JSON Lines: item, field, value, context), by item.

    A token is not for anybody to state: it is made of the identifier, so that nothing else can leave in its place.

    Raises:
        UsageError: the file is not there or a line is wrong; says which, never what it holds.
    """
    facts: dict[str, list[Fact]] = {}
    for number, told in enumerate(_lines(path, _Told), 1):
        if "token" in told.context:
            raise UsageError(f"fact {number} states a token; tokens are made, not stated", where=Location(str(path)))
        facts.setdefault(told.item, []).append(Fact(field=told.field, value=told.value, context=told.context))
    return facts


def with_facts(items: Iterable[Item], told: Mapping[str, list[Fact]]) -> list[Item]:
    """Add facts that analysts state to the items that they name; those of no finding become items of their own."""
    found = [msgspec.structs.replace(item, facts=(*item.facts, *told.get(item.item_id, ()))) for item in items]
    known = {item.item_id for item in found}
    return found + [Item(item_id=name, facts=tuple(facts)) for name, facts in told.items() if name not in known]


def _item(
    campaign: Campaign, bands: tuple[str, ...], identifiers: Mapping[str, Identifiers], released: Mapping[str, float]
) -> Item:
    first, last = _moment(campaign.first_seen), _moment(campaign.last_seen)
    return Item(
        item_id=campaign.campaign_id,
        facts=(
            *_shape(campaign, first, last),
            *_judgement(campaign),
            *_texts(campaign, bands),
            *_targets(campaign, released),
            *_accounts(campaign, identifiers),
        ),
        circumvention=_circumvention(campaign),
        first_seen=first,
        last_seen=last,
    )


def _shape(campaign: Campaign, first: float, last: float) -> Iterator[Fact]:
    cluster = {"of_one_cluster": True}
    yield Fact(field="cluster.accounts", value=len(campaign.accounts))
    yield Fact(field="cluster.lifetime", value=last - first)
    yield Fact(field="cluster.synchrony", value=_synchrony(campaign))
    if campaign.templates:
        yield Fact(field="cluster.templates", value=len(campaign.templates))
    yield Fact(field="volume.exchanges", value=campaign.exchanges, context=cluster)
    if campaign.exposure.output_tokens:
        yield Fact(field="volume.tokens", value=campaign.exposure.output_tokens, context=cluster)
    yield Fact(field="tactic.techniques", value=_techniques(campaign))


def _judgement(campaign: Campaign) -> Iterator[Fact]:
    yield Fact(field="finding.confidence", value=campaign.confidence)
    if campaign.alternatives:
        told = [msgspec.to_builtins(_alternative(one)) for one in campaign.alternatives]
        yield Fact(field="finding.alternatives", value=told)
    found = _circumvention(campaign)
    if found:
        yield Fact(field="finding.circumvention", value=found)


def _texts(campaign: Campaign, bands: tuple[str, ...]) -> Iterator[Fact]:
    sent_by = min((template.accounts for template in campaign.templates), default=0)  # bands do not say of which
    if bands:
        yield Fact(field="template.bands", value=bands, context={"accounts": sent_by})
    for template in campaign.templates:
        if template.text:
            yield Fact(field="template.text", value=template.text, context={"accounts": template.accounts})


def _targets(campaign: Campaign, released: Mapping[str, float]) -> Iterator[Fact]:
    capabilities = {_CAPABILITIES.get(word, "general") for word in campaign.exposure.capabilities}
    for capability in sorted(capabilities):
        yield Fact(field="target.capability", value=capability)
    for model in campaign.models:
        at = released.get(model)
        yield Fact(field="target.models", value=model, context={"public": at is not None, "released_at": at})


def _accounts(campaign: Campaign, identifiers: Mapping[str, Identifiers]) -> Iterator[Fact]:
    for member in campaign.accounts:
        holder = identifiers.get(member.account_id)
        if holder is None:
            continue
        context = {"account": member.account_id, "role": member.role}
        yield Fact(field="account.id", value=member.account_id, context=context)
        for kind in ("email", "payment", "phone", "device"):
            value = getattr(holder, kind)
            if value is not None:
                yield Fact(field=f"identity.{kind}", value=value, context=context)


def _circumvention(campaign: Campaign) -> tuple[Circumvention, ...]:
    strong = {piece.signal for piece in campaign.evidence if piece.bits >= _STRONG_BITS}
    found = [kind for signal, kinds in _CIRCUMVENTIONS if signal in strong for kind in kinds]
    if any(member.role == "victim" for member in campaign.accounts):
        found.append("stolen-credential")
    return tuple(found)


def _synchrony(campaign: Campaign) -> Synchrony:
    bits = max((piece.bits for piece in campaign.evidence if piece.factor == "timing"), default=0.0)
    return "high" if bits >= _STRONG_BITS else "moderate" if bits >= _SOME_BITS else "low"


def _techniques(campaign: Campaign) -> list[str]:
    words = ["model-extraction", "api-access", "establish-accounts"]
    if campaign.templates:
        words.append("prompt-crafting")
    if any(piece.signal == "handle_replay" and piece.bits >= _STRONG_BITS for piece in campaign.evidence):
        words.append("reasoning-replay")
    if any(member.role == "victim" for member in campaign.accounts):
        words.append("valid-accounts")
    return words


def _alternative(considered: Considered) -> Alternative:
    for beginning, word in _EXPLANATIONS:
        if considered.explanation.startswith(beginning):
            return Alternative(explanation=word, kept=considered.kept)
    raise UsageError("an innocent explanation in campaigns.json has no word to share it by", hint=_ANEW)


def _moment(told: str) -> float:
    try:
        moment = datetime.fromisoformat(told)
    except ValueError as error:
        raise UsageError("a time in campaigns.json is none", hint=_ANEW) from error
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _releases_of(run: Path) -> tuple[Release, ...]:
    named = _decode(run / "run.json", _Run).configuration.releases
    return load_releases(Path(named)) if named is not None and Path(named).is_file() else ()


def _decode(path: Path, kind: Any) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read", hint="give the directory that `stillwatch detect --out` wrote"
        ) from error
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UsageError("it is not what `stillwatch detect` writes", where=Location(str(path)), hint=_ANEW) from error


def _lines(path: Path, kind: Any) -> Iterator[Any]:
    decode = msgspec.json.Decoder(kind).decode
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    try:
                        yield decode(line)
                    except (msgspec.MsgspecError, RecursionError) as error:
                        keys = ", ".join(kind.__struct_fields__)
                        raise UsageError(
                            f"no line of this kind; it has {keys}", where=Location(str(path), line=number)
                        ) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
