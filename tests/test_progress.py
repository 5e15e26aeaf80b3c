import io
import time

import pytest

from stillwatch import progress
from stillwatch.progress import Stage, StageClock


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _watch(monkeypatch: pytest.MonkeyPatch) -> _Terminal:
    """Put a terminal in place of standard error (not in a fixture: pytest sets its own again before the test)."""
    stream = _Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    return stream


def test_a_stage_knows_its_rows_its_time_and_its_memory() -> None:
    clock = StageClock(quiet=True)
    with clock.stage("read") as ticker:
        ticker.advance(3)
        ticker.advance(4)
        started = time.process_time()
        while time.process_time() - started < 0.05:
            pass
    (stage,) = clock.stages
    assert (stage.name, stage.rows) == ("read", 7)
    assert stage.wall_s >= stage.cpu_s >= 0.04
    assert stage.peak_mib > 10
    assert stage.rows_per_s == round(7 / stage.wall_s)


def test_a_stage_that_fails_is_timed_too() -> None:
    clock = StageClock(quiet=True)

    def fail() -> None:
        with clock.stage("read"):
            time.sleep(0.01)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert clock.stages[0].wall_s >= 0.01


def test_the_stages_become_records_in_their_order() -> None:
    clock = StageClock(quiet=True)
    clock.stages += [Stage("one", 10, 2.00049, 1.00051, 30), Stage("two")]
    first = {"name": "one", "rows": 10, "wall_s": 2.0, "cpu_s": 1.001, "peak_mib": 30, "rows_per_s": 5}
    second = {"name": "two", "rows": 0, "wall_s": 0.0, "cpu_s": 0.0, "peak_mib": 0, "rows_per_s": 0}
    assert clock.as_records() == [first, second]


def _wait_for(terminal: _Terminal, text: str) -> bool:
    for _ in range(500):
        if text in terminal.getvalue():
            return True
        time.sleep(0.01)
    return False


def test_a_bar_appears_by_itself_once_the_stage_has_taken_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _watch(monkeypatch)
    with StageClock().stage("sketch", 10) as ticker:
        ticker.advance(1)
        assert terminal.getvalue() == ""
    assert terminal.getvalue() == ""
    monkeypatch.setattr(progress, "_SHOW_AFTER_S", 0.0)
    with StageClock().stage("sketch", 10) as ticker:
        assert _wait_for(terminal, "0/10")
        ticker.advance(6)
        assert _wait_for(terminal, "6/10")
    assert "sketch" in terminal.getvalue()


def test_no_bar_is_drawn_where_nobody_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _watch(monkeypatch)
    monkeypatch.setattr(progress, "_SHOW_AFTER_S", 0.0)
    with StageClock(quiet=True).stage("sketch") as ticker:
        ticker.advance(1)
    assert terminal.getvalue() == ""


def test_no_bar_is_drawn_where_nobody_watches(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_SHOW_AFTER_S", 0.0)
    with StageClock().stage("sketch") as ticker:
        ticker.advance(1)
    assert capsys.readouterr() == ("", "")


def test_peak_memory_is_in_mib_on_macos_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        ru_maxrss = 5 * 2**20

    monkeypatch.setattr(progress.resource, "getrusage", lambda _who: Usage)
    monkeypatch.setattr(progress.sys, "platform", "darwin")
    assert progress._peak_mib() == 5
    monkeypatch.setattr(progress.sys, "platform", "linux")
    assert progress._peak_mib() == 5 * 1024
