"""One of each object that we build, by an invented member."""

from typing import Any

from stillwatch.sharing.objects import build, extensions, patterns
from stillwatch.sharing.objects.extensions import Alternative, Cleared, Harvest, Iep, LlmAccount, Sharing

NOW = 1_795_000_000.0
DAY = 86_400.0
MEMBER = "identity--4f9d9c1e-0c6f-4f0e-8a51-6a8f4f0a9b11"
OTHER = "identity--b1c7a9d2-33aa-4c1d-9f6e-0d2f5b7c8e22"
BANDS = ("0123456789abcdef", "fedcba9876543210")
TOKEN = "r255-v1:2026-11:" + "ab" * 32
SHARING = Sharing(
    recipients=(OTHER,),
    correlate=True,
    anonymous=True,
    iep=Iep(
        id="0d3f1f8e-5a3b-4f4e-9c1d-2b6a7c8d9e0f",
        name="members only",
        start_date="2026-11-01T00:00:00Z",
        end_date="2027-11-01T00:00:00Z",
        encrypt_in_transit="must",
        permitted_actions="internally-visible",
        affected_party_notifications="must-not",
        attribution="must-not",
        unmodified_resale="must-not",
    ),
    cleared=Cleared(rules_version="1.2.0", bases=("antitrust-2014",), log_digest="0f" * 32),
)
HARVEST = Harvest(
    accounts_band="100-999",
    exchanges_band="10000-99999",
    lifetime_band="under-1-week",
    synchrony="high",
    capability="reasoning",
    models_after_release=("example-model-2",),
    alternatives=(Alternative(explanation="one-customer", kept=False), Alternative(explanation="fashion", kept=True)),
    circumvention=("false-identity", "safeguard-bypass"),
    template_bands=BANDS,
    template_text="Explain step by step how {} follows from {}.",
)
ACCOUNT = LlmAccount(
    token_scheme="r255-v1",  # noqa: S106 - a cipher suite, no secret
    token_epoch="2026-11",  # noqa: S106 - a month
    tokens=(extensions.AccountToken(kind="email", token=TOKEN),),
    requests_bucket="100-999",
    distinct_models=2,
    template_bands=BANDS,
)


def origin(**changes: Any) -> build.Origin:
    return build.Origin(**{"created_by": MEMBER, "at": NOW, "confidence": "moderate", "sharing": SHARING} | changes)


def identity() -> dict[str, Any]:
    return build.identity(name="Example Lab A", at=NOW, identifier=MEMBER)


def campaign(**changes: Any) -> dict[str, Any]:
    asked = {
        "name": "campaign 1",
        "first_seen": NOW - 9 * DAY,
        "last_seen": NOW - DAY,
        "harvest": HARVEST,
        "techniques": ["model-extraction", "reasoning-replay"],
    }
    return build.campaign(origin(), **asked | changes)


def indicator(**changes: Any) -> dict[str, Any]:
    asked = {
        "name": "template of campaign 1",
        "pattern": patterns.template_pattern(BANDS),
        "valid_from": NOW,
        "valid_until": NOW + 30 * DAY,
        "harvest": HARVEST,
        "techniques": ["model-extraction"],
    }
    return build.indicator(origin(), **asked | changes)


def account() -> dict[str, Any]:
    return build.user_account(ACCOUNT, user_id=TOKEN, sharing=SHARING)


def sighting(of: str, observed: tuple[str, ...] = ()) -> dict[str, Any]:
    return build.sighting(
        origin(), of=of, first_seen=NOW - DAY, last_seen=NOW, count="10-99", where=[MEMBER], observed=observed
    )


def everything() -> list[dict[str, Any]]:
    """Return one of each object, tied together."""
    who, found, sign, one = identity(), campaign(), indicator(), account()
    seen = build.observed_data(origin(), first=NOW - DAY, last=NOW, number="10-99", refs=[one["id"]])
    relay = build.infrastructure(
        origin(), name="relay", kinds=["anonymization"], first_seen=NOW - DAY, last_seen=NOW, description="A relay."
    )
    network, domain = build.address("192.0.2.0/24"), build.domain_name("relay.example")
    return [
        who,
        found,
        sign,
        one,
        seen,
        relay,
        network,
        build.address("2001:db8::/32"),
        domain,
        build.autonomous_system(64500, name="EXAMPLE-AS"),
        sighting(sign["id"], (seen["id"],)),
        build.opinion(origin(), word="agree", refs=[sign["id"]], explanation="seen here"),
        build.note(origin(), content="Corrected on review.", refs=[found["id"]], abstract="correction"),
        build.relationship(origin(), source=sign["id"], kind="indicates", target=found["id"]),
        build.relationship(origin(), source=relay["id"], kind="consists-of", target=domain["id"]),
    ]
