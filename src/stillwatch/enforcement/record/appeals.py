"""Appeals against decisions: a clock, reviewers, and what follows.

One reviewer may overturn a decision; to uphold it two must agree, neither of whom set the verdict. So a mistake is
mended quickly, and a customer is turned down only when two people looked.
"""

from typing import Annotated, Literal

import msgspec

from stillwatch.enforcement.model import Name
from stillwatch.enforcement.record.store import Store
from stillwatch.errors import PolicyRefusedError
from stillwatch.identifiers import DecisionIds

ANSWER_WITHIN_S = 5 * 86_400
State = Literal["open", "overturned", "upheld"]


class NewAppeal(msgspec.Struct, frozen=True, kw_only=True):
    """What a client sends: the decision it quotes, how to reach it, and its side of the matter."""

    decision_id: Name
    contact: Annotated[str, msgspec.Meta(min_length=3, max_length=320)]
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]


class NewReview(msgspec.Struct, frozen=True, kw_only=True):
    """What a reviewer found."""

    reviewer: Name
    finding: Literal["overturn", "uphold"]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """A reviewer's finding, with its moment (Unix seconds)."""

    reviewer: str
    finding: Literal["overturn", "uphold"]
    reason: str
    ts: float


class Appeal(msgspec.Struct, frozen=True, kw_only=True):
    """An appeal. Moments are Unix seconds; `due` is when the client must have its answer."""

    appeal_id: str
    decision_id: str
    account_id: str | None
    contact: str
    text: str
    received: float
    due: float
    state: State = "open"
    reviews: tuple[Review, ...] = ()


class Appeals:
    """The appeals of a store, one per decision."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ids = DecisionIds()

    def receive(self, new: NewAppeal, account_id: str | None, now_s: float) -> Appeal:
        """Start the clock of an appeal; a second one against the same decision is the first one again."""
        known = self.get(new.decision_id)
        if known is not None:
            return known
        appeal = Appeal(
            appeal_id=self._ids.make(now_s),
            decision_id=new.decision_id,
            account_id=account_id,
            contact=new.contact,
            text=new.text,
            received=now_s,
            due=now_s + ANSWER_WITHIN_S,
        )
        self.keep(appeal)
        return appeal

    def get(self, appeal_or_decision: str) -> Appeal | None:
        """Return an appeal by its own id or its decision's."""
        body = self._store.appeal(appeal_or_decision)
        return None if body is None else msgspec.json.decode(body, type=Appeal)

    def all(self) -> list[Appeal]:
        """Return all appeals, oldest first."""
        return [msgspec.json.decode(body, type=Appeal) for body in self._store.appeals()]

    def review(self, appeal: Appeal, new: NewReview, author: str | None, now_s: float) -> Appeal:
        """Return an appeal with a reviewer's finding and its new state, for `keep`; `author` set the verdict.

        Raises:
            PolicyRefusedError: it is closed already, or this person may not review it (again).
        """
        if appeal.state != "open":
            raise PolicyRefusedError(f"the appeal is {appeal.state} already", hint="set or lift the verdict instead")
        if new.reviewer == author:
            raise PolicyRefusedError("who set a verdict does not review it", hint="ask another reviewer")
        if any(review.reviewer == new.reviewer for review in appeal.reviews):
            raise PolicyRefusedError("this reviewer has had a say", hint="ask a second reviewer")
        review = Review(reviewer=new.reviewer, finding=new.finding, reason=new.reason, ts=now_s)
        reviews = (*appeal.reviews, review)
        state: State = "open"
        if new.finding == "overturn":
            state = "overturned"
        elif sum(one.finding == "uphold" for one in reviews) > 1:
            state = "upheld"
        return msgspec.structs.replace(appeal, reviews=reviews, state=state)

    def keep(self, appeal: Appeal) -> None:
        """Store an appeal as it is now."""
        self._store.put_appeal(appeal.appeal_id, appeal.decision_id, msgspec.json.encode(appeal))
