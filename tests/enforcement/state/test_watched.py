from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from stillwatch.enforcement.state.watched import Replaced, Watched
from stillwatch.errors import UsageError


class Later(Executor):
    """Runs what was submitted last when it is told to."""

    def submit(self, call: Callable[..., Any], /, *_: Any, **__: Any) -> Future[Any]:
        self.future: Future[Any] = Future()
        self.call = call
        return self.future

    def run(self) -> None:
        try:
            self.future.set_result(self.call())
        except UsageError as error:
            self.future.set_exception(error)


def test_a_file_is_new_once(tmp_path: Path) -> None:
    file = Replaced(tmp_path / "f")
    assert file.look() is None
    file.path.write_text("1")
    assert file.look() is not None
    assert file.look() is None
    file.path.write_text("22")
    assert file.look() is not None
    file.path.unlink()
    assert file.look() is None


def test_nothing_waits_for_the_reading() -> None:
    aside = Later()
    answers = iter([1, None])
    watched = Watched(lambda: next(answers), aside)
    assert (watched.take(), watched.take()) == (None, None)
    aside.run()
    assert watched.take() == 1
    assert watched.take() is None
    aside.run()
    assert watched.take() is None


def test_what_is_wrong_is_told_once_and_the_next_reading_goes_on() -> None:
    def wrong() -> int:
        raise UsageError("nonsense")

    aside = Later()
    watched = Watched(wrong, aside)
    watched.take()
    aside.run()
    with pytest.raises(UsageError, match="nonsense"):
        watched.take()
    watched.read_if_new = lambda: 2
    watched.take()
    aside.run()
    assert watched.take() == 2
