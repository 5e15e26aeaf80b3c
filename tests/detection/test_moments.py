from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from stillwatch.detection.moments import rfc3339


@given(st.integers(1_420_070_400_000_000, 4_102_444_800_000_000))
def test_moments_are_written_to_the_second_and_read_back(moment_us: int) -> None:
    read = datetime.fromisoformat(rfc3339(moment_us))
    assert read.tzinfo == UTC
    assert 0 <= moment_us - read.timestamp() * 1_000_000 < 1_000_000
