"""The normalisation of features/kernel.py told again in plain Python, word by word, for tests to compare with."""

import re

_HIDDEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]")
_SPACELESS = re.compile("([\u0e00-\u0eff\u3040-\u9fff\U00010000-\U0010ffff])")
_SEPARATORS = re.compile(r"[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\xbf\u2000-\u2bff\u3000-\u303f]+")
_CASED = re.compile("[A-Z\u00c0-\u00de\u0391-\u03a9\u0400-\u042f]")
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


def exact_words(text: str) -> list[str]:
    """Return the words of a text with their digits."""
    text = _HIDDEN.sub("", text.translate(_FULL_WIDTH))
    text = _CASED.sub(lambda found: found.group().lower(), text)
    return [word for word in _SEPARATORS.split(_SPACELESS.sub(r" \1 ", text)) if word]


def words(text: str) -> list[str]:
    """Return the words of a text, each run of digits as one 0."""
    return [re.sub("[0-9]+", "0", word) for word in exact_words(text)]


def shingles(text: str) -> set[tuple[str, ...]]:
    """Return the set of four words in a row; fewer words are one shingle."""
    found = words(text)
    return {tuple(found[start : start + 4]) for start in range(max(1, len(found) - 3))} if found else set()


def jaccard(left: set[tuple[str, ...]], right: set[tuple[str, ...]]) -> float:
    """Return the exact similarity of two sets."""
    return len(left & right) / len(left | right)
