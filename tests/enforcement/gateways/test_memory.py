import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.enforcement.gateways.fakes import Clock, decision

from stillwatch.enforcement.gateways.memory import Memory

WHO = ("account", "a")


@pytest.mark.parametrize("action", ["throttle", "challenge", "degrade", "block"])
def test_a_refusal_is_remembered_for_as_long_as_it_holds(action: str) -> None:
    clock = Clock()
    memory = Memory(clock)
    refused = decision(action, ttl_s=60)
    memory.keep(WHO, refused)
    clock.now_s += 59.9
    assert memory.recall(WHO) == refused
    clock.now_s += 0.1
    assert memory.recall(WHO) is None
    assert len(memory) == 0


@pytest.mark.parametrize(
    "passed", [decision(), decision("watch"), decision("block", mode="shadow"), decision("degrade", mode="shadow")]
)
def test_a_pass_is_not_remembered_and_lifts_a_refusal(passed: object) -> None:
    memory = Memory(Clock())
    memory.keep(WHO, decision("block"))
    memory.keep(WHO, passed)  # type: ignore[arg-type]
    assert memory.recall(WHO) is None
    assert len(memory) == 0


def test_the_pass_of_a_paced_account_lifts_nothing() -> None:
    memory = Memory(Clock())
    throttled = decision("throttle")
    memory.keep(WHO, throttled)
    memory.keep(WHO, decision("watch", reason_code="within_throttle", ttl_s=0))
    assert memory.recall(WHO) == throttled


def test_a_refusal_of_one_request_neither_lifts_nor_adds() -> None:
    memory = Memory(Clock())
    memory.keep(("key", "h"), decision("challenge", ttl_s=0))
    assert memory.recall(("key", "h")) is None
    throttled = decision("throttle")
    memory.keep(WHO, throttled)
    memory.keep(WHO, decision("challenge", ttl_s=0))
    assert memory.recall(WHO) == throttled


def test_an_account_is_no_key() -> None:
    memory = Memory(Clock())
    memory.keep(("account", "x"), decision("block"))
    assert memory.recall(("key", "x")) is None


@given(st.lists(st.tuples(st.sampled_from(["keep", "lift", "recall"]), st.integers(0, 6)), max_size=80))
def test_it_holds_the_latest_and_no_more_than_it_may(steps: list[tuple[str, int]]) -> None:
    memory = Memory(Clock(), most=3)
    latest: list[int] = []
    for step, number in steps:
        who = ("account", str(number))
        held = number in latest
        if held:
            latest.remove(number)
        if step == "keep":
            memory.keep(who, decision("block"))
            latest = [*latest, number][-3:]
        elif step == "lift":
            memory.keep(who, decision())
        else:
            assert (memory.recall(who) is not None) == held
            latest += [number] if held else []
        assert len(memory) == len(latest)
