"""What in a text could be about somebody, or be secret. It errs towards finding something: then counsel looks at it.

`identifiers_in` looks for forms: addresses, numbers, money, keys. `personal_data_in` asks for more: every word that is
written like a name must be known to be none (ordinary.toml). A name in small letters, without a word that
introduces it, is not found; the condition that two accounts sent the frame stands against that.
"""

import re
import tomllib
import unicodedata
from importlib import resources
from itertools import pairwise

import msgspec

from stillwatch.sharing.clearance.characters import holds_hidden, holds_letterlike, plain

LONGEST = 4_000
_MONEY = r"(?:usd|eur|gbp|jpy|cny|chf|inr|dollars?|euros?|pounds?|yuan|yen|bucks|cents?)"
_TERMS = r"(?:prices?|pricing|discounts?|invoices?|revenues?|salary|salaries|fees?|quotas?|contracts?)"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_IDENTIFIERS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "an e-mail address or a handle",
        re.compile(r"@|[\[({<]\s*at\s*[\])}>]|\bat\s+\w+\s+dot\b|\bdot\s+(?:com|org|net)\b"),
    ),
    (
        "an address on the network",
        re.compile(r"\d{1,3}(?:\s?\.\s?\d{1,3}){3}|[0-9a-f]{0,4}::[0-9a-f]|(?:[0-9a-f]{1,4}:){3}"),
    ),
    ("a link or a domain", re.compile(r"\b(?:https?|ftp|mailto|tel)\s?:|\bwww\b|[^\W\d_]{2}\.[^\W\d_]{2}")),
    ("a long number", re.compile(r"\d(?:[\W_]{0,3}\d){4}")),
    (
        "a number in words",
        re.compile(r"(?:\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)\b\W*){4}"),
    ),
    ("money", re.compile(rf"\b{_MONEY}\s?\d|\d\s?[km]?\s?{_MONEY}\b")),
    ("a price", re.compile(rf"\b{_TERMS}\b.*\d|\d.*\b{_TERMS}\b", re.DOTALL)),
)
_PERSONAL: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "a date",
        re.compile(
            r"\b\d{4}-\d\d?-\d\d?\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b"
            rf"|\b\d{{1,2}}\W{{0,2}}(?:th |of )?{_MONTH}\b|\b{_MONTH}\W{{0,2}}\d"
        ),
    ),
    (
        "a street",
        re.compile(r"\b\d{1,5}\w?\s+\w+\s+(?:street|st|road|rd|avenue|ave|lane|drive|square|court|way)\b"),
    ),
    (
        "words that introduce a person",
        re.compile(
            r"\b(?:my|his|her|their|whose|patients?|customers?|clients?|users?|employees?|persons?)(?:'s)?\s+"
            r"(?:(?:full|last|first)\s+)?(?:name|e-?mail|phone|address|birthday)\b"
            r"|\b(?:named|called|mr|mrs|ms|dr|prof|dear|sincerely|regards|signed|born|passport|iban|ssn|diagnosed)\b"
            r"|\blives?\s+(?:in|at)\b|\bi(?:'m|\s+am)\s+(?!an?\b|the\b|not\b)"
        ),
    ),
    ("a name of several parts", re.compile(r"\w_\w")),
)
_WORD = re.compile(r"[^\W_][\w']*")
_LONGEST_WORD = 24
_HUMPS = 3
_ENDS = frozenset(".!?:;\n\"'*#-([{>|,`/})]")


class _Ordinary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    openers: frozenset[str]
    capitals: frozenset[str]
    numbered: frozenset[str]
    names_of_no_person: frozenset[str]


_ORDINARY = msgspec.convert(
    tomllib.loads(resources.files("stillwatch.sharing.clearance").joinpath("ordinary.toml").read_text("utf-8")),
    _Ordinary,
)


def identifiers_in(text: str) -> list[str]:
    """Return what in a text has the form of an identifier, a key or a sum, in words; empty where nothing has."""
    if len(text) > LONGEST:
        return ["more text than is looked through"]
    seen = plain(text)
    found = [word for word, pattern in _IDENTIFIERS if pattern.search(seen.lower())]
    if any(_is_a_code(match[0]) for match in re.finditer(r"[\w+/=-]{14,}", seen)):
        found.append("a key or a digest")
    if any(unicodedata.category(character) == "Sc" for character in seen):
        found.append("money")
    if holds_hidden(text):
        found.append("characters that nobody sees")
    if holds_letterlike(seen):
        found.append("signs that can stand for letters")
    return found


def speaks_of_money(text: str) -> bool:
    """Return whether a text has a word for a sum or for terms of sale, with a number beside it or not."""
    return re.search(rf"\b(?:{_MONEY}|{_TERMS}|pays?|paid|costs?)\b", plain(text).lower()) is not None


def personal_data_in(text: str) -> list[str]:
    """Return what in a template could be personal, in words; empty where nothing is. Slots are counted as empty."""
    found = identifiers_in(emptied(text))
    seen = plain(emptied(text))
    found += [word for word, pattern in _PERSONAL if pattern.search(seen.lower())]
    words = list(_WORD.finditer(seen))
    if any(_is_a_handle(match[0]) or len(match[0]) > _LONGEST_WORD for match in words):
        found.append("a word that may be a handle")
    if any(_may_be_a_name(seen, match) for match in words):
        found.append("a word that may be a name")
    if any(character.isalpha() and not unicodedata.name(character, "").startswith("LATIN") for character in seen):
        found.append("words in a script in which names are not told apart")
    return found


def emptied(text: str) -> str:
    """Return a template with its slots empty: all between outermost braces goes, and all behind one that stays open."""
    kept, depth = [], 0
    for character in text:
        if character == "{":
            kept.append("{}" if depth == 0 else "")
            depth += 1
        elif character == "}":
            depth = max(depth - 1, 0)
        elif depth == 0:
            kept.append(character)
    return "".join(kept)


def _is_a_code(word: str) -> bool:
    """Whether a long word mixes letters with digits, or small letters with capitals as Base64 does."""
    humps = sum(before.islower() and after.isupper() for before, after in pairwise(word))
    return any(map(str.isalpha, word)) and (any(map(str.isdigit, word)) or humps >= _HUMPS)


def _is_a_handle(word: str) -> bool:
    letters = word.rstrip("0123456789")
    if any(map(str.isdigit, word)):
        return any(map(str.isalpha, word)) and letters.lower() not in _ORDINARY.numbered
    return not word.isupper() and any(map(str.isupper, word[1:]))


def _may_be_a_name(text: str, match: re.Match[str]) -> bool:
    word = match[0].partition("'")[0]
    if not word[:1].isupper():
        return False
    if word.isupper():
        return word not in _ORDINARY.capitals
    before = text[: match.start()].rstrip(" \t")
    opens = not before or before[-1] in _ENDS
    return not (opens and word.lower() in _ORDINARY.openers) and word not in _ORDINARY.names_of_no_person
