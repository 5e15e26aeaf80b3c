import msgspec
import pytest
from tests.detection.findings import factories

from stillwatch.detection.findings.run import RunFacts, StageFacts
from stillwatch.progress import StageClock


def test_known_keys_are_read_and_others_ignored() -> None:
    facts = RunFacts.of(factories.run_facts(something_else=[1, 2]))
    assert facts.engine == "duckdb"
    assert facts.window is not None
    assert facts.window.first == "2026-05-01T00:00:00Z"
    assert facts.timings[0] == StageFacts(
        name="read", rows=596_180, wall_s=1.9, cpu_s=3.4, peak_mib=412, rows_per_s=313_779
    )


def test_everything_may_be_missing() -> None:
    assert RunFacts.of({}) == RunFacts()


def test_the_clock_of_a_run_fits() -> None:
    clock = StageClock(quiet=True)
    with clock.stage("read") as ticker:
        ticker.advance(12)
    facts = RunFacts.of({"timings": clock.as_records()})
    assert (facts.timings[0].name, facts.timings[0].rows) == ("read", 12)


def test_another_shape_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="counts"):
        RunFacts.of({"counts": {"read": "many"}})
