"""A provider with an outbox, bases that counsel adopted, and facts that rules would let leave."""

import datetime as dt
import json
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from stillwatch.sharing.clearance.basis import Adoption, Adoptions, Bases, standard_bases
from stillwatch.sharing.clearance.clearing import Clearing
from stillwatch.sharing.clearance.engine import Engine
from stillwatch.sharing.clearance.events import ObjectMade, Pushed, Reviewed
from stillwatch.sharing.clearance.load import Rules, parse_rules, standard_rules
from stillwatch.sharing.clearance.model import Fact, Item, Ruling, Terms
from stillwatch.sharing.clearance.opinions import Opinion
from stillwatch.sharing.clearance.outbox import Member, Outbox
from stillwatch.sharing.clearance.places import Place
from stillwatch.sharing.clearance.transform import Means

DAY = 86_400.0
NOW = dt.datetime(2026, 8, 3, 12, tzinfo=dt.UTC).timestamp()
MEMBER = "identity--4f9d9c1e-0c6f-4f0e-8a51-6a8f4f0a9b11"
OTHER = "identity--b1c7a9d2-33aa-4c1d-9f6e-0d2f5b7c8e22"
ALL = ("us-2014-statement", "us-cisa-2015", "eu-gdpr-6-1-f", "eu-horizontal-2023")
RULES = standard_rules()
TOKEN = "r255-v1:2026-q3:" + "5e" * 64
BANDS = ["9f3a5c7d1e2b4f60", "c0ffee00deadbeef"]
ANN, BEN = "Ann Lee", "Ben Okafor"


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, now_s: float = NOW) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def adopted(
    *names: str, jurisdictions: tuple[str, ...] = ("US",), until: str = "2027-12-31", since: str = "2026-01-01"
) -> Bases:
    adoptions = tuple(
        Adoption(
            basis=name,
            by="R. Ames",
            reason="memo 12",
            start=dt.date.fromisoformat(since),
            until=dt.date.fromisoformat(until),
        )
        for name in names
    )
    return standard_bases(Adoptions(jurisdictions=jurisdictions, adoption=adoptions))


def everything() -> Bases:
    return adopted(*ALL)


def fact(field: str, value: Any, **context: Any) -> Fact:
    return Fact(field=field, value=value, context=context)


def of_account(field: str, value: Any, account: str = "acc-1", **context: Any) -> Fact:
    token = {"token": TOKEN} if field.startswith("identity.") else {}
    return fact(field, value, account=account, role="harvester", **token, **context)


def item(*facts: Fact, item_id: str = "C-1", circumvention: tuple[str, ...] = ("false-identity",), **more: Any) -> Item:
    told = {"first_seen": NOW - 9 * DAY, "last_seen": NOW - DAY, **more}
    return Item(item_id=item_id, facts=facts, circumvention=circumvention, **told)


def harvest(item_id: str = "C-1") -> Item:
    """Return a finding of which everything may leave without counsel."""
    return item(
        fact("cluster.accounts", 4_203),
        fact("cluster.lifetime", 9 * DAY),
        fact("cluster.synchrony", "high"),
        fact("finding.confidence", "high"),
        fact("finding.alternatives", [{"explanation": "agency", "kept": True}]),
        fact("finding.circumvention", ["false-identity"]),
        fact("volume.exchanges", 16_342, of_one_cluster=True),
        fact("tactic.techniques", ["model-extraction", "api-access"]),
        fact("target.capability", "reasoning"),
        fact("target.models", "aster-2", public=True, released_at=NOW - 90 * DAY),
        fact("template.bands", BANDS, accounts=900),
        fact("template.text", "Think step by step before you answer: {question}", accounts=900),
        fact("infrastructure.hosting_ip", "8.8.4.4", residential=False, expires_at=NOW + 10 * DAY, confidence=80),
        fact("infrastructure.asn", 64_512),
        of_account("account.id", "acc-1"),
        of_account("identity.email", "alice@example.com"),
        fact("sighting.seen", value=True),
        item_id=item_id,
    )


def ruled(
    *facts: Fact,
    rules: Rules = RULES,
    bases: Bases | None = None,
    opinions: Iterable[Opinion] = (),
    circumvention: tuple[str, ...] = ("false-identity",),
    now_s: float = NOW,
) -> list[Ruling]:
    means = Means(pseudonym_key=b"k" * 32, audience="")
    engine = Engine(rules, bases or everything(), list(opinions), means, now_s)
    return engine.rule_on(item(*facts, circumvention=circumvention, first_seen=0.0, last_seen=0.0))


def outbox_in(directory: Path) -> Outbox:
    return Outbox(directory / "outbox", Member(member_id=MEMBER))


def clearing_of(
    outbox: Outbox, bases: Bases | None = None, clock: Clock | None = None, rules: Rules = RULES, **terms: Any
) -> Clearing:
    return Clearing(outbox, rules, bases or everything(), Terms(**terms), clock or Clock())


def word(key: str, by: str, verdict: Any = "release", reason: str = "nothing of a customer is in it") -> Reviewed:
    return Reviewed(ts=0, key=key, item="", field="", value="", verdict=verdict, by=by, reason=reason)


def sent_bytes(outbox: Outbox) -> bytes:
    """Return all that could reach others: objects, the log, and the names of the files."""
    paths = [*(outbox.directory / "objects").rglob("*"), *(outbox.directory / "log").rglob("*")]
    return b"\0".join(str(path.relative_to(outbox.directory)).encode() for path in paths) + b"\0".join(
        path.read_bytes() for path in paths if path.is_file()
    )


def objects_of(outbox: Outbox) -> list[dict[str, Any]]:
    return [json.loads(bytes_of(outbox, made)) for made in outbox.latest().values()]


def bytes_of(outbox: Outbox, made: ObjectMade) -> bytes:
    found = outbox.object_bytes(made)
    assert found is not None
    return found


def of_type(outbox: Outbox, kind: str) -> list[dict[str, Any]]:
    return [body for body in objects_of(outbox) if body["type"] == kind]


HUB = Place("https://hub.example/", "c-shared")


def push_all(outbox: Outbox, clearing: Any, now_s: float = NOW, place: Place = HUB) -> int:
    """Do as `exchange.push` does, with a hub that takes all."""
    back = [one for apart in (False, True) for one in clearing.to_revoke(place, anonymous=apart)[0]]
    ready = [*clearing.ready()[0], *back]
    taken = [
        Pushed(ts=now_s, sha256=one.sha256, hub=place.hub, accepted=True, collection=place.collection) for one in ready
    ]
    outbox.record(taken, now_s)
    return len(ready)


def own_rules(change: Any) -> Rules:
    text = resources.files("stillwatch.sharing.clearance").joinpath("rules.toml").read_text("utf-8")
    changed = change(text).replace(f'version = "{RULES.version}"', 'version = "own-1"')
    return parse_rules(changed, "own.toml", everything())


def without_rules(text: str, number: int) -> str:
    blocks = text.split("[[class]]\n")
    return "[[class]]\n".join(
        block.split("[[class.rule]]")[0] if f"number = {number}\n" in block else block for block in blocks
    )
