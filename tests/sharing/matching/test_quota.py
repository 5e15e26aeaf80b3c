import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import InputRejectedError, UsageError
from stillwatch.sharing.matching.quota import Quota, Usage

DAY = 86_400
NOON = 20_000 * DAY + DAY // 2
QUOTA = Quota(per_day=100, per_epoch=250, window_s=3_600, burst_asked=50, least_matched=0.1)


def test_a_day_and_the_next() -> None:
    grant = QUOTA.spend(Usage(), 60, "a", NOON)
    assert (grant.granted, grant.left, grant.retry_after_s) == (True, 40, 0)
    refused = QUOTA.spend(grant.usage, 41, "a", NOON + 10.5)
    assert (refused.granted, refused.left, refused.retry_after_s) == (False, 40, DAY // 2 - 10)
    assert refused.usage.in_day == 60
    assert QUOTA.spend(refused.usage, 40, "a", NOON).left == 0
    assert QUOTA.spend(refused.usage, 41, "a", NOON + DAY // 2).granted


def test_an_epoch_and_the_next() -> None:
    usage = Usage()
    for day, count in enumerate((100, 100, 50)):
        grant = QUOTA.spend(usage, count, "a", NOON + day * DAY)
        assert grant.granted
        usage = grant.usage
    refused = QUOTA.spend(usage, 1, "a", NOON + 3 * DAY)
    assert (refused.granted, refused.left, refused.retry_after_s) == (False, 0, None)
    assert QUOTA.spend(usage, 100, "b", NOON + 3 * DAY).granted


def test_more_than_a_day_ever_allows() -> None:
    assert QUOTA.spend(Usage(), 101, "a", NOON).retry_after_s is None


def test_time_that_goes_back_gives_nothing() -> None:
    usage = QUOTA.spend(Usage(), 100, "a", NOON).usage
    assert not QUOTA.spend(usage, 1, "a", NOON - DAY).granted


def test_nothing_asked() -> None:
    for count in (0, -1):
        with pytest.raises(InputRejectedError, match="at least one"):
            QUOTA.spend(Usage(), count, "a", NOON)


def test_alarm() -> None:
    few = QUOTA.spend(Usage(), 49, "a", NOON).usage
    assert not QUOTA.alarming(few)
    burst = QUOTA.spend(few, 1, "a", NOON + 1).usage
    assert QUOTA.alarming(burst)
    assert QUOTA.alarming(QUOTA.matched(burst, 4, NOON + 2))
    assert not QUOTA.alarming(QUOTA.matched(burst, 5, NOON + 2))
    later = QUOTA.matched(burst, 1, NOON + 3_600)
    assert (later.asked, later.matched) == (0, 1)
    assert not QUOTA.alarming(later)
    assert QUOTA.matched(burst, -5, NOON).matched == 0


@pytest.mark.parametrize(
    "wrong", [{"per_day": 0}, {"per_epoch": 0}, {"window_s": 0}, {"burst_asked": 0}, {"least_matched": 1.5}], ids=str
)
def test_wrong_quotas(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Quota(**wrong)  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.integers(1, 150), st.integers(0, 2 * DAY), st.booleans()), max_size=60))
def test_never_more_than_the_allowance(steps: list[tuple[int, int, bool]]) -> None:
    usage, now, epoch = Usage(), NOON, 0
    days: dict[int, int] = {}
    epochs: dict[int, int] = {}
    for count, wait, following in steps:
        now, epoch = now + wait, epoch + following
        grant = QUOTA.spend(usage, count, str(epoch), now)
        usage = grant.usage
        if grant.granted:
            days[now // DAY] = days.get(now // DAY, 0) + count
            epochs[epoch] = epochs.get(epoch, 0) + count
        else:
            assert count > grant.left >= 0
    assert all(spent <= QUOTA.per_day for spent in days.values())
    assert all(spent <= QUOTA.per_epoch for spent in epochs.values())
