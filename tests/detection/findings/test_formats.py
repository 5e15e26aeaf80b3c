import re
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stillwatch.detection.findings import formats

BIDI_AND_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


@given(st.text(st.characters(codec=None)))
@example("a\u202eb")
@example("\r\n\ud83d")
def test_neutralise_leaves_nothing_that_hides_or_reorders(text: str) -> None:
    clean = formats.neutralise(text)
    assert not BIDI_AND_CONTROLS.search(clean)
    assert formats.neutralise(clean) == clean
    clean.encode("utf-8")


def test_neutralise_shows_the_code_and_keeps_ordinary_text() -> None:
    assert formats.neutralise("x\u202egnp.exe") == "x⟨U+202E⟩gnp.exe"
    kept = "tab\tline\n\N{ARABIC LETTER SEEN}\N{ARABIC LETTER MEEM} 你好 👩\N{ZERO WIDTH JOINER}🔬"
    assert formats.neutralise(kept) == kept
    assert formats.neutralise("a\r\nb") == "a\nb"


@given(st.text(), st.integers(3, 60))
def test_shorten_fits_on_one_line(text: str, limit: int) -> None:
    line = formats.shorten(text, limit)
    assert len(line) <= limit
    assert "\n" not in line


def test_shorten_keeps_both_ends() -> None:
    assert formats.shorten("account-0123456789", 9) == "acco…6789"
    assert formats.shorten("short", 9) == "short"


def test_clip_says_how_much_is_missing() -> None:
    assert formats.clip("abcdef", 6) == "abcdef"
    assert formats.clip("abcdefgh", 6) == "abcdef … (2 more characters)"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (1, "100%"), (0.623, "62%"), (0.0623, "6.2%"), (0.001, "0.10%"), (0.00073, "0.073%"), (0.31, "31%")],
)
def test_percent(share: float, text: str) -> None:
    assert formats.percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not assessable"),
        (0.0, "0"),
        (0.5, "0.5"),
        (0.001, "0.001"),
        (1.2e-9, "1.2 × 10⁻⁹"),  # noqa: RUF001 - the sign that is meant
        (3.4e-12, "3.4 × 10⁻¹²"),  # noqa: RUF001 - the sign that is meant
    ],
)
def test_p_value(value: float | None, text: str) -> None:
    assert formats.p_value(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "more likely than not"),
        (0.5, "1 in 2"),
        (1.2e-5, "1 in 83,000"),
        (3.2e-7, "1 in 3.1 million"),
        (1.2e-9, "1 in 830 million"),
        (1e-10, "1 in 10 billion"),
        (1e-40, "1 in 10⁴⁰"),
    ],
)
def test_chance(value: float, text: str) -> None:
    assert formats.chance(value) == text


@given(st.floats(min_value=1e-300, max_value=1))
def test_chance_has_words_for_every_probability(value: float) -> None:
    assert formats.chance(value)


def test_signed_bits_uses_a_real_minus() -> None:
    assert formats.signed_bits(-1.84) == f"{formats.MINUS}1.8"
    assert formats.signed_bits(2) == "+2.0"


def test_times_are_utc_and_need_a_zone() -> None:
    instant = formats.parse_instant("2026-05-09T01:05:00+02:00")
    assert instant == datetime(2026, 5, 8, 23, 5, tzinfo=UTC)
    assert formats.moment(instant) == "8 May 2026, 23:05 UTC"
    assert formats.short_moment(instant, with_hour=True) == "8 May 23:05"
    with pytest.raises(ValueError, match="without zone"):
        formats.parse_instant("2026-05-09T01:05:00")


def test_plural() -> None:
    assert formats.plural(1, "key") == "1 key"
    assert formats.plural(1200, "key") == "1,200 keys"
    assert formats.plural(2, "entry", "entries") == "2 entries"
