"""What the codes of a finding mean, in words for an analyst and for counsel. No sentence says more than the data."""

from collections import Counter
from statistics import fmean

from stillwatch.detection.findings.formats import chance, count, day, parse_instant, percent, plural
from stillwatch.detection.findings.model import (
    AccountFinding,
    Action,
    CalibrationRow,
    Campaign,
    Confidence,
    Factor,
    Findings,
    Kind,
    Role,
)

KIND_NAME: dict[Kind, str] = {
    "harvest": "Harvest",
    "public_benchmark": "Public benchmark",
    "single_organisation": "One organisation",
    "authorised": "Authorised",
    "unclear": "Unclear",
}

KIND_MEANING: dict[Kind, str] = {
    "harvest": (
        "The accounts work through one body of prompts together and collect the model's answers. That is what "
        "gathering training data for another model looks like. It does not show who is behind the accounts, nor "
        "that a model was trained on the answers."
    ),
    "public_benchmark": (
        "Accounts that have nothing else in common ran the same published test. There is nothing to contain."
    ),
    "single_organisation": (
        "The accounts or keys belong to one customer and run that customer's own application. There is nothing "
        "to contain."
    ),
    "authorised": "The activity is covered by an entry in the registry of authorised users.",
    "unclear": (
        "The accounts act alike, but at least one innocent explanation could not be ruled out, or the evidence is "
        "too thin. Watching is the most that this supports."
    ),
}

ACTION_MEANING: dict[Action, str] = {
    "allow": "Do nothing.",
    "watch": "Keep looking; the customer notices nothing.",
    "throttle": "Slow the account down.",
    "challenge": "Ask the customer to verify who they are.",
    "degrade": "Serve a reduced product, for example without visible reasoning.",
    "block": "Refuse requests. Needs a linked campaign and a second, independent kind of evidence.",
}

CONFIDENCE_MEANING: dict[Confidence, str] = {
    "low": "the evidence could well be chance or come from an innocent cause",
    "moderate": "the evidence is clear, but rests on few kinds of signal",
    "high": "several independent kinds of evidence agree",
}

FACTOR_NAME: dict[Factor, str] = {
    "volume": "Volume",
    "structure": "Structure of the requests",
    "pattern": "Pattern of the prompts",
    "coordination": "Coordination",
    "timing": "Timing",
    "capability_concentration": "Concentration on a capability",
    "multiple_accounts": "Several accounts",
    "development_timeline": "Development timeline",
    "circumvention": "Circumvention of controls",
}

ROLE_NAME: dict[Role, str] = {"harvester": "Harvester", "linked": "Linked", "victim": "Victim"}

ROLE_MEANING: dict[Role, str] = {
    "harvester": "sends the campaign's prompts (called a sender where the campaign is no harvest)",
    "linked": "shares the campaign's infrastructure only",
    "victim": "a real customer whose key or account was taken over",
}

_PRIORITY: dict[Kind, int] = {
    "harvest": 0,
    "unclear": 1,
    "single_organisation": 2,
    "public_benchmark": 3,
    "authorised": 4,
}
_HARD_ACTIONS: frozenset[Action] = frozenset(("throttle", "challenge", "degrade", "block"))


def by_importance(campaigns: list[Campaign]) -> list[Campaign]:
    """Sort campaigns for a reader: harvests first, then by weight of evidence."""
    return sorted(campaigns, key=lambda c: (_PRIORITY[c.kind], -evidence_bits(c), c.campaign_id))


def evidence_bits(campaign: Campaign) -> float:
    """Return the sum of the campaign's evidence in bits."""
    return sum(evidence.bits for evidence in campaign.evidence)


def limits_service(account: AccountFinding) -> bool:
    """Tell whether the account's customer would notice the action."""
    return account.action in _HARD_ACTIONS


def headline(findings: Findings) -> str:
    """Say in one line what the run found."""
    harvests = [campaign for campaign in findings.campaigns if campaign.kind == "harvest"]
    if harvests:
        accounts = len({member.account_id for campaign in harvests for member in campaign.accounts})
        return f"{plural(len(harvests), 'harvest')} found, {plural(accounts, 'account')} in all"
    if findings.campaigns:
        others = plural(len(findings.campaigns), "group")
        return f"No harvest found; {others} of accounts acting alike for other reasons"
    return "No campaign found"


def overview(campaigns: list[Campaign], accounts: int, limited: int, watched: int) -> list[str]:
    """Say in a few sentences what was found and what follows for how many accounts."""
    if not accounts:
        return ["There was no traffic to look at."]
    others: Counter[Kind] = Counter(campaign.kind for campaign in campaigns if campaign.kind != "harvest")
    sentences = []
    if any(campaign.kind == "harvest" for campaign in campaigns):
        sentences.append("A harvest is a group of accounts that act as one and collect the model's answers.")
    if others:
        groups = ", ".join(f"{count(others[kind])} {KIND_NAME[kind].lower()}" for kind in KIND_NAME if others[kind])
        sentences.append(f"Other groups that act alike: {groups}.")
    if limited or watched:
        left = accounts - limited - watched
        what = f"limiting {plural(limited, 'account')} and watching {count(watched)}"
        return [*sentences, f"Recommended: {what}; nothing changes for the other {count(left)}."]
    return [*sentences, "No account needs attention."]


def campaign_title(campaign: Campaign) -> str:
    """Name a campaign by its kind and size."""
    accounts = plural(len(campaign.accounts), "account")
    return f"{KIND_NAME[campaign.kind]}: {accounts}, {plural(campaign.exchanges, 'exchange')}"


def campaign_sentences(campaign: Campaign) -> list[str]:
    """Tell a campaign in a few plain sentences: what happened, how it is read, how surprising it is."""
    return [
        _what_happened(campaign),
        KIND_MEANING[campaign.kind],
        *_traffic_mix(campaign),
        *_surprise(campaign),
        *_victims(campaign),
    ]


def calibration_verdict(row: CalibrationRow) -> str:
    """Say whether the declared false positive rate is compatible with the realised one."""
    if row.low is None or row.high is None:
        return "not known"
    if row.declared_fpr < row.low:
        return "No: too many false alarms"
    return "Yes" if row.declared_fpr <= row.high else "Yes: fewer than declared"


def role_name(campaign: Campaign, role: Role) -> str:
    """Name a member's role; whoever takes part in something innocent is not called a harvester."""
    return "Sender" if role == "harvester" and campaign.kind != "harvest" else ROLE_NAME[role]


def roles_sentence(campaign: Campaign) -> str:
    """Count the members of a campaign by their role and say what each role means."""
    roles = Counter(member.role for member in campaign.accounts)
    parts = []
    if roles["harvester"]:
        verb = "sends" if roles["harvester"] == 1 else "send"
        parts.append(f"{plural(roles['harvester'], 'account')} {verb} the campaign's prompts")
    if roles["linked"]:
        verb = "shares" if roles["linked"] == 1 else "share"
        parts.append(f"{count(roles['linked'])} only {verb} its infrastructure")
    if roles["victim"]:
        verb = "belongs to a real customer" if roles["victim"] == 1 else "belong to real customers"
        parts.append(f"{count(roles['victim'])} {verb} whose key or account was taken over")
    return f"{'; '.join(parts)}." if parts else "No account is named."


def _what_happened(campaign: Campaign) -> str:
    first, last = day(parse_instant(campaign.first_seen)), day(parse_instant(campaign.last_seen))
    when = f"on {first}" if first == last else f"between {first} and {last}"
    what = f"{plural(len(campaign.accounts), 'account')} sent {plural(campaign.exchanges, 'exchange')} {when}"
    if not campaign.templates:
        return f"{what}."
    verb = "follow" if campaign.exchanges != 1 else "follows"
    return f"{what} that {verb} {plural(len(campaign.templates), 'shared prompt template')}."


def _traffic_mix(campaign: Campaign) -> list[str]:
    if campaign.kind not in ("harvest", "unclear"):
        return []
    shares = [member.share for member in campaign.accounts if member.role == "harvester"]
    if not shares or fmean(shares) >= 0.995:
        return []
    mean = fmean(shares)
    told = f"On average {percent(mean)} of an account's traffic belongs to it; the other {percent(1 - mean)} is "
    return [told + "unrelated and may come from innocent people served through the same accounts."]


_NEVER = 1e-12  # smaller than the chance that the model behind it is wrong


def _surprise(campaign: Campaign) -> list[str]:
    if campaign.p_value is None:
        return []
    if campaign.p_value <= _NEVER:
        return ["Ordinary traffic would practically never look like this by chance."]
    return [f"Ordinary traffic would look like this by chance about {_often(campaign.p_value)}."]


def _often(p_value: float) -> str:
    words = chance(p_value)
    return f"once in {words.removeprefix('1 in ')} such windows" if words.startswith("1 in ") else "every time"


def _victims(campaign: Campaign) -> list[str]:
    victims = sum(member.role == "victim" for member in campaign.accounts)
    if not victims:
        return []
    if victims == 1:
        return ["1 of the accounts looks taken over; its owner is a victim and should be told."]
    return [f"{count(victims)} of the accounts look taken over; their owners are victims and should be told."]
