from importlib.metadata import EntryPoint

import pytest

from stillwatch import plugins
from stillwatch.errors import UsageError
from stillwatch.plugins import load_plugins

GROUP = "stillwatch.things"


def offer(monkeypatch: pytest.MonkeyPatch, **entries: str) -> None:
    found = [EntryPoint(name, value, GROUP) for name, value in entries.items()]
    monkeypatch.setattr(plugins, "entry_points", lambda group: found if group == GROUP else [])


def any_thing(thing: object) -> object:
    return thing


def test_plugins_come_by_name_whatever_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, b="collections:OrderedDict", a="builtins:dict")
    assert list(load_plugins(GROUP, any_thing)) == ["a", "b"]
    assert load_plugins("stillwatch.other", any_thing) == {}


@pytest.mark.parametrize("value", ["no_such_module:x", "builtins:no_such_class", "builtins:None"])
def test_one_that_does_not_load(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    offer(monkeypatch, a=value)
    with pytest.raises(UsageError, match=r"'a'.*does not load"):
        load_plugins(GROUP, any_thing)


def test_one_that_is_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> object:
        raise TypeError("not a thing")

    offer(monkeypatch, a="builtins:dict")
    with pytest.raises(UsageError, match="not a thing"):
        load_plugins(GROUP, refuse)


def test_a_taken_name(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, a="builtins:dict")
    with pytest.raises(UsageError, match="already taken"):
        load_plugins(GROUP, any_thing, taken={"a"})
