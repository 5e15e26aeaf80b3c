"""Which cohort an account is in, and what the registry exempts it from."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from stillwatch.detection.findings.model import Action
from stillwatch.enforcement.policy.model import EVERYBODY, Cohort, Exemption, Policy
from stillwatch.records.registry import RegistryEntry

_DAY_S = 86_400.0
Account = Mapping[str, Any]
"""A row of the account file (records.exchange.ACCOUNT_SCHEMA)."""


class Membership(NamedTuple):
    """The cohort of an account and the hardest action that an exemption leaves."""

    cohort: str
    most: Action


class Cohorts:
    """Answers from the policy, the account file and the registry; remembers nothing about who asked."""

    def __init__(
        self, policy: Policy, accounts: Mapping[str, Account] | None = None, registry: Iterable[RegistryEntry] = ()
    ) -> None:
        self._policy = policy
        self._accounts = accounts or {}
        self._by_account: dict[str, RegistryEntry] = {}
        self._by_organisation: dict[str, RegistryEntry] = {}
        for entry in registry:
            self._by_account.update(dict.fromkeys(entry.account_ids, entry))
            if entry.org_id is not None:
                self._by_organisation[entry.org_id] = entry
        self._trivial = not (policy.cohort or policy.exemption)
        self._named = any(one.account_ids or one.org_ids for one in policy.exemption)

    def of(self, account_id: str, org_id: str | None, model: str | None, now_s: float) -> Membership:
        """Return what an account is, at a moment (Unix seconds), when it asks for a model."""
        if self._trivial:
            return Membership(EVERYBODY, "block")
        record = self._accounts.get(account_id)
        organisation = (record.get("org_id") if record else None) or org_id
        cohort = EVERYBODY
        for one in self._policy.cohort:
            if _belongs(one, account_id, organisation, record, now_s):
                cohort = one.id
                break
        return Membership(cohort, self._most(account_id, organisation, model, now_s))

    def _most(self, account_id: str, organisation: str | None, model: str | None, now_s: float) -> Action:
        entry = self._by_account.get(account_id) or self._by_organisation.get(organisation or "")
        if entry is None and not self._named:
            return "block"
        today = datetime.fromtimestamp(now_s, UTC).date()
        if entry is not None and not _covers(entry, model, today):
            entry = None
        for one in self._policy.exemption:
            if (one.valid_to is None or today <= one.valid_to) and _exempts(one, account_id, organisation, entry):
                return one.most
        return "block"


def bucket_of(account_id: str) -> float:
    """Return the account's place in 0..100, the same for ever, so that a canary keeps to the same accounts."""
    return int.from_bytes(hashlib.blake2b(account_id.encode(), digest_size=4).digest(), "big") * 100.0 / 2**32


def _belongs(one: Cohort, account_id: str, organisation: str | None, record: Account | None, now_s: float) -> bool:
    if one.account_ids and account_id not in one.account_ids:
        return False
    if one.org_ids and organisation not in one.org_ids:
        return False
    known = record or {}
    for field, wanted in (("plan", one.plans), ("programme", one.programmes), ("verification", one.verification)):
        if wanted and known.get(field) not in wanted:
            return False
    if one.newer_than_days is None:
        return True
    created = known.get("created_at")
    return isinstance(created, datetime) and now_s - created.timestamp() <= one.newer_than_days * _DAY_S


def _covers(entry: RegistryEntry, model: str | None, today: date) -> bool:
    if (entry.valid_from and today < entry.valid_from) or (entry.valid_to and today > entry.valid_to):
        return False
    return "*" in entry.models or model in entry.models


def _exempts(one: Exemption, account_id: str, organisation: str | None, entry: RegistryEntry | None) -> bool:
    return (
        (entry is not None and entry.kind in one.registry_kinds)
        or account_id in one.account_ids
        or (organisation is not None and organisation in one.org_ids)
    )
