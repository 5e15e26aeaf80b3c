import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.sharing.clearance.characters import holds_hidden, holds_letterlike, plain, shown

HIDDEN = {
    "selectors": "a\ufe00\ufe01", "selectors beyond": "a\U000e0100\U000e01ef", "tags": "\U000e0041",
    "joiner": "jane@ac\u034fme", "fillers": "\u115f\u3164", "halfwidth filler": "\uffa0", "marks": "\u180b\u180e",
    "direction": "\u202e", "joiners": "a\u200cb", "two joiners": "\u0645\u200c\u200d\u062e",
    "musical": "\U0001d173", "control": "\x1b",
    "return": "a\rb", "private": "\ue000", "unassigned": "\U000e0fff",
}  # fmt: skip
LETTERLIKE = {
    "braille": "\u2801\u2803", "hexagrams": "\u4dc0", "flags": "\U0001f1e6\U0001f1e8",
    "circles": "\U0001f159\U0001f150",
    "dingbats": "\u2780\u2781",
    "rods": "\U0001d360", "above others": "a\u0363", "enclosing": "a\u20dd",
}  # fmt: skip


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN)
def test_what_is_not_drawn_is_found(text: str) -> None:
    assert holds_hidden(text)


@pytest.mark.parametrize(
    "text",
    [
        "plain\n\ttext\r\nof lines",
        "done \u2714\ufe0f",
        "\u00fc\u00e9\u4e2d",
        "\ufeffco\u00adop\u200b",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\U0001f469\u200d\U0001f4bb",
    ],
)
def test_line_ends_and_styles_hide_nothing(text: str) -> None:
    assert not holds_hidden(text)
    assert "\ufe0f" not in shown(text)
    assert "\r" not in shown(text)


@pytest.mark.parametrize("text", LETTERLIKE.values(), ids=LETTERLIKE)
def test_signs_to_write_with_are_found(text: str) -> None:
    assert holds_letterlike(plain(text))


@pytest.mark.parametrize("text", ["a\u0301 \u00bd \u2167 \u2460 20 \u00b0C \u00a9 \u2192 $ + ^", "\u0939\u093f"])
def test_letters_and_common_signs_are_none(text: str) -> None:
    assert not holds_letterlike(plain(text))


@given(st.text(max_size=50))
def test_a_plain_text_hides_nothing_but_controls(text: str) -> None:
    assert plain(plain(text)) == plain(text)
    assert not any(character in plain(text) for character in "\ufe0f\u034f\u3164\U000e0041\u202e")
