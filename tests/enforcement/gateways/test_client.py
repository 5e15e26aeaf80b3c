import asyncio
import logging

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.enforcement.gateways.fakes import Clock, Service, client, decision

from stillwatch.enforcement.ask import ask
from stillwatch.enforcement.gateways.client import Client
from stillwatch.enforcement.gateways.transport import Answer
from stillwatch.enforcement.model import DecideRequest, Decision

REFUSING = ["throttle", "challenge", "block"]
FAULTS = [
    Answer(500, b""),
    Answer(503, b"busy"),
    Answer(404, b'{"error": {}}'),
    Answer(422, b""),
    Answer(302, b""),
    Answer(200, b""),
    Answer(200, b"{"),
    Answer(200, b"\xff"),
    Answer(200, b"null"),
    Answer(200, b'{"action": "block"}'),
    OSError("refused"),
    ValueError("a bug"),
]


def asking(account: str) -> DecideRequest:
    return DecideRequest(account_id=account)


def decide(one: Client, *accounts: str) -> list[str | None]:
    """Return the actions decided on, one account after the other."""

    async def all_of_them() -> list[Decision | None]:
        return [await one.decide(asking(account)) for account in accounts]

    return [None if found is None else found.action for found in asyncio.run(all_of_them())]


@pytest.mark.parametrize("action", ["allow", "watch", "degrade", *REFUSING])
def test_it_returns_what_was_decided(action: str) -> None:
    one = client(Service())
    assert decide(one, action) == [action]
    assert one.missed == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_without_a_decision_the_refused_stay_refused_and_all_others_pass(fault: Exception | Answer) -> None:
    service = Service()
    one = client(service)
    decide(one, "allow", "watch", "degrade", *REFUSING)
    service.fault = fault
    assert decide(one, "allow", "watch", "never-seen") == [None, None, None]
    assert decide(one, "degrade", *REFUSING) == ["degrade", *REFUSING]
    assert one.missed == 7


def test_an_answer_that_does_not_come_is_none() -> None:
    service = Service()
    one = client(service, deadline_s=0.01)
    decide(one, "block")
    service.hangs = True
    assert decide(one, "block", "allow") == ["block", None]


def test_a_key_is_remembered_like_an_account() -> None:
    service = Service()
    one = client(service)
    service.answers[None] = decision("block")
    by_key = DecideRequest(key_id="hash")
    assert asyncio.run(one.decide(by_key)) is not None
    service.fault = OSError()
    assert asyncio.run(one.decide(by_key)) is not None
    assert asyncio.run(one.decide(DecideRequest(key_id="other"))) is None
    assert asyncio.run(one.decide(DecideRequest())) is None


def test_nobody_waits_for_a_service_that_fails_until_a_probe_finds_it_again() -> None:
    service, clock = Service(), Clock()
    one = client(service, clock)
    decide(one, "block")
    service.fault = OSError()
    decide(one, *["a"] * 5)
    asked = len(service.asked)
    assert decide(one, "a", "block") == [None, "block"]
    assert len(service.asked) == asked
    clock.now_s += 1.0
    decide(one, "a", "a")
    assert len(service.asked) == asked + 1
    service.fault = None
    clock.now_s += 1.0
    assert decide(one, "a", "a") == ["allow", "allow"]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_bad_requests_do_not_keep_others_from_being_decided_on(status: int) -> None:
    service = Service()
    one = client(service)
    service.fault = Answer(status, b"")
    decide(one, *["hostile"] * 20)
    service.fault = None
    assert decide(one, "block") == ["block"]


def test_what_was_missed_is_told_with_the_next_call_that_gets_through() -> None:
    service, clock = Service(), Clock()
    one = client(service, clock)
    decide(one, "a")
    assert "x-sw-missed" not in service.headers[-1]
    service.fault = OSError()
    decide(one, "a", "b")
    one.miss("a bug of its host")
    service.fault = None
    decide(one, "a", "b")
    assert [headers.get("x-sw-missed") for headers in service.headers] == [None, None, "1", "3", None]
    assert {headers["x-sw-adapter"] for headers in service.headers} == {"asgi"}
    assert one.missed == 3


def test_calls_at_the_same_time_tell_it_once_and_one_that_is_given_up_not_at_all() -> None:
    service = Service()
    one = client(service)
    one.miss("x")

    async def given_up_then_two() -> None:
        service.hangs = True
        waiting = asyncio.create_task(one.decide(asking("a")))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        service.hangs = False
        await asyncio.gather(one.decide(asking("a")), one.decide(asking("b")))

    asyncio.run(given_up_then_two())
    assert [headers.get("x-sw-missed") for headers in service.headers] == ["1", "1", None]


def test_the_log_is_warned_now_and_then_and_names_nobody(caplog: pytest.LogCaptureFixture) -> None:
    service, clock = Service(), Clock()
    one = client(service, clock)
    service.fault = OSError("who is this")
    with caplog.at_level(logging.WARNING):
        decide(one, "kim", "kim", "kim")
        clock.now_s += 60.0
        decide(one, "kim")
    assert [record.getMessage() for record in caplog.records] == [
        "no decision for 1 requests, for the last because of: OSError",
        "no decision for 3 requests, for the last because of: OSError",
    ]


def test_the_longest_texts_are_told_in_part() -> None:
    service = Service()
    asyncio.run(client(service).decide(DecideRequest(account_id="a", prompt="p" * 2**20, system="s")))
    [asked] = service.asked
    assert (len(asked.prompt or ""), asked.system) == (2**18, "s")


@given(
    st.dictionaries(
        st.sampled_from(["x-sw-account-id", "authorization", "user-agent", "x-forwarded-for", "x-sw-org-id"]),
        st.text(alphabet=st.characters(max_codepoint=255)),
    ),
    st.binary() | st.builds(msgspec.json.encode, st.dictionaries(st.sampled_from(["prompt", "model"]), st.text())),
)
def test_whatever_a_client_sends_can_be_asked(headers: dict[str, str], body: bytes) -> None:
    service = Service()
    one = client(service)
    asyncio.run(one.decide(ask(headers, "/v1/chat/completions", body)))
    assert one.missed == 0


def test_closing_it_closes_its_transport() -> None:
    service = Service()
    asyncio.run(client(service).close())
    assert service.closed
