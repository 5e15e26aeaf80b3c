"""Client programs as recorded: what each sends beside the text, and how many requests it has in flight."""

import random
import tomllib
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec

from stillwatch.errors import UsageError
from stillwatch_range.material import Turn
from stillwatch_range.metadata import Client, tls_fingerprint
from stillwatch_range.populations import Account, Shift, Work


class WarmUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request that a program sends before its work, through another library."""

    user_agent: str
    prompt: str


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one program was seen to send; parameters as in the exchange schema, lists to choose from.

    Attributes:
        weight: how often ordinary programs are of this make.
        headers: further headers.
        optional: parameters that only half of the callers send.
        concurrency: requests in flight.
        warm_up: what it sends first.
    """

    weight: int
    user_agent: str
    concurrency: int
    operation: str = "chat"
    headers: dict[str, str] = {}
    optional: tuple[str, ...] = ()
    temperature: tuple[float, ...] = ()
    top_p: tuple[float, ...] = ()
    max_tokens: tuple[int, ...] = ()
    stream: tuple[bool, ...] = ()
    n: int | None = None
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    warm_up: WarmUp | None = None


@lru_cache(maxsize=1)
def known_profiles() -> dict[str, Profile]:
    """Return the recorded programs by name."""
    text = (files("stillwatch_range") / "profiles.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, Profile])


def dress(rng: random.Random, accounts: list[Account], named: dict[str, str]) -> None:
    """Let every program send what a recorded one does; browsers stay as they are.

    Args:
        rng: source of chance.
        accounts: everybody, campaigns and customers alike.
        named: the program of each cohort that uses one and no other; the rest draw one by weight.

    Raises:
        UsageError: no such program.
    """
    profiles = known_profiles()
    for name in named.values():
        if name not in profiles:
            raise UsageError(f"unknown profile {name!r}", hint=f"one of {', '.join(sorted(profiles))}")
    weights = [profile.weight for profile in profiles.values()]
    for account in accounts:
        common = named.get(account.cohort.removeprefix("new:"))
        for client in _programs(account):
            profile = profiles[common] if common else rng.choices(list(profiles.values()), weights)[0]
            _wear(rng, client, profile)
            if profile.warm_up is not None and account.window and client is account.party.client:
                account.window.insert(0, _first_request(account, profile.warm_up))


def _programs(account: Account) -> list[Client]:
    clients = [
        account.party.client,
        *(work.shift.client for work in account.window if work.shift and work.shift.client),
    ]
    return [client for client in {id(client): client for client in clients}.values() if client.is_program]


def _wear(rng: random.Random, client: Client, profile: Profile) -> None:
    def sent(name: str) -> Any:
        values = getattr(profile, name)
        absent = not values or (name in profile.optional and rng.random() < 0.5)
        return None if absent else rng.choice(values)

    client.user_agent, client.tls_fingerprint = profile.user_agent, tls_fingerprint(profile.user_agent)
    client.operation, client.concurrency, client.headers = profile.operation, profile.concurrency, profile.headers
    client.temperature, client.top_p = sent("temperature"), sent("top_p")
    client.max_tokens, client.stream = sent("max_tokens"), sent("stream")
    client.n, client.seed = profile.n, profile.seed
    client.logprobs, client.top_logprobs = profile.logprobs, profile.top_logprobs


def _first_request(account: Account, warm_up: WarmUp) -> Work:
    """Return what is sent before the account's first work, in the same days."""
    usual = account.window[0].shift
    plain = replace(
        account.party.client,
        user_agent=warm_up.user_agent,
        tls_fingerprint=tls_fingerprint(warm_up.user_agent),
        concurrency=1,
    )
    return Work((Turn(warm_up.prompt),), shift=Shift(usual.days if usual else None, plain))
