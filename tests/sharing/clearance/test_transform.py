import contextlib
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sharing.clearance.factories import BANDS, TOKEN

from stillwatch.sharing.clearance.model import Fact
from stillwatch.sharing.clearance.transform import TRANSFORMATIONS, Means, WithheldError

MEANS = Means(pseudonym_key=b"k" * 32, audience="a")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def made(name: str, value: Any, means: Means = MEANS, **context: Any) -> Any:
    return TRANSFORMATIONS[name](Fact(field="x", value=value, context=context), means)


@given(st.sampled_from(sorted(TRANSFORMATIONS)), JSON, st.dictionaries(st.sampled_from(["token"]), JSON))
def test_any_value_is_transformed_or_withheld(name: str, value: Any, context: dict[str, Any]) -> None:
    with contextlib.suppress(WithheldError):
        msgspec.json.encode(made(name, value, **context))


@pytest.mark.parametrize(
    ("name", "value", "leaves"),
    [
        ("band", 1, "1-9"),
        ("band", 16_342.9, "10000-99999"),
        ("lifetime", 0, "under-1-hour"),
        ("sketch", [*BANDS, BANDS[0], "4111111111111111", b"alice@ex".hex()], BANDS),
        ("label", ["b", "a", "b"], ["a", "b"]),
        ("label", "aster-2-2026", "aster-2-2026"),
        ("domain", "relay.example", "relay.example"),
        ("address", "2001:4860:4860::8888%alice", "2001:4860:4860::8888"),
        ("address", "::ffff:8.8.4.4", "8.8.4.4"),
        ("prefix", "2001:4860:4860::8888", "2001:4860:4860::/48"),
        ("capability", "reasoning", "reasoning"),
        ("level", "low", "low"),
        ("domain", ["vpn1.kr", "reseller24.kr", "claude3.usd.io"], ["claude3.usd.io", "reseller24.kr", "vpn1.kr"]),
        ("text", "done \u2714\ufe0f\r\nnext", "done \u2714\nnext"),
        ("emptied_template", "a {b} c", "a {} c"),
        ("text", "one\n\ttwo", "one\n\ttwo"),
        ("register_text", "SIRET 404 833 048 00022", "SIRET 404 833 048 00022"),
        ("emptied_template", "a {$40, bob@x.example} c", "a {} c"),
        ("circumvention", ["false-identity", "?"], ["false-identity"]),
        ("alternatives", {"explanation": "trial", "kept": True}, [{"explanation": "trial", "kept": True}]),
        (
            "alternatives",
            [{"explanation": "trial", "kept": False, "why": "bob said so"}],
            [{"explanation": "trial", "kept": False}],
        ),
        ("category_levels", {"weapons": 1.0, "bio": 0}, {"bio": "low", "weapons": "high"}),
        ("fingerprint", "t13d1516h2_8daaf6152771_b186095e22b6", "t13d1516h2_8daaf6152771_b186095e22b6"),
        ("fingerprint", "python-requests/2.31", "python-requests/2.31"),
        ("bin_range", "411111", "411111"),
        ("number", 64_512, 64_512),
    ],
)
def test_what_leaves(name: str, value: Any, leaves: Any) -> None:
    assert made(name, value) == leaves


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("band", [0, -1, True, "9", math.nan, math.inf, 10**400]),
        ("number", [0, 1 << 32, True, 64_512.0, "64512"]),
        ("sketch", [[], "9f3a5c7d1e2b4f60", ["4111111111111111"], [b"alice@ex".hex()], ["9F3A5C7D1E2B4F60"], [7]]),
        (
            "label",
            [
                "",
                [],
                "15550100199",
                "jane.doe at acme dot com",
                "81.2.69.142",
                "discount 40 to Acme",
                "4111 1111 1111 1111",
                "40 EUR",
                "AKIA5EXAMPLE77SECRET",
                "a@b",
                "ünï",
                7,
                "x" * 81,
            ],
        ),
        ("level", [["low"], "none of it", 7]),
        ("domain", ["4111-1111-1111-1111.com", "alice@example.com", "localhost", "EXAMPLE.COM", "a..b", "1.2.3.4"]),
        ("address", ["10.0.0.1", "fe80::1", "::1", "224.0.0.1", "100.64.0.1", "::ffff:10.0.0.1", "x", 5, None]),
        ("prefix", ["10.0.0.1", "8.8.4.4/8"]),
        ("token", ["x"]),
        ("pseudonym", ["", 7, None, {}]),
        ("capability", ["poetry", [], {}, [["reasoning"]]]),
        (
            "text",
            ["", " ", "x" * 2_001, "\x00", "\u202eabc", "\ud800", "\U000e0041", "a\ufe00b", "a\rb", "ac\u034fme", 7],
        ),
        ("register_text", ["4111 1111 1111 1111", "bob@globex.example", "EUR 40"]),
        ("emptied_template", ["pay $40 {x}", "{x} +49 170 5550123"]),
        ("alternatives", [[], "trial", [{"explanation": "bob", "kept": True}], [{"explanation": "trial"}], [7]]),
        ("circumvention", ["broke our terms", []]),
        ("yes_or_no", [1, "yes", None]),
        ("category_levels", [{}, {"a": 1.1}, {"a": math.nan}, {"a": True}, {"a@b": 0.1}, {"15550100": 0.1}, [1]]),
        ("fingerprint", ["alice", b"alice@example.co".hex(), "1" * 32, "e7d705a3286e19ea42f587b344ee686"]),
        ("bin_range", ["4111111", "\uff14\uff11\uff11\uff11\uff11\uff11", 411111]),
    ],
)
def test_what_does_not(name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(WithheldError):
            made(name, value)


def test_tokens_are_of_the_suite_and_whole() -> None:
    assert made("token", "alice@example.com", token=TOKEN) == TOKEN
    for token in (TOKEN[:-1], TOKEN.replace("r255", "md5"), "alice@example.com", 7, None, TOKEN + "\n"):
        with pytest.raises(WithheldError):
            made("token", "alice@example.com", token=token)


def test_pseudonyms_need_a_key_and_differ_by_audience() -> None:
    with pytest.raises(WithheldError):
        made("pseudonym", "acc-1", Means())
    assert made("pseudonym", "acc-1") == made("pseudonym", "acc-1") != made("pseudonym", "acc-2")
    assert made("pseudonym", "acc-1") != made("pseudonym", "acc-1", Means(pseudonym_key=b"k" * 32, audience="b"))
    assert "acc-1" not in made("pseudonym", "acc-1")
