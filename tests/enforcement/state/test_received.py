from hypothesis import given
from hypothesis import strategies as st
from tests.enforcement.factories import NOW
from tests.records.indicators import indicator, indicator_id

from stillwatch.enforcement.model import LEVEL
from stillwatch.enforcement.state.known_texts import read_text
from stillwatch.enforcement.state.received import FEW, PANEL, Received, reports_of
from stillwatch.records.indicators import ReceivedIndicator


def told(*indicators: ReceivedIndicator, known_accounts: int = 0) -> Received:
    received = Received(known_accounts)
    received.replace(reports_of(indicators, NOW))
    return received


def of_bands(number: int, *bands: int, **changes: object) -> ReceivedIndicator:
    return indicator(number, template_bands=[f"{band:016x}" for band in bands], **changes)


def see(received: Received, accounts: int, *bands: int, prefix: str = "a") -> int:
    """Let accounts send a text of these bands; returns how many a report met."""
    matches = [received.match(f"{prefix}{one}", list(bands), NOW, ordinary=True) for one in range(accounts)]
    return sum(match is not None for match in matches)


def test_the_hardest_report_that_holds_is_found() -> None:
    received = told(
        of_bands(1, 5, confidence="low"),
        of_bands(2, 5, 6, source="identity--2", confidence="moderate", valid_until="2026-12-01T00:00:00Z"),
        of_bands(3, 7, valid_from="2030-01-01T00:00:00Z"),
        of_bands(4, 8, valid_until="2021-01-01T00:00:00Z"),
    )
    assert len(received) == 3
    found = received.match("a", [1, 5, 6], NOW, ordinary=True)
    assert found is not None
    assert (found.level, found.campaign_id, found.until_s) == (LEVEL["challenge"], indicator_id(2), 1_796_083_200.0)
    assert received.latest("a") == indicator_id(2)
    assert received.match("a", [7], NOW, ordinary=True) is None
    assert received.latest("a") is None
    mild = received.match("b", [5], 1_800_000_000.0, ordinary=False)
    assert mild is not None
    assert (mild.level, received.latest("b")) == (LEVEL["watch"], None)


def test_of_one_source_the_hardest_that_has_begun_is_kept() -> None:
    later = of_bands(1, 5, valid_from="2030-01-01T00:00:00Z")
    now, mild = of_bands(2, 5, confidence="moderate"), of_bands(3, 5, confidence="low")
    for order in ([later, now, mild], [mild, now, later]):
        ((report,),) = reports_of(order, NOW).by_band.values()
        assert report.indicator_id == indicator_id(2)


def test_texts_without_words_are_reported_in_vain() -> None:
    bands, _ = read_text(None, "?!")
    assert not reports_of([of_bands(1, *bands)], NOW).by_band


def test_what_more_than_a_tenth_of_the_accounts_send_is_not_heard() -> None:
    received = told(of_bands(1, 5))
    see(received, 1000, 1, prefix="other")
    assert see(received, 300, 5) == 111  # of 1,111 accounts; the next makes it more than a tenth
    assert received.not_heard() == {indicator_id(1)}
    see(received, 200, 1)
    assert received.not_heard() == set()


def test_a_service_that_knows_nobody_yet_hears_a_few_and_one_that_knows_its_customers_a_tenth() -> None:
    assert see(told(of_bands(1, 5)), 100, 5) == FEW
    assert see(told(of_bands(1, 5), known_accounts=1000), 300, 5) == 100
    assert see(told(of_bands(1, 5), known_accounts=10**7), 1000, 5) == PANEL // 10


def test_a_report_is_held_against_what_was_sent_before_it_came() -> None:
    received = told(of_bands(1, 9))
    see(received, 500, 5)
    received.replace(reports_of([of_bands(2, 5), of_bands(3, 6)], NOW))
    assert see(received, 500, 5) == 0
    assert see(received, 1, 6, prefix="crew") == 1, "the source does not answer for what everybody sends"
    assert received.not_heard() == {indicator_id(2)}


def test_many_narrow_bands_of_one_source_get_no_further_than_a_broad_one() -> None:
    received = told(*(of_bands(number, number) for number in range(1, 500)), of_bands(900, 900, source="identity--2"))
    met = [received.match(f"a{band}", [band], NOW, ordinary=True) is not None for band in range(1, 500)]
    assert sum(met) == FEW
    assert received.not_heard() == {"identity--1"}
    assert see(received, 3, 900, prefix="crew") == 3


def test_one_account_counts_once_and_by_its_latest_text() -> None:
    received = told(of_bands(1, 5))
    for _ in range(100):
        assert received.match("a", [5], NOW, ordinary=True) is not None
    assert received.not_heard() == set()


def test_memory_is_bounded_by_the_accounts_that_were_seen_last() -> None:
    received = told(of_bands(1, 5))
    see(received, 3 * PANEL, 5)
    assert received.latest("a0") is None
    assert len(received._seen) == PANEL
    see(received, PANEL, 1, prefix="b")
    assert not received._counts


@given(
    st.lists(st.tuples(st.integers(0, 400), st.lists(st.integers(0, 8), max_size=4)), max_size=300),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 2)), max_size=8),
)
def test_whatever_comes_the_counts_are_those_of_the_accounts_seen(
    sent: list[tuple[int, list[int]]], reported: list[tuple[int, int]]
) -> None:
    received = told(*(of_bands(n, band, source=f"identity--{s}") for n, (band, s) in enumerate(reported)))
    for account, bands in sent:
        received.match(f"a{account}", bands, NOW, ordinary=True)
    held = [met for seen in received._seen.values() for met in seen.met]
    assert dict(received._counts) == {met: held.count(met) for met in set(held)}
