"""Replay of reasoning handles: opaque tokens of earlier reasoning, presented by another account than got them."""

import random

from stillwatch_range.ids import Identifiers
from stillwatch_range.populations import Account

_PER_ACCOUNT = 4
_UNKNOWN_ISSUER = 0.2
"""Part of the handles of which the provider no longer knows whose they were."""


def present_handles(rng: random.Random, ids: Identifiers, accounts: list[Account], campaign: str | None) -> None:
    """Let each request of the campaign present a handle that was issued to another of its accounts."""
    issued = [(ids.take("rh_", 16), account.account_id) for account in accounts for _ in range(_PER_ACCOUNT)]
    for account in accounts:
        foreign = [handle for handle in issued if handle[1] != account.account_id] or issued
        for place, work in enumerate(account.window):
            if not work.harvest or work.campaign not in (campaign, None):
                continue
            token, issuer = rng.choice(foreign)
            handle = (token, None if rng.random() < _UNKNOWN_ISSUER else issuer)
            first = work.dialogue[0]._replace(handle=handle)
            account.window[place] = work._replace(dialogue=(first, *work.dialogue[1:]))
