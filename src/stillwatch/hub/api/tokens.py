"""The token service: a key holder's answers, and the quota that keeps members from guessing."""

import hmac
from collections import Counter
from collections.abc import Mapping
from typing import Annotated

import msgspec
from sqlalchemy import Connection, select

from stillwatch.errors import InputRejectedError, UsageError
from stillwatch.hub.api import bodies
from stillwatch.hub.api.holder import Holder
from stillwatch.hub.api.tables import usage
from stillwatch.hub.http import Answer, Call, HubError, json_answer
from stillwatch.hub.operations import Operation
from stillwatch.hub.storage.storage import Storage
from stillwatch.sharing.matching.epochs import EPOCH_ID, PublishedEpoch
from stillwatch.sharing.matching.evaluate import REQUEST_LIMIT, EvaluationReply, EvaluationRequest, evaluate
from stillwatch.sharing.matching.quota import Grant, Quota, Usage
from stillwatch.sharing.matching.suite import NAME
from stillwatch.sharing.objects.vocabulary import band_of

_Element = Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{64}$")]


class Blinded(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Blinded elements in hex, and the epoch unless it is the current one."""

    blinded: Annotated[list[_Element], msgspec.Meta(min_length=1, max_length=REQUEST_LIMIT)]
    epoch: Annotated[str, msgspec.Meta(pattern=f"^{EPOCH_ID.pattern}$")] | None = None


class Epochs(msgspec.Struct, kw_only=True):
    """The epochs, each with the public key of each holder, in the order in which their answers are added up.

    `trustee` is where the other holder of a split key answers.
    """

    suite: str
    epochs: list[PublishedEpoch]
    trustee: str | None = None


class Meter:
    """Keeps what each member has used, in the database: a restart forgives nothing.

    Attributes:
        counts: what happened since the start, by the name of the metric.
    """

    def __init__(self, storage: Storage, quota: Quota) -> None:
        self._storage, self._quota = storage, quota
        self.counts: Counter[str] = Counter()

    def charge(self, member: int, count: int, epoch: str) -> Grant:
        """Charge tokens before they are made; durable when it returns."""
        now = self._storage.now()
        with self._storage.writing() as db:
            used = _usage(db, member)
            grant = self._quota.spend(used, count, epoch, now)
            if not grant.granted:
                self.counts["tokens_refused"] += count
                return grant
            _keep(db, member, grant.usage)
            self._storage.audit(db, "tokens.evaluated", count=band_of(count), epoch=epoch)
            if self._quota.alarming(grant.usage) and not self._alarmed(used, grant.usage):
                self.counts["token_alarms"] += 1
                self._storage.audit(db, "tokens.alarm", member=self.pseudonym(member), asked=band_of(grant.usage.asked))
        self.counts["tokens_evaluated"] += count
        return grant

    def matched(self, met: Mapping[int, int]) -> None:
        """Note for how many of their tokens members found a partner: what meets nothing looks like guessing."""
        if not met:
            return
        with self._storage.writing() as db:
            for member, count in met.items():
                _keep(db, member, self._quota.matched(_usage(db, member), count, self._storage.now()))

    def pseudonym(self, member: int) -> str:
        """Return what stands for a member in the log of alarms; the operator can tell whom, nobody else can."""
        return hmac.digest(self._storage.secret("alarm"), str(member).encode(), "sha256").hex()

    def _alarmed(self, before: Usage, after: Usage) -> bool:
        """Whether the alarm of this window was raised before."""
        return before.window_from == after.window_from and self._quota.alarming(before)


class Tokens:
    """Handlers of the token service."""

    def __init__(self, storage: Storage, holder: Holder, meter: Meter) -> None:
        self._storage, self._holder, self._meter = storage, holder, meter

    def operations(self) -> list[Operation]:
        """Return the operations."""
        return [
            Operation(
                "/v1/tokens/evaluate",
                "post",
                "Evaluate blinded identifiers (RFC 9497, VOPRF), with one proof for all.",
                self.evaluate,
                Blinded,
                ((200, EvaluationReply),),
                (400, 413, 422, 429),
            ),
            Operation(
                "/v1/tokens/epochs", "get", "The epochs and their public keys.", self.epochs, None, ((200, Epochs),)
            ),
        ]

    def evaluate(self, call: Call) -> Answer:
        """Charge a batch, then evaluate it."""
        given = bodies.read(call.body, Blinded)
        now = self._storage.now()
        ring = self._holder.ring(now)
        try:
            epoch = ring.answering(given.epoch, now)
            current = ring.current(now)
        except InputRejectedError as error:
            raise HubError(422, error.message, error.hint or "") from error
        except UsageError as error:
            raise HubError(503, "no epoch holds now", "tell the hub's operator", {"retry-after": "3600"}) from error
        grant = self._meter.charge(call.member.number, len(given.blinded), current.id)
        if not grant.granted:
            waits = max(1, int(current.valid_to - now)) if grant.retry_after_s is None else grant.retry_after_s
            raise HubError(429, "the quota of tokens is used up", f"{grant.left} left", {"retry-after": str(waits)})
        try:
            return json_answer(evaluate(ring, EvaluationRequest(blinded=given.blinded, epoch=epoch.id), now))
        except InputRejectedError as error:
            raise HubError(422, error.message, error.hint or "") from error

    def epochs(self, _call: Call) -> Answer:
        """Answer the epochs."""
        now = self._storage.now()
        trustee = self._holder.trustee()
        url = None if trustee is None else trustee.url
        return json_answer(Epochs(suite=NAME, epochs=self._holder.published(now), trustee=url))


def _usage(db: Connection, member: int) -> Usage:
    held = db.scalar(select(usage.c.usage).where(usage.c.member == member))
    return Usage() if held is None else msgspec.json.decode(held, type=Usage)


def _keep(db: Connection, member: int, used: Usage) -> None:
    db.execute(usage.delete().where(usage.c.member == member))
    db.execute(usage.insert().values(member=member, usage=msgspec.json.encode(used)))
