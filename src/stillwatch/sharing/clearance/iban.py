"""Numbers of accounts at banks (ISO 13616): a country, the length that it has there, and check digits."""

import re
from collections.abc import Iterator

_REGISTRY = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
    "LB28 LC32 LI21 LT20 LU20 LV21 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 "
    "RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"
)
"""Country and length, from the registry of SWIFT for ISO 13616."""
_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _REGISTRY.split()}
_BEGIN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?=[ -]?[A-Za-z0-9])")
_LEAST_DIGITS = 10


def holds_iban(seen: str) -> bool:
    """Return whether a text (`plain`) holds the number of an account, in whatever case and groups."""
    return any(_is_checked(number) for number in _candidates(seen))


def _candidates(seen: str) -> Iterator[str]:
    for match in _BEGIN.finditer(seen):
        length = _LENGTHS.get(match[0][:2].upper())
        if length is None:
            continue
        number = ""
        for character in seen[match.start() : match.start() + 2 * length]:
            if character not in " -":
                number += character
            if len(number) == length or not (character.isascii() and (character.isalnum() or character in " -")):
                break
        if len(number) == length and number.isascii() and number.isalnum():
            yield number.upper()


def _is_checked(number: str) -> bool:
    digits = "".join(str(int(character, 36)) for character in number[4:] + number[:4])
    return sum(map(str.isdigit, number)) >= _LEAST_DIGITS and int(digits) % 97 == 1
