"""The client of the token service: identifiers are blinded here, so the hub sees random points and nothing else."""

from collections.abc import Sequence

import msgspec

from stillwatch.errors import RemoteError
from stillwatch.sharing.matching.epochs import PublishedEpoch, Token
from stillwatch.sharing.matching.evaluate import EvaluationReply
from stillwatch.sharing.matching.tokens import token_batches
from stillwatch.sharing.wire.connection import Connection


class _Epochs(msgspec.Struct):
    epochs: list[PublishedEpoch]


def published_epochs(connection: Connection) -> list[PublishedEpoch]:
    """Return the epochs that the hub answers for, with the public keys of its key holders."""
    epochs: list[PublishedEpoch] = connection.decode(connection.get("v1/tokens/epochs"), _Epochs).epochs
    return epochs


def current_epoch(epochs: Sequence[PublishedEpoch], now_s: float) -> PublishedEpoch:
    """Return the epoch that holds at a moment.

    Raises:
        RemoteError: there is none.
    """
    for epoch in epochs:
        if epoch.valid_from <= now_s < epoch.valid_to:
            return epoch
    raise RemoteError("the hub publishes no epoch of tokens for today", hint="tell its operator")


def fetch_tokens(holders: Sequence[Connection], epoch: PublishedEpoch, identifiers: Sequence[bytes]) -> list[Token]:
    """Return a token for each identifier (canonical bytes), asking each key holder in the order of the epoch's keys.

    Raises:
        RemoteError: a holder cannot be reached, or the quota is spent.
        PolicyRefusedError: a proof does not hold: the holder did not use the key that it published.
    """
    found: list[Token] = []
    for batch in token_batches(epoch, identifiers):
        replies = [holder.ask("v1/tokens/evaluate", batch.request, EvaluationReply) for holder in holders]
        found += batch.tokens(replies)
    return found
