"""What a machine recognises for certain in a text: it does not leave in clear, whoever would release it.

personal_data.py errs towards finding something, so that persons look. Here nobody can say otherwise, so a form must be
one that hardly anything else has: an address with its @, a card number with its check digit, a currency by an amount.
"""

import re
from collections.abc import Callable, Iterator

from stillwatch.sharing.clearance.characters import plain
from stillwatch.sharing.clearance.iban import holds_iban
from stillwatch.sharing.clearance.sums import holds_sum

_EMAIL = re.compile(r"[^\s@]@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2}")
_BETWEEN = r"(?:[\s().]{0,2}|[\u2010-\u2015/-])"
_PHONE = re.compile(
    rf"(?<!\d)(?<!\d\s)\+[\s(]{{0,2}}\d(?:{_BETWEEN}\d){{6}}"
    r"|(?<![\d.,])00[1-9]\d{0,2}(?:[\s().\u2010-\u2015/-]{1,3}\d{2,5}){2,4}[\s().\u2010-\u2015/-]{1,3}\d{3}"
)
_KEYS = (
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    re.compile(r"\bA[A-Z]IA[A-Z0-9]{14,}\b"),
    re.compile(r"\bbearer\s+(?=\S*\d)[\w.~+/=-]{16,}", re.IGNORECASE),
    re.compile(r"\b(?:api|access|secret)[ _-]?(?:key|token)\W{1,3}(?=\S*\d)[\w.~+/=-]{8,}", re.IGNORECASE),
    re.compile(r"\b(?:sk|pk|rk|xox[a-z])[_-](?=[\w-]*\d)[\w-]{10,}"),
    re.compile(r"\b[A-Za-z]{2,8}(?:[_-][A-Za-z]{2,8})?[_-](?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{16,}\b"),
    re.compile(r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{24,}"),
)
"""Signed tokens, private keys, ids of access keys, what is called a key, prefixes before letters mixed with digits."""
_DIGITS = re.compile(r"\d+(?:[\s._/\\\u2010-\u2015-]{1,3}\d+)*")
_CARD_LENGTHS = range(13, 20)
_CARD_GROUP = 4
"""Digits that stand together on a card, at least, but for the last of them."""
_REGISTER_LENGTHS = (13, 14)
"""Lengths of card numbers (13 is out of use, 14 is rare) in which registers number companies, some by Luhn too."""


def certain_in(text: str, *, register: bool = False) -> list[str]:
    """Return which kinds of identifier, key or sum a text holds for certain; empty where none.

    Args:
        text: what would leave.
        register: whether it is from a public register: then a number of 13 or 14 digits is a company's.
    """
    seen = plain(text)
    lengths = [length for length in _CARD_LENGTHS if not register or length not in _REGISTER_LENGTHS]
    kinds: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("an e-mail address", lambda: _EMAIL.search(seen) is not None),
        ("a card number", lambda: any(len(number) in lengths and _is_checked(number) for number in _numbers(seen))),
        ("an account at a bank", lambda: holds_iban(seen)),
        ("a phone number", lambda: _PHONE.search(seen) is not None),
        ("a key or a token", lambda: any(pattern.search(seen) for pattern in _KEYS)),
        ("a sum of money", lambda: holds_sum(seen)),
    )
    return [kind for kind, holds in kinds if holds()]


def _numbers(text: str) -> Iterator[str]:
    """Yield numbers as they could be meant: groups of digits joined, all of them, or neighbours as cards have them."""
    for match in _DIGITS.finditer(text):
        groups = re.findall(r"\d+", match[0])
        yield "".join(groups)
        for first in range(len(groups)):
            number = ""
            for group in groups[first:]:
                number += group
                yield number
                if len(group) < _CARD_GROUP or len(number) >= _CARD_LENGTHS[-1]:
                    break


def _is_checked(number: str) -> bool:
    """Return whether a number begins as one of a card and ends with its check digit (ISO/IEC 7812-1: Luhn)."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return 2 <= digits[-1] <= 6 and (sum(digits[::2]) + sum(doubled)) % 10 == 0
