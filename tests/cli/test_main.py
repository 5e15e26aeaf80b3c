import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from stillwatch import __version__
from stillwatch.cli import main as entry
from stillwatch.errors import Location, RemoteError, StillwatchError, UsageError


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["stillwatch", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        entry.main()
    return caught.value.code


def verb_that(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Replace the command line by one whose only verb, `fail`, raises."""

    def fail() -> None:
        raise error

    app = typer.Typer()
    app.callback()(lambda: None)
    app.command("fail")(fail)
    monkeypatch.setattr(entry, "app", app)
    monkeypatch.setattr(entry, "entry_points", lambda group: [])  # noqa: ARG005 - as it is called


def test_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"stillwatch {__version__}\n"


@pytest.mark.parametrize("verb", ["detect", "ingest", "sketch"])
def test_every_verb_shows_help_with_an_example(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    assert run(monkeypatch, verb, "--help") == 0
    assert f"Example: stillwatch {verb}" in " ".join(capsys.readouterr().out.split())


def test_an_unknown_verb_is_wrong_use(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "detekt") == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no such file", where=Location("a.jsonl", line=3), hint="give another"), 2),
        (RemoteError("refused"), 4),
        (StillwatchError("broken"), 1),
    ],
)
def test_an_error_meant_for_a_person_is_text_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: StillwatchError, code: int
) -> None:
    verb_that(monkeypatch, error)
    assert run(monkeypatch, "fail") == code
    assert capsys.readouterr().err == f"stillwatch: {error}\n"


def test_a_bug_tells_where_and_nothing_of_the_data(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verb_that(monkeypatch, RuntimeError("the prompt was: my secret"))
    assert run(monkeypatch, "fail") == 1
    said = capsys.readouterr().err
    assert "RuntimeError at test_main.py:" in said
    assert "report" in said
    assert "secret" not in said


def test_a_bug_shows_its_trace_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    verb_that(monkeypatch, RuntimeError("boom"))
    monkeypatch.setenv("STILLWATCH_DEBUG", "1")
    monkeypatch.setattr(sys, "argv", ["stillwatch", "fail"])
    with pytest.raises(RuntimeError, match="boom"):
        entry.main()


def test_what_the_system_refuses_is_not_called_a_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verb_that(monkeypatch, OSError(errno.ENOSPC, "No space left on device", "/out/accounts.jsonl"))
    assert run(monkeypatch, "fail") == 2
    assert capsys.readouterr().err == "stillwatch: /out/accounts.jsonl: No space left on device\n"


@pytest.mark.parametrize("outside", [True, False])
def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, outside: bool) -> None:
    if outside:

        def interrupted(_app: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(entry, "get_command", interrupted)
    else:
        verb_that(monkeypatch, KeyboardInterrupt())
    assert run(monkeypatch, "fail") == 130
    assert "stopped" in capsys.readouterr().err


def test_ctrl_c_that_a_library_made_an_error_of_its_own_is_130_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_app: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        except KeyboardInterrupt:
            pass
        raise RuntimeError("Query interrupted")

    monkeypatch.setattr(entry, "get_command", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert run(monkeypatch, "detect") == 130
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert "stopped" in capsys.readouterr().err


def test_a_plug_in_adds_a_verb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    group = typer.Typer()
    group.command("inner")(lambda: typer.echo("from a group"))
    group.callback()(lambda: None)

    class Plugin:
        def __init__(self, name: str, verb: object) -> None:
            self.name = name
            self._verb = verb

        def load(self) -> object:
            return self._verb

    verb_that(monkeypatch, RuntimeError())
    plugins = [Plugin("hello", lambda: typer.echo("from a verb")), Plugin("family", group)]
    monkeypatch.setattr(entry, "entry_points", lambda group: plugins)  # noqa: ARG005 - as it is called
    assert run(monkeypatch, "hello") == 0
    assert run(monkeypatch, "family", "inner") == 0
    assert capsys.readouterr().out == "from a verb\nfrom a group\n"


# Tests that were started in the background ignore Ctrl-C, and what they start would too.
_HEARS_CTRL_C = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("stillwatch", run_name="__main__")
"""


@pytest.mark.slow
def test_ctrl_c_in_a_running_detection_ends_it_cleanly(tmp_path: Path) -> None:
    log, out = tmp_path / "log.jsonl", tmp_path / "out"
    line = '{"exchange_id":"e%d","ts":"2026-05-01T10:00:00Z","account_id":"a%d","model":"m"}\n'
    log.write_text("".join(line % (number, number % 7) for number in range(300_000)))
    process = subprocess.Popen(
        [sys.executable, "-c", _HEARS_CTRL_C, "detect", str(log), "--out", str(out)], stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not any(out.glob(".work-*/*")):
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "stopped" in said
    assert list(out.iterdir()) == []
