"""What people do: set and lift verdicts, approve, hear appeals, end a fall-back. Kept before it takes effect."""

from typing import Annotated, Any, Literal

import msgspec

from stillwatch.detection.findings.model import Action
from stillwatch.enforcement.decide import Standing
from stillwatch.enforcement.decider import Decider
from stillwatch.enforcement.model import Code, Name
from stillwatch.enforcement.record.appeals import Appeal, Appeals, NewAppeal, NewReview
from stillwatch.enforcement.record.budgets import Budgets
from stillwatch.enforcement.record.ledger import Entry
from stillwatch.enforcement.record.rulings import Rulings
from stillwatch.enforcement.record.store import Event, Ruling, Store

_LIFT_S = 30 * 86_400
"""For so long a lifted verdict stays lifted, though detection finds it again."""
_APPROVAL_S = 7 * 86_400

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
Ttl = Annotated[int, msgspec.Meta(ge=1, le=366 * 86_400)]


class NewVerdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person decides about an account. It ends with its `ttl_s`."""

    action: Action
    reason_code: Code
    reason: Reason
    author: Name
    ttl_s: Ttl
    retry_after_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)] | None = None
    campaign_id: Name | None = None


class Lift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a verdict is lifted, and by whom."""

    reason: Reason
    author: Name


class VerdictState(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict as it stands now. `awaiting_approval`: a second person must ask for the same before it holds."""

    account_id: str
    state: Literal["in_force", "awaiting_approval"]
    action: Action
    reason_code: str
    author: str
    until: float
    campaign_id: str | None = None
    approved_by: str | None = None


class Casework:
    """The acts of people, each with its event in the account's history."""

    def __init__(self, decider: Decider, store: Store, rulings: Rulings, budgets: Budgets, now_s: float) -> None:
        """Put in force what was set before the process started; see `Rulings.on`."""
        self._decider, self._store, self._rulings, self._budgets = decider, store, rulings, budgets
        self.appeals = Appeals(store)
        rulings.on("verdict", self._take, now_s)

    def _take(self, ruling: Ruling) -> None:
        self._decider.standings.put(ruling.name, msgspec.convert(ruling.body, Standing))

    def set_verdict(self, account_id: str, new: NewVerdict, now_s: float) -> VerdictState:
        """Set a verdict. A degrade without a campaign is suspicion alone: it holds once a second person asks for it."""
        asked = msgspec.to_builtins(new)
        approved_by = None
        if new.action == "degrade" and new.campaign_id is None:
            approved_by = self._other_author(account_id, new, now_s)
            if approved_by is None:
                self._ask(account_id, new, now_s)
                return _state(account_id, new, "awaiting_approval", now_s, None)
        standing = Standing(
            action=new.action,
            reason_code=new.reason_code,
            set_s=now_s,
            until_s=now_s + new.ttl_s,
            campaign_id=new.campaign_id,
            retry_after_s=new.retry_after_s,
        )
        self._keep(account_id, standing, Event(ts=now_s, account_id=account_id, kind="set", body=asked))
        return _state(account_id, new, "in_force", now_s, approved_by)

    def lift(self, account_id: str, lift: Lift, now_s: float) -> bool:
        """Lift whatever holds, for 30 days also against detection; returns whether anything held."""
        held = self._decider.standings.of(account_id, now_s) is not None
        standing = Standing(action="allow", reason_code="lifted", set_s=now_s, until_s=now_s + _LIFT_S)
        body = msgspec.to_builtins(lift)
        self._keep(account_id, standing, Event(ts=now_s, account_id=account_id, kind="lifted", body=body))
        return held

    def history(self, account_id: str) -> list[Event]:
        """Return what was done to an account, newest first."""
        return self._store.events(account_id)

    def appeal(self, new: NewAppeal, decision: Entry, now_s: float) -> Appeal:
        """Start the clock of an appeal against a recorded decision."""
        appeal = self.appeals.receive(new, decision.account_id, now_s)
        if decision.account_id is not None and appeal.received == now_s:
            body: dict[str, object] = {"appeal_id": appeal.appeal_id, "decision_id": decision.decision_id}
            self._store.add_event(Event(ts=now_s, account_id=decision.account_id, kind="appealed", body=body))
        return appeal

    def review(self, appeal: Appeal, new: NewReview, decision: Entry, now_s: float) -> Appeal:
        """Add a reviewer's finding. An overturn lifts the verdict and counts against the cohort's budget.

        Raises:
            PolicyRefusedError: see `Appeals.review`.
        """
        account = decision.account_id
        reviewed = self.appeals.review(appeal, new, self._author_of(account), now_s)
        if reviewed.state == "overturned" and account is not None:
            self.lift(
                account, Lift(reason=f"appeal {appeal.appeal_id}: {new.reason}"[:2000], author=new.reviewer), now_s
            )
            if decision.cohort is not None:
                self._budgets.overturn(decision.cohort, decision.rule or "", now_s)
        self.appeals.keep(reviewed)  # last: a process killed before it leaves the appeal open, and the account free
        return reviewed

    def reset_budget(self, cohort: str, now_s: float) -> bool:
        """Let a cohort's rules enforce again; returns whether they did not."""
        return self._budgets.reset(cohort, now_s)

    def _keep(self, account_id: str, standing: Standing, event: Event) -> None:
        body = msgspec.to_builtins(standing)
        ruling = Ruling(kind="verdict", name=account_id, ts=event.ts, until=standing.until_s, body=body, event=event)
        self._rulings.settle(ruling)

    def _ask(self, account_id: str, new: NewVerdict, now_s: float) -> None:
        event = Event(ts=now_s, account_id=account_id, kind="asked", body=msgspec.to_builtins(new))
        name = f"{account_id}:{new.author}"
        self._rulings.settle(Ruling(kind="asked", name=name, ts=now_s, until=now_s + _APPROVAL_S, body={}, event=event))

    def _other_author(self, account_id: str, new: NewVerdict, now_s: float) -> str | None:
        """Return who else asked for the same of late."""
        for event in self._store.events(account_id):
            if event.kind in {"set", "lifted"} or event.ts < now_s - _APPROVAL_S:
                return None
            author = event.body.get("author")
            if event.kind == "asked" and event.body.get("action") == new.action and author != new.author:
                return str(author)
        return None

    def _author_of(self, account_id: str | None) -> str | None:
        """Return who set the account's latest verdict, None where detection did."""
        events = [] if account_id is None else self._store.events(account_id)
        return next((str(event.body.get("author")) for event in events if event.kind == "set"), None)


def _state(account_id: str, new: NewVerdict, state: Any, now_s: float, approved_by: str | None) -> VerdictState:
    return VerdictState(
        account_id=account_id,
        state=state,
        action=new.action,
        reason_code=new.reason_code,
        author=new.author,
        until=now_s + new.ttl_s,
        campaign_id=new.campaign_id,
        approved_by=approved_by,
    )
