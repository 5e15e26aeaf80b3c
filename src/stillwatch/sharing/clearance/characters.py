"""Characters that say something to a machine and nothing, or something else, to whoever reads the text."""

import re
import unicodedata

_IGNORED = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Those that are not drawn (Unicode 16.0, Default_Ignorable_Code_Point). Not all are of category Cf."""
_WITHOUT_SENSE = re.compile("[\ufe0e\ufe0f\u200b\u2060\ufeff\u00ad]")
"""Styles of signs, and marks of where a line may break or a file begins."""
_JOINERS = "\u200c\u200d"
_JOINED = frozenset({"Lo", "Mc", "Mn", "Sk", "So"})
_LETTERLIKE = frozenset({"Me", "Nl", "No", "So"})
_ORDINARY_SIGNS = frozenset("\u00a9\u00ae\u00b0")


def plain(text: str) -> str:
    """Return a text as it looks: compatible forms made one, characters that are not drawn gone."""
    seen = _IGNORED.sub("", unicodedata.normalize("NFKC", text.replace("\u2019", "'")))
    return "".join(character for character in seen if unicodedata.category(character) != "Cf")


def shown(text: str) -> str:
    """Return a text with plain line ends, and without what changes nothing that a reader sees."""
    return _WITHOUT_SENSE.sub("", text.replace("\r\n", "\n"))


def holds_hidden(text: str) -> bool:
    """Return whether a text holds anything that is not drawn, but for line ends, tabs and what `shown` leaves out.

    One joiner between letters of a script that needs it, or between pictures, is how these are written.
    """
    given = f" {shown(text)} "
    return any(
        ((unicodedata.category(character)[0] == "C" and character not in "\n\t") or _IGNORED.match(character))
        and not (character in _JOINERS and _JOINED.issuperset(map(unicodedata.category, (before, after))))
        for before, character, after in zip(given, given[1:], given[2:], strict=False)
    )


def holds_letterlike(seen: str) -> bool:
    """Return whether a text (`plain`) holds signs of which there are enough to write with.

    Braille, letters of flags, digits in circles, letters that stand above others: a reader of words passes over them.
    """
    return any(
        (category in _LETTERLIKE and character not in _ORDINARY_SIGNS)
        or (category == "Mn" and unicodedata.name(character, "").startswith("COMBINING"))
        for character in seen
        if (category := unicodedata.category(character))
    )
