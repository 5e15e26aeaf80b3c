from stillwatch.enforcement.state.handles import Birth, Handles

HOME = Birth("a", "s", "m")


def test_a_handle_is_at_home_where_it_was_born() -> None:
    handles = Handles()
    handles.issue("h", HOME)
    assert not handles.is_foreign("h", HOME)
    assert not handles.is_foreign("h", Birth("a", None, None))
    for shown in (Birth("b", "s", "m"), Birth("a", "t", "m"), Birth("a", "s", "n")):
        assert handles.is_foreign("h", shown)
    assert not handles.is_foreign("unknown", HOME)


def test_the_first_birth_stands() -> None:
    handles = Handles()
    handles.issue("h", HOME)
    handles.issue("h", Birth("thief", "s", "m"))
    assert handles.is_foreign("h", Birth("thief", "s", "m"))


def test_the_oldest_is_forgotten_and_the_rest_outlives_a_restart() -> None:
    handles = Handles(most=2)
    for name in ("h1", "h2", "h3"):
        handles.issue(name, HOME)
    after = Handles()
    after.load(handles.dump())
    foreign = [name for name in ("h1", "h2", "h3") if after.is_foreign(name, Birth("b", "s", "m"))]
    assert foreign == ["h2", "h3"]
    assert len(after) == 2
