"""Policies and verdicts as tests need them."""

from typing import Any

from stillwatch.detection.findings.model import Action, Verdict
from stillwatch.enforcement.decide import Standing
from stillwatch.enforcement.policy.load import parse_policy
from stillwatch.enforcement.policy.model import Policy

NOW = 1_790_000_000.0


def policy(*tables: str) -> Policy:
    """Return a policy of these TOML tables; raises as a file would."""
    return parse_policy("\n".join(['id = "p"', 'version = "1"', *tables]), "p.toml")


def rule(name: str, action: Action, when: str, mode: str = "enforce", **more: str) -> str:
    """Return a [[rule]] table; `when` and the rest are TOML values."""
    defaults = {"block": {"longest_s": "3600"}, "degrade": {"degrade": "{ max_tokens = 10 }"}}.get(action, {})
    lines = [f"{key} = {value}" for key, value in {**defaults, **more}.items()]
    return "\n".join(
        ["[[rule]]", f'id = "{name}"', f'action = "{action}"', f'mode = "{mode}"', f"when = {when}", *lines]
    )


def verdict(account_id: str, action: Action = "block", **more: Any) -> Verdict:
    fields = {"reason_code": "campaign_member", "ttl_s": 3600, "campaign_id": "cmp-1", "template_bands": [], **more}
    return Verdict(account_id=account_id, action=action, **fields)


def standing(action: Action, **more: Any) -> Standing:
    fields = {
        "reason_code": "campaign_member",
        "set_s": NOW - 10,
        "until_s": NOW + 3600,
        "campaign_id": "cmp-1",
        **more,
    }
    return Standing(action=action, **fields)
