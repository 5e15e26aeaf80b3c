"""An attacker's paraphrase: the same request in other words, as many times over as it likes.

It swaps and drops the words that instructions are made of and leaves what they are about alone. One number is one
wording: a prompt template that goes through it stays a template, another one.
"""

import re
import tomllib
from functools import lru_cache
from importlib.resources import files

from stillwatch_range.ids import stream
from stillwatch_range.material import Dialogue, Turn

_WORD = re.compile(r"[A-Za-z]+")


def reword_dialogue(dialogue: Dialogue, number: int) -> Dialogue:
    """Return a conversation in wording `number`; 0 is the original."""
    return tuple(_turn(turn, number) for turn in dialogue) if number else dialogue


def reword(text: str, number: int) -> str:
    """Return a text in wording `number`; which word becomes which depends on the number and the word alone."""
    choices = _choices(number)

    def swap(match: re.Match[str]) -> str:
        word = match.group()
        other = choices.get(word.lower(), word)
        return other.capitalize() if word[0].isupper() else other

    return _WORD.sub(swap, text)


def _turn(turn: Turn, number: int) -> Turn:
    system = None if turn.system is None else reword(turn.system, number)
    return turn._replace(prompt=reword(turn.prompt, number), system=system)


@lru_cache(maxsize=4096)
def _choices(number: int) -> dict[str, str]:
    rng = stream(number, "wording")
    return {word: rng.choice([word, *others]) for word, others in _rewordings().items()}


@lru_cache(maxsize=1)
def _rewordings() -> dict[str, list[str]]:
    words: dict[str, list[str]] = tomllib.loads((files("stillwatch_range") / "rewordings.toml").read_text("utf-8"))
    return words
