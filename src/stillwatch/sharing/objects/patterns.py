"""STIX patterns: those that we write, and a verdict on those that others write."""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable

from stix2patterns.validator import run_validator  # type: ignore[import-untyped]

from stillwatch.sharing.objects.extensions import LLM_ACCOUNT

MAX_PATTERN = 65_536
"""Longest pattern in characters; the grammar's parser takes a millisecond for some twenty characters."""
_MAX_PARSED = 4_096
_CACHED = 65_536
_MALFORMED = "the pattern is not well formed"

_STRING = r"'[^'\\]*'"
_NUMBER = r"-?(?:0|[1-9][0-9]{0,17})"
_LITERAL = f"(?:{_STRING}|{_NUMBER})"
_STEP = rf"(?:[a-zA-Z_][a-zA-Z0-9_]*|{_STRING})"
_PATH = rf"[a-z][a-z0-9]*(?:-[a-z0-9]+)*:[a-z][a-z0-9_]*(?:\.{_STEP}|\[\*\]|\[(?:0|[1-9][0-9]{{0,8}})\])*"
_COMPARISON = rf"{_PATH} ?(?:(?:=|!=) ?{_LITERAL}|IN \({_STRING}(?:, ?{_STRING})*\))"
# Values of hashes are left to the parser, which knows how long each is.
_SIMPLE = re.compile(rf"(?!.*hashes)\[ ?{_COMPARISON}(?: OR {_COMPARISON})* ?\]", re.DOTALL)


def template_pattern(bands: Iterable[str]) -> str:
    """Return the pattern that matches an account with a prompt in one of some template bands (16 hex digits each)."""
    return _any_of(f"user-account:extensions.'{LLM_ACCOUNT}'.template_bands[*]", bands)


def token_pattern(tokens: Iterable[str]) -> str:
    """Return the pattern that matches an account whose holder has one of some tokens."""
    return _any_of(f"user-account:extensions.'{LLM_ACCOUNT}'.tokens[*].token", tokens)


def address_pattern(addresses: Iterable[str]) -> str:
    """Return the pattern that matches one of some addresses or networks (CIDR), IPv4 or IPv6."""
    return _joined(f"{'ipv6' if ':' in one else 'ipv4'}-addr:value = '{_quoted(one)}'" for one in addresses)


def domain_pattern(domains: Iterable[str]) -> str:
    """Return the pattern that matches one of some domain names."""
    return _joined(f"domain-name:value = '{_quoted(one)}'" for one in domains)


def _any_of(path: str, values: Iterable[str]) -> str:
    return _joined(f"{path} = '{_quoted(value)}'" for value in values)


def _joined(comparisons: Iterable[str]) -> str:
    return f"[{' OR '.join(comparisons)}]"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


class PatternChecker:
    """Says what is wrong with a STIX pattern; remembers its verdicts by digest, the oldest forgotten first."""

    def __init__(self) -> None:
        self._verdicts: OrderedDict[bytes, str | None] = OrderedDict()

    def fault(self, pattern: str) -> str | None:
        """Return what is wrong with a pattern, None where it is well formed.

        Simple comparisons joined by OR, the great majority, are accepted by a regular expression; the rest goes through
        the grammar of OASIS' parser, which is some thousand times slower and therefore takes shorter patterns only.
        """
        if len(pattern) > MAX_PATTERN:
            return f"the pattern is longer than {MAX_PATTERN} characters"
        if _SIMPLE.fullmatch(pattern):
            return None
        if len(pattern) > _MAX_PARSED:
            return f"a pattern that is no list of comparisons joined by OR has at most {_MAX_PARSED} characters"
        key = hashlib.blake2b(pattern.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if key not in self._verdicts:
            self._verdicts[key] = _parse(pattern)
            if len(self._verdicts) > _CACHED:
                self._verdicts.popitem(last=False)
        return self._verdicts[key]


def _parse(pattern: str) -> str | None:
    if "[" not in pattern:  # the parser's own look for brackets raises where there is nothing but parentheses
        return _MALFORMED
    try:
        messages = run_validator(pattern, "2.1")
    except RecursionError:
        return "the pattern is nested too deeply"
    except AttributeError:  # the parser takes an index of `hashes` for a name
        return _MALFORMED
    return _MALFORMED if messages else None
