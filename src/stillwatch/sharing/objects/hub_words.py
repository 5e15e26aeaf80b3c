"""Words for what members must not say to one another's machines: actions, agreements, votes.

A list of words finds what software of good will would act on. Who hides a meaning in a word that is not here needs
somebody at the other end who knows it, and those two can as well use prose.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

LONGEST_NAME = 250
"""STIX gives the name of a property no more characters."""
_SHORT = 64
_SENTENCE_WORDS = 4
_CACHED = 256

_ACTIONS = re.compile(
    r"(?:allow|ban|black|block|deny|white)list(?:s|ed|ing)?|ban(?:s|ned|ning)?|blackball\w*|blackhol\w*"
    r"|block(?:s|ed|ing|all)?|boycott\w*|challenge[sd]?|degrade[sd]?|deny|denie[sd]|denying|drop(?:s|ped|ping)?"
    r"|enforc\w*|expel(?:s|led)?|quarantin\w*|refus\w+|reject\w*|shun(?:s|ned)?|sinkhol\w*|suspend\w*"
    r"|terminate[sd]?|throttl\w*"
)
_AGREEMENTS = re.compile(
    r"ballots?|consensus|quorum|rankings?|reciprocity|recommend\w*|thresholds?|verdicts?|vot(?:e[sd]?|er|ers|ing)"
)
_ADVICE = re.compile(
    r"actions?|countermeasures?|decisions?|maximum|minimum|mitigat\w*|policy|policies|remediat\w*|responses?|scores?"
)
_WORD = re.compile(r"[a-z]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_INNOCENT = re.compile(
    # Blocks of data and of addresses.
    r"(?:address|boot|cidr|cipher|code|data|ip|memory|net|text)[ _-]?blocks?(?![a-z])"
    r"|block[ _-]?(?:chain\w*|chaining|cipher|count|device|hash|height|index|length|number|size|storage)(?![a-z])"
    # What attackers do, in the words of MITRE and of kill chains.
    r"|dead[ _-]drops?(?![a-z])|attack[ _-]actions?(?![a-z])|actions[ _-]on[ _-]objectives"
    r"|inhibit[ _-]response[ _-]function|law[ _-]enforcement"
    # What a server answered.
    r"|(?:dns|http|server)[ _-]responses?(?![a-z])"
    r"|response[ _-](?:body|bytes|code|hash|header|headers|length|size|status|time)(?![a-z])"
    # How severe a vulnerability is, and how sure OpenCTI is.
    r"|(?:cvss|epss)[0-9a-z_]*[ _-]score(?![a-z])|^x_opencti_score$"
)
_TRIPLE = re.compile(r'[^<>="]+:([^<>=":]+)="[^<>="]*"')
_COMPARISON = re.compile(r"[<>=\u2264\u2265]")


def name_asks(name: str) -> bool:
    """Whether the name of a property, a type or a phase asks for an action or an agreement, or gives advice."""
    return len(name) > LONGEST_NAME or _has(name, (_ACTIONS, _AGREEMENTS, _ADVICE))


def value_asks(text: str) -> bool:
    """Whether a text is so short that software would act on it, and holds a word for an action or an agreement."""
    if len(text) > _SHORT or (text.rstrip()[-1:] in {".", "!", "?"} and len(text.split()) >= _SENTENCE_WORDS):
        return False
    return _has(text, (_ACTIONS, _AGREEMENTS))


def tag_asks(tag: str) -> bool:
    """Whether a tag asks for an action or an agreement, or compares something.

    A tag of MISP, `space:predicate="value"`, compares nothing; its predicate is judged as the name of a property is.
    """
    triple = _TRIPLE.fullmatch(tag)
    if triple is None:
        return _COMPARISON.search(tag) is not None or _has(tag, (_ACTIONS, _AGREEMENTS))
    return name_asks(triple[1]) or _has(tag, (_ACTIONS, _AGREEMENTS))


def _has(text: str, kinds: tuple[re.Pattern[str], ...]) -> bool:
    found = _words_of(text) if len(text) <= _CACHED else _split(text)
    return any(kind.fullmatch(word) for word in found for kind in kinds)


@lru_cache(maxsize=16_384)
def _words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text, in small letters, without the phrases in which they mean nothing."""
    return tuple(_split(text))


def _split(text: str) -> Iterable[str]:
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return _WORD.findall(_INNOCENT.sub(" ", _HUMP.sub("_", plain).lower()))
