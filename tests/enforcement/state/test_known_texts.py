from tests.enforcement.factories import NOW, verdict

from stillwatch.enforcement.model import LEVEL
from stillwatch.enforcement.state.known_texts import KnownTexts, read_text

FRAME = "Write one question about {} for an examination of first-year students, then solve it step by step and say why."


def test_a_text_of_the_frame_is_met_and_another_is_not() -> None:
    bands, _ = read_text(None, FRAME.format("optics"))
    known = KnownTexts([verdict("a", template_bands=[f"{band:016x}" for band in bands])], NOW)
    found = known.match(read_text(None, FRAME.format("tax law"))[0], NOW + 1)
    assert found is not None
    assert (found.level, found.campaign_id) == (LEVEL["block"], "cmp-1")
    assert known.match(read_text(None, "Please shorten the attached minutes of our meeting to a page.")[0], NOW) is None


def test_the_hardest_account_of_a_campaign_counts_and_lapses() -> None:
    known = KnownTexts(
        [verdict("a", "watch", template_bands=["01"]), verdict("b", "throttle", template_bands=["01"], ttl_s=60)], NOW
    )
    assert len(known) == 1
    hard = known.match([1], NOW + 59)
    assert hard is not None
    assert hard.level == LEVEL["throttle"]
    assert known.match([1], NOW + 60) is None
    assert known.match([], NOW) is None
