"""Pages of what was written for a member: `after`, `limit` and `next`."""

from stillwatch.hub.http import Call, HubError, whole_number
from stillwatch.hub.operations import Parameter
from stillwatch.hub.taxii.cursor import Cursors

MOST = 1000
AFTER = Parameter("after", {"type": "string"}, "The `next` of the page before.")
LIMIT = Parameter("limit", {"type": "integer", "minimum": 1}, f"The most entries of the page, at most {MOST}.")


class Pager:
    """Reads and makes the cursors of one resource. A cursor is good for the member that it was given to."""

    def __init__(self, secret: bytes, resource: str) -> None:
        self._cursors, self._resource = Cursors(secret), resource

    def after(self, call: Call) -> int:
        """Return the number after which the page begins, -1 for the first page.

        Raises:
            HubError: 400, the cursor is none of this member's for this resource.
        """
        if "after" not in call.query:
            return -1
        number = self._cursors.read(call.query["after"][-1], self._place(call))
        if number is None:
            raise HubError(400, "after is no cursor of yours", "send `next` as it was given")
        return number

    def next(self, call: Call, number: int) -> str | None:
        """Return the cursor behind an entry; None before all."""
        return None if number < 0 else self._cursors.make(number, self._place(call))

    def _place(self, call: Call) -> str:
        return f"{self._resource} {call.member.member_id}"


def limit_of(call: Call) -> int:
    """Return how many entries a page may have.

    Raises:
        HubError: 400, it is no number.
    """
    if "limit" not in call.query:
        return MOST
    taken = whole_number(call.query["limit"][-1], MOST)
    if not taken:
        raise HubError(400, "limit is no number of entries", "a whole number from 1")
    return taken
