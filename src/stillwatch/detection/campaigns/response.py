"""From evidence to confidence and action: the rule on what may block.

Only a harvest carries more than `watch`. `block` needs linkage (a common frame, or rare values shared beyond chance)
and one more independent kind of evidence; novelty, volume and account outliers never count towards it. Nor does what
others reported, for any confidence: it is shared in turn, and what we heard of others is no evidence of our own.
"""

from stillwatch.detection.campaigns.evidence import INDEPENDENT, REPORTED
from stillwatch.detection.findings.model import Action, Confidence, Evidence, Kind

_HIGH_BITS, _MODERATE_BITS = 40.0, 15.0
_INDEPENDENT_BITS = 6.6
"""At least this many bits make a piece of evidence count as a kind of its own (p of about 1e-3)."""

TTL_S: dict[Action, int] = {
    "allow": 0,
    "watch": 7 * 86_400,
    "throttle": 3 * 86_400,
    "challenge": 3 * 86_400,
    "degrade": 86_400,
    "block": 86_400,
}
"""How long a verdict holds, in seconds: the harder, the sooner it must be renewed."""


def confidence_of(evidence: list[Evidence]) -> Confidence:
    """Return how sure the sum of our own evidence makes us; high needs an independent second kind."""
    bits = sum(piece.bits for piece in evidence if piece.signal != REPORTED)
    if bits >= _HIGH_BITS and independent_kinds(evidence):
        return "high"
    return "moderate" if bits >= _MODERATE_BITS else "low"


def independent_kinds(evidence: list[Evidence]) -> list[str]:
    """Return the signals that are evidence of another kind than the common frame, and strong enough to count."""
    return [piece.signal for piece in evidence if piece.signal in INDEPENDENT and piece.bits >= _INDEPENDENT_BITS]


def campaign_action(kind: Kind, confidence: Confidence, evidence: list[Evidence], *, calibrated: bool) -> Action:
    """Return the action recommended for a campaign. Without history (`calibrated` false) nothing is blocked."""
    if kind == "harvest":
        if confidence == "high" and calibrated and independent_kinds(evidence):
            return "block"
        return "throttle" if confidence == "low" else "challenge"
    return "watch" if kind == "unclear" else "allow"
