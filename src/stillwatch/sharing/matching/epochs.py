"""What everybody may know of an epoch, and the text of a token, which names the epoch it belongs to."""

import re
from collections.abc import Sequence

import msgspec

from stillwatch.errors import InputRejectedError
from stillwatch.sharing.matching.suite import OUTPUT_BYTES

SCHEME = "r255-v1"
"""The suite and the rules of `normalise`, as tokens name them."""

EPOCH_ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,31}")
_TOKEN = re.compile(rf"{SCHEME}:({EPOCH_ID.pattern}):([0-9a-f]{{{2 * OUTPUT_BYTES}}})")


class PublishedEpoch(msgspec.Struct, frozen=True, kw_only=True):
    """An epoch as its holder or holders publish it: one public key (hex), or one for each share."""

    id: str
    valid_from: int
    valid_to: int
    public_keys: Sequence[str]


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """The output for one identifier under the key of one epoch. Tokens match within an epoch, never across."""

    epoch: str
    output: str

    def __str__(self) -> str:
        return f"{SCHEME}:{self.epoch}:{self.output}"


def read_token(text: str) -> Token:
    """Read a token.

    Raises:
        InputRejectedError: another scheme, or no token at all.
    """
    match = _TOKEN.fullmatch(text)
    if match is None:
        raise InputRejectedError(f"this is no token of scheme {SCHEME}", hint=f"{SCHEME}:EPOCH:128 hexadecimal digits")
    return Token(epoch=match[1], output=match[2])
