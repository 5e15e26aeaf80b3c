"""Sums of money in a text, where they are certain: an amount beside a currency, and no formula, shell or word."""

import re

_CURRENCY = (
    r"(?:usd|eur|gbp|jpy|cny|rmb|chf|inr|aud|sgd|hkd|krw|pln|nok|dkk|czk|brl|mxn|nzd|zar|huf|aed|thb|idr|myr|vnd"
    r"|twd|dollars?|euros?|pounds?|yuan|yen|rupees?|francs?|bucks|cents?|z\u0142(?:oty(?:ch)?)?|kr(?:on(?:a|e|or|er))?"
    r"|pesos?|rubles?|lira)"
)
_MANY = r"(?:[km]|mn|mio|bn|hundred|thousand|million|billion)"
_SIGN = "[\u00a2-\u00a5\u058f\u060b\u09f2\u09f3\u0e3f\u20a0-\u20cf]"
_UNSPACED = (
    r"\s?[\u4e07\u5104\u4ebf]?(?:\u5143(?!\u7d20|\u7ec4|\u7d44|\u4ef6|\u6570|\u5e74|\u6c14|\u6587)"
    r"|\u5186(?!\u5f62|\u5468|\u5353|\u76e4|\u67f1|\u9310)|[\u5706\u5713](?!\u5f62|\u5468|\u67f1|\u9525|\u5fc3|\u5f27)"
    r"|\uc6d0(?!\uc18c|\ud615|\ud1b5|\ub798|\uc778|\ub9ac|\uc790|\uce59|\uc810))"
)
"""Yuan, yen and won, which their languages write straight before the next word; but for words that begin so, such as
element, circle and principle."""
_MONEY = re.compile(
    rf"{_SIGN}\s?\d|\d[\d.,' -]{{0,20}}(?:{_UNSPACED}|(?:{_MANY}\b)?\s?(?:{_SIGN}|(?<!\.){_CURRENCY}\b))"
    rf"|\b{_CURRENCY}\s?\d|\b{_MANY}\s{_CURRENCY}\b",
    re.IGNORECASE,
)
_AMOUNT = (
    rf"(?:\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+\.\d{{2}}|\d{{2,}}|\d+(?=\s?(?:{_MANY}\b|per\b|each\b|an?\s|/\s?[a-z])))"
)
_DOLLARS = re.compile(rf"\$\s?{_AMOUNT}(?!\d|\.\d|[{{}}]|\s?[=+*^\\_<>])", re.IGNORECASE)
"""More than one digit, or a word: one alone may be an argument of a shell. Before an operator it is algebra."""
_DOLLARS_LAST = re.compile(r"\d\s?\$(?!\w)")
_FORMULA = re.compile(r"\$(?![\s$])([^$\n]{1,200})(?<![\s$+*=,-])\$(?!\d)")
_WORDS = re.compile(r"(?<![\\a-z])[a-z]{3,}", re.IGNORECASE)


def holds_sum(seen: str) -> bool:
    """Return whether a text (`plain`) holds a sum of money for certain.

    Between two dollars stands a formula where there are no words but commands of TeX.
    """
    if _MONEY.search(seen) is not None:
        return True
    prose = _FORMULA.sub(lambda found: found[0] if _WORDS.search(found[1]) else " ", seen)
    return _DOLLARS.search(prose) is not None or (prose.count("$") == 1 and _DOLLARS_LAST.search(prose) is not None)
