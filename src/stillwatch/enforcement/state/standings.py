"""The verdict on each account: what people set goes before what a run of detection found, while either holds."""

from collections.abc import Iterable, Iterator, Mapping

from stillwatch.detection.findings.model import Verdict
from stillwatch.enforcement.decide import Standing


def standing_of(verdict: Verdict, at_s: float) -> Standing:
    """Return what a verdict of a run that ended at `at_s` (Unix seconds) makes of its account."""
    return Standing(
        action=verdict.action,
        reason_code=verdict.reason_code,
        set_s=at_s,
        until_s=at_s + verdict.ttl_s,
        campaign_id=verdict.campaign_id,
    )


class Standings:
    """Verdicts in force. A run's verdicts are replaced whole by those of the next run, in one assignment.

    A verdict lifted by a person stays lifted until the lift lapses, though a run finds it again: `allow` is what a
    person set then.
    """

    def __init__(self) -> None:
        self._found: Mapping[str, Standing] = {}
        self._set: dict[str, Standing] = {}

    def __len__(self) -> int:
        return len(self._found) + len(self._set)

    def take(self, verdicts: Iterable[Verdict], at_s: float) -> None:
        """Replace what detection found by the verdicts of a run that ended at `at_s` (Unix seconds)."""
        self.replace({verdict.account_id: standing_of(verdict, at_s) for verdict in verdicts})

    def replace(self, found: Mapping[str, Standing]) -> None:
        """Replace what detection found by what another run did, by account, in one assignment."""
        self._found = found

    def put(self, account_id: str, standing: Standing) -> None:
        """Set what a person decided."""
        self._set[account_id] = standing

    def drop(self, account_id: str) -> None:
        """Forget what a person decided; what detection found holds again."""
        self._set.pop(account_id, None)

    def of(self, account_id: str, now_s: float) -> Standing | None:
        """Return the verdict that holds; None for an account that is simply allowed."""
        standing = self._set.get(account_id)
        if standing is None or standing.until_s <= now_s:
            standing = self._found.get(account_id)
            if standing is None or standing.until_s <= now_s:
                return None
        return None if standing.action == "allow" else standing

    def is_lifted(self, account_id: str, now_s: float) -> bool:
        """Whether a person lifted whatever held, and that holds."""
        standing = self._set.get(account_id)
        return standing is not None and standing.action == "allow" and standing.until_s > now_s

    def sweep(self, now_s: float) -> None:
        """Forget what people set and what has lapsed."""
        self._set = {account: standing for account, standing in self._set.items() if standing.until_s > now_s}

    def in_force(self, now_s: float) -> Iterator[tuple[str, Standing]]:
        """Yield each account whose verdict holds, once."""
        for account in self._found.keys() | self._set.keys():
            standing = self.of(account, now_s)
            if standing is not None:
                yield account, standing
