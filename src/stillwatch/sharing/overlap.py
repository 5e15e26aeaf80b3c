"""A pairwise question, "whom of these do you have too?", over a directory that both sides reach in any way they like.

Four files, each written whole: the two offers, which bind both sets before either side sees anything, then question and
answer. Each side logs the offers before it goes on (architecture: inputs are committed to the log first).
"""

import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from stillwatch.errors import RemoteError, UsageError
from stillwatch.files import replace_file
from stillwatch.sharing.matching.psi import Answerer, Asker

Commit = Callable[[str, str], None]
"""Takes the role of an offer and the SHA-256 of it; writes them to the log."""

_ASKER_OFFER, _ANSWERER_OFFER = "1-asker-offer.bin", "2-answerer-offer.bin"
_QUESTION, _ANSWER = "3-question.bin", "4-answer.bin"
_PAUSE_S = 0.2


def ask(directory: Path, identifiers: Sequence[bytes], commit: Commit, wait_s: float) -> list[bytes]:
    """Return which identifiers (canonical bytes) the other side holds too.

    Raises:
        UsageError: the directory holds an earlier question, or cannot be made.
        RemoteError: the other side did not answer within `wait_s` seconds.
        PolicyRefusedError: what it sent is not what it committed to, or a proof does not hold.
    """
    asker = Asker(identifiers)
    _send(directory, _ASKER_OFFER, asker.offer(), commit)
    offer = _receive(directory, _ANSWERER_OFFER, wait_s)
    commit(_ANSWERER_OFFER, sha256(offer).hexdigest())
    _send(directory, _QUESTION, asker.question(offer))
    return asker.overlap(_receive(directory, _ANSWER, wait_s))


def answer(directory: Path, identifiers: Sequence[bytes], commit: Commit, wait_s: float) -> None:
    """Answer the question in a directory once; nothing is learnt but the padded size of the other side's set.

    Raises:
        As `ask`.
    """
    answerer = Answerer(identifiers)
    offer = _receive(directory, _ASKER_OFFER, wait_s)
    commit(_ASKER_OFFER, sha256(offer).hexdigest())
    _send(directory, _ANSWERER_OFFER, answerer.offer(offer), commit)
    _send(directory, _ANSWER, answerer.answer(_receive(directory, _QUESTION, wait_s)))


def _send(directory: Path, name: str, message: bytes, commit: Commit | None = None) -> None:
    path = directory / name
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{directory} cannot be made: {error.strerror}", hint="give another directory") from error
    if path.exists():
        raise UsageError(f"{path} is of an earlier question", hint="each question takes a new, empty directory")
    if commit is not None:
        commit(name, sha256(message).hexdigest())
    replace_file(path, message)


def _receive(directory: Path, name: str, wait_s: float) -> bytes:
    until = time.monotonic() + wait_s
    path = directory / name
    while not path.exists():
        if time.monotonic() > until:
            raise RemoteError(f"{name} did not come within {wait_s:g} s", hint="is the other side at it too?")
        time.sleep(_PAUSE_S)
    return path.read_bytes()
