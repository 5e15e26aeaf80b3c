"""What leaves without the member's name: nothing may tie it to what leaves under it."""

from collections.abc import Iterable

from stillwatch.errors import PolicyRefusedError, UsageError
from stillwatch.sharing.clearance.build import Draft
from stillwatch.sharing.clearance.model import Item, Terms
from stillwatch.sharing.clearance.outbox import Outbox


def check_hidden(outbox: Outbox, items: Iterable[Item], terms: Terms, hidden_by: str) -> None:
    """Check that items may be cleared without the member's name, or under it; `hidden_by` stands for the member.

    Raises:
        UsageError: nobody stands for the member yet.
        PolicyRefusedError: an item was sent the other way; both together would tell whose it is.
    """
    if terms.anonymous and not hidden_by:
        raise UsageError(
            "it is not known who stands for members that are not named", hint="--hub URL asks the hub, once"
        )
    sent = outbox.sent_items(anonymous=not terms.anonymous)
    for item in items:
        if outbox.item_key(item) in sent:
            how = "under this member's name" if terms.anonymous else "without this member's name"
            raise PolicyRefusedError(
                f"{item.item_id} was sent or withdrawn {how} before: the other way would tell whose it is",
                hint="clear it as it was cleared before" + ("" if terms.anonymous else ", with --anonymous"),
            )


def is_tied(outbox: Outbox, draft: Draft, terms: Terms) -> bool:
    """Return whether an object was sent the other way under an id that is the same for whoever tells of it."""
    last = outbox.latest_of(draft.body["id"])
    return last is not None and last.anonymous != terms.anonymous and bool(outbox.places.of(last.object_id))
