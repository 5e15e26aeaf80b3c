"""How many tokens a member may have made, and when its asking looks like guessing: arithmetic; the hub keeps the state.

The allowance is what protects identifiers: whoever may ask without end can go through all of a small space.
"""

import msgspec

from stillwatch.errors import InputRejectedError, UsageError

_DAY_S = 86_400


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub keeps for a member: one row. `Usage()` is that of one who never asked.

    `in_epoch` counts within `epoch`, `in_day` within `day` (days since 1970, UTC), `asked` and `matched` since
    `window_from` (Unix seconds).
    """

    epoch: str = ""
    day: int = 0
    in_epoch: int = 0
    in_day: int = 0
    window_from: int = 0
    asked: int = 0
    matched: int = 0


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a request: what to keep, and whether to serve it.

    `left` is what remains of the day or the epoch; `retry_after_s` is 0 where it is granted, and None where only the
    next epoch helps.
    """

    granted: bool
    usage: Usage
    left: int
    retry_after_s: int | None


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """Allowance of each member, and the alarm's rule.

    A burst is `burst_asked` tokens or more within a window of `window_s`; it is an alarm where less than
    `least_matched` of them (a share) met a token of somebody else.

    Raises:
        UsageError: a number is not positive, or the share is not within 0 and 1.
    """

    per_day: int = 1_000_000
    per_epoch: int = 10_000_000
    window_s: int = 3_600
    burst_asked: int = 50_000
    least_matched: float = 0.001

    def __post_init__(self) -> None:
        if min(self.per_day, self.per_epoch, self.window_s, self.burst_asked) < 1 or not 0 <= self.least_matched <= 1:
            raise UsageError("a quota's numbers are positive, and its share is within 0 and 1")

    def spend(self, usage: Usage, count: int, current_epoch: str, now: float) -> Grant:
        """Charge `count` tokens, all of them or none; a refusal costs nothing.

        The epoch is the one that holds now, whichever the request names: else who goes back and forth between two
        epochs that both answer would begin anew each time.

        Raises:
            InputRejectedError: the count is not positive.
        """
        if count < 1:
            raise InputRejectedError("a request asks for at least one token")
        usage = self._rolled(usage, current_epoch, now)
        left_day, left_epoch = self.per_day - usage.in_day, self.per_epoch - usage.in_epoch
        left = max(0, min(left_day, left_epoch))
        if count > left:
            tomorrow = (int(now) // _DAY_S + 1) * _DAY_S
            waits = None if count > left_epoch or count > self.per_day else max(1, tomorrow - int(now))
            return Grant(granted=False, usage=usage, left=left, retry_after_s=waits)
        charged = msgspec.structs.replace(
            usage, in_day=usage.in_day + count, in_epoch=usage.in_epoch + count, asked=usage.asked + count
        )
        return Grant(granted=True, usage=charged, left=left - count, retry_after_s=0)

    def matched(self, usage: Usage, count: int, now: float) -> Usage:
        """Note that `count` tokens of this member met those of others."""
        usage = self._rolled(usage, usage.epoch, now)
        return msgspec.structs.replace(usage, matched=usage.matched + max(0, count))

    def alarming(self, usage: Usage) -> bool:
        """Tell whether the window holds a burst that hardly met anything: guesses look so, customers do not."""
        return usage.asked >= self.burst_asked and usage.matched < self.least_matched * usage.asked

    def _rolled(self, usage: Usage, epoch: str, now: float) -> Usage:
        """Begin day, epoch and window anew where they are over; time that goes back begins nothing."""
        moment = int(now)
        if moment // _DAY_S > usage.day:
            usage = msgspec.structs.replace(usage, day=moment // _DAY_S, in_day=0)
        if epoch != usage.epoch:
            usage = msgspec.structs.replace(usage, epoch=epoch, in_epoch=0)
        if moment >= usage.window_from + self.window_s:
            usage = msgspec.structs.replace(usage, window_from=moment - moment % self.window_s, asked=0, matched=0)
        return usage
