"""How a finding is ruled on at one moment: what the rules say, then what persons said of its facts."""

import msgspec

from stillwatch.sharing.clearance.basis import Bases
from stillwatch.sharing.clearance.build import whole_day
from stillwatch.sharing.clearance.engine import Engine
from stillwatch.sharing.clearance.load import Rules
from stillwatch.sharing.clearance.model import Fact, Kept, Ruling
from stillwatch.sharing.clearance.outbox import Outbox
from stillwatch.sharing.clearance.ruled import Ruled
from stillwatch.sharing.clearance.transform import Means

REFUSED = "counsel refused it"
WITHDRAWN = "it was withdrawn"


def rule(outbox: Outbox, rules: Rules, bases: Bases, kept: Kept, now_s: float) -> list[Ruled]:
    """Return the ruling on each fact of an item under its terms."""
    means = Means(pseudonym_key=outbox.secret, audience=_audience(kept))
    engine = Engine(rules, bases, outbox.opinions, means, now_s)
    return [
        Ruled(fact, _after_words(outbox, engine, kept, fact, ruling))
        for fact, ruling in zip(kept.item.facts, engine.rule_on(kept.item), strict=True)
    ]


def terms_of(outbox: Outbox, kept: Kept, ruling: Ruling) -> str:
    """Return the digest of how, for whom and until when a fact would leave: a release is for that alone."""
    return outbox.terms_digest(kept.terms, ruling.transformation, end_of(ruling))


def end_of(ruling: Ruling) -> float | None:
    """Return the end that goes out with a fact (Unix seconds), where it has one of its own."""
    return None if ruling.expires_at is None else whole_day(ruling.expires_at)


def _audience(kept: Kept) -> str:
    """Return whom pseudonyms are for: what leaves without the member's name is tied to nothing that leaves under it."""
    named = ",".join(sorted(set(kept.terms.recipients)))
    return f"anonymous,{named}" if kept.terms.anonymous else named


def _after_words(outbox: Outbox, engine: Engine, kept: Kept, fact: Fact, ruling: Ruling) -> Ruling:
    """Return the ruling after what persons said: a withdrawal and a refusal bind whatever else would let it go."""
    if outbox.was_withdrawn(kept.item, fact):
        return msgspec.structs.replace(ruling, state="withheld", value=None, why=WITHDRAWN)
    if not outbox.reviews:
        return ruling
    key = outbox.key_of(kept.item, fact)
    if outbox.reviews.refused(key):
        return msgspec.structs.replace(ruling, state="withheld", value=None, why=REFUSED, review=key)
    if ruling.state != "held":
        return ruling
    released = outbox.reviews.released(key, terms_of(outbox, kept, ruling), ruling.bases)
    return engine.released(fact, key) if released else ruling
