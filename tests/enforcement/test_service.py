import functools
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.enforcement.factories import NOW, policy, rule, verdict
from tests.records.indicators import indicator, indicator_id, write

from stillwatch.enforcement.casework import Lift, NewVerdict
from stillwatch.enforcement.model import DecideRequest
from stillwatch.enforcement.policy.load import standard_policy
from stillwatch.enforcement.record.appeals import NewAppeal, NewReview
from stillwatch.enforcement.record.ledger import Entry, verify
from stillwatch.enforcement.service import Service, Setup
from stillwatch.enforcement.serving.metrics import Metrics
from stillwatch.enforcement.state.known_texts import read_text
from stillwatch.errors import PolicyRefusedError, UsageError

ASKED = DecideRequest(account_id="a", model="m", prompt="my secret question")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(
        data_dir=tmp_path / "data", policy=standard_policy(), mode="enforce", verdicts=tmp_path / "verdicts.jsonl"
    )


@pytest.fixture
def service(setup: Setup, clock: Clock) -> Iterator[Service]:
    one = Service(setup, clock)
    yield one
    one.close()


def new(action: str = "block", author: str = "ann", **more: object) -> NewVerdict:
    fields = {"reason_code": "by_hand", "reason": "seen", "ttl_s": 600, **more}
    return NewVerdict(action=action, author=author, **fields)  # type: ignore[arg-type]


def recorded(service: Service, decision_id: str) -> Entry:
    found = service.ledger.find(decision_id)
    assert found is not None
    return found


def test_what_is_not_an_ordinary_allow_is_recorded_without_its_text(service: Service, setup: Setup) -> None:
    for _ in range(250):
        service.decide(ASKED, "native")
    service.casework.set_verdict("a", new(), NOW)
    decision = service.decide(ASKED, "nginx")
    entries = list(service.ledger.entries())
    assert [one.action for one in entries] == ["allow", "allow", "block"]
    assert {one.sampled for one in entries} == {0.01, 1.0}
    last = recorded(service, decision.decision_id)
    assert (last.rule, last.transport, last.cohort, last.reason_code) == ("blocked", "nginx", "everybody", "by_hand")
    assert all(b"secret" not in path.read_bytes() for path in setup.data_dir.rglob("*") if path.is_file())
    assert service.counts["decisions", "native", "allow", "enforce"] == 250


def test_a_degrade_says_what_was_removed(service: Service) -> None:
    service.casework.set_verdict("a", new("degrade", campaign_id="cmp-1"), NOW)
    decision = service.decide(ASKED, "native")
    assert recorded(service, decision.decision_id).removed == ("max_tokens<=1024", "n<=1", "logprobs", "reasoning")


def test_the_verdict_file_is_taken_over_while_serving(
    service: Service, setup: Setup, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    assert setup.verdicts is not None
    setup.verdicts.write_bytes(msgspec.json.encode(verdict("a", ttl_s=10**9)) + b"\n")
    assert service.decide(ASKED, "native").action == "allow"
    service.tick()
    assert service.decide(ASKED, "native").action == "block"
    setup.verdicts.write_bytes(b"half a li")
    with caplog.at_level(logging.ERROR):
        service.tick()
    assert "the verdict file was not taken over" in caplog.text
    assert service.decide(ASKED, "native").action == "block"
    setup.verdicts.write_bytes(b"")
    service.tick()
    assert service.decide(ASKED, "native").action == "allow"
    clock.now += 61
    service.tick()
    assert service.counts["verdict_files", "loaded"] == 2
    assert service.counts["verdict_files", "refused"] == 1


def test_a_restart_finds_what_was_acknowledged(setup: Setup, clock: Clock) -> None:
    first = Service(setup, clock)
    first.casework.set_verdict("a", new(), NOW)
    blocked = first.decide(ASKED, "native")
    first.ledger.close()  # all else is left as it is: tests/enforcement/test_serve.py kills a process
    second = Service(setup, clock)
    assert second.decide(ASKED, "native").action == "block"
    assert recorded(second, blocked.decision_id).action == "block"
    second.close()
    assert verify(setup.data_dir / "decisions").lines == 2
    clock.now += 600
    third = Service(setup, clock)
    assert third.decide(ASKED, "native").action == "allow"
    third.close()


def test_a_degrade_on_suspicion_alone_needs_two(service: Service, clock: Clock) -> None:
    assert service.casework.set_verdict("a", new("degrade"), NOW).state == "awaiting_approval"
    assert service.casework.set_verdict("a", new("degrade"), NOW).state == "awaiting_approval"
    assert service.decide(ASKED, "native").action == "allow"
    second = service.casework.set_verdict("a", new("degrade", author="bob"), NOW)
    assert (second.state, second.approved_by) == ("in_force", "ann")
    assert service.decide(ASKED, "native").action == "degrade"
    service.casework.lift("a", Lift(reason="mistake", author="eve"), NOW)
    assert service.casework.set_verdict("a", new("degrade", author="bob"), NOW).state == "awaiting_approval"
    clock.now += 30 * 86_400
    assert service.casework.set_verdict("a", new("degrade", author="ann"), clock.now).state == "awaiting_approval"


def test_a_lifted_verdict_stays_lifted_though_it_is_found_again(service: Service, setup: Setup) -> None:
    assert setup.verdicts is not None
    setup.verdicts.write_bytes(msgspec.json.encode(verdict("a", ttl_s=10**9)) + b"\n")
    service.tick()
    assert service.casework.lift("a", Lift(reason="ours", author="ann"), NOW)
    assert not service.casework.lift("a", Lift(reason="ours", author="ann"), NOW)
    assert service.decide(ASKED, "native").action == "allow"
    assert [event.kind for event in service.account("a").history] == ["lifted", "lifted"]


def test_an_overturned_appeal_frees_the_account_and_counts(setup: Setup, clock: Clock) -> None:
    strict = policy('[[budget]]\ncohort = "everybody"\noverturned = 1', rule("b", "block", '{ verdict = ["block"] }'))
    service = Service(replace(setup, policy=strict), clock)
    service.casework.set_verdict("a", new(), NOW)
    decision = recorded(service, service.decide(ASKED, "native").decision_id)
    appeal = service.casework.appeal(
        NewAppeal(decision_id=decision.decision_id, contact="a@b.c", text="no"), decision, NOW
    )
    overturn = NewReview(reviewer="bob", finding="overturn", reason="a class of students")
    with pytest.raises(PolicyRefusedError, match="does not review"):
        service.casework.review(appeal, NewReview(reviewer="ann", finding="overturn", reason="x"), decision, NOW)
    assert service.casework.review(appeal, overturn, decision, NOW).state == "overturned"
    assert service.decide(ASKED, "native").action == "allow"
    service.casework.set_verdict("other", new(), NOW)
    shadowed = service.decide(DecideRequest(account_id="other"), "native")
    assert (shadowed.action, shadowed.mode) == ("block", "shadow")
    assert service.casework.reset_budget("everybody", NOW)
    assert service.decide(DecideRequest(account_id="other"), "native").mode == "enforce"
    assert [event.kind for event in service.casework.history("a")] == ["lifted", "appealed", "set"]
    service.close()


def test_a_cohort_with_too_many_refused_falls_back(
    setup: Setup, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    tables = ['[[budget]]\ncohort = "everybody"\nrefused_share = 0.01', rule("b", "block", '{ verdict = ["block"] }')]
    service = Service(replace(setup, policy=policy(*tables)), clock)
    for number in range(150):
        service.decide(DecideRequest(account_id=f"a{number}"), "native")
    for number in range(4):
        service.casework.set_verdict(f"a{number}", new(), NOW)
    modes = [service.decide(DecideRequest(account_id=f"a{number}"), "native").mode for number in range(4)]
    assert modes == ["enforce", "enforce", "shadow", "shadow"]
    assert "falls back to shadow" in caplog.text
    service.close()


def test_an_account_as_its_people_see_it(service: Service) -> None:
    service.casework.set_verdict("a", new(), NOW)
    view = service.account("a")
    assert view.verdict is not None
    assert (view.cohort, view.verdict.action, view.exempt_beyond, len(view.history)) == ("everybody", "block", None, 1)
    assert service.account("nobody").verdict is None


def test_posted_exchanges_are_counted(service: Service) -> None:
    record = b'{"exchange_id": "e", "ts": "2026-09-01T10:00:00Z", "account_id": "a", "model": "m"}'
    assert service.settle(service.keep([record, b"{"])).accepted == 1
    assert service.counts["exchanges", "rejected"] == 1
    assert service.now() == NOW


class Later(Executor):
    """Runs what was submitted when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, functools.partial(call, *arguments, **named)))
        return future

    def run(self) -> None:
        waiting, self.waiting = self.waiting, []
        for future, call in waiting:
            try:
                future.set_result(call())
            except Exception as error:  # noqa: BLE001 - handed on, as an executor does
                future.set_exception(error)


def test_decisions_go_on_while_a_file_is_read_aside(setup: Setup, clock: Clock) -> None:
    aside = Later()
    service = Service(setup, clock, aside)
    assert setup.verdicts is not None
    setup.verdicts.write_bytes(msgspec.json.encode(verdict("a")) + b"\n")
    os.utime(setup.verdicts, (NOW, NOW))
    for _ in range(3):
        service.tick()
        assert service.decide(ASKED, "native").action == "allow"
    assert len(aside.waiting) == 1
    aside.run()
    service.tick()
    assert service.decide(ASKED, "native").action == "block"


def test_a_snapshot_is_written_aside_and_its_failure_is_told(
    setup: Setup, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = Later()
    service = Service(replace(setup, verdicts=None), clock, aside)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("stillwatch.enforcement.service.replace_file", full)
        clock.now += 61
        service.tick()
        clock.now += 61
        service.tick()
        assert len(aside.waiting) == 1  # one at a time
        aside.run()
    clock.now += 61
    with pytest.raises(OSError, match="No space left"):
        service.tick()
    aside.run()
    assert (setup.data_dir / "snapshot.msgpack").exists()
    service.close()


SECRET_BANDS = [f"{band:016x}" for band in read_text(None, "my secret question")[0]]


@pytest.fixture
def warned(setup: Setup) -> Setup:
    """A setup that hears of what was received."""
    return replace(setup, verdicts=None, received=setup.data_dir.with_name("received.jsonl"))


def report(setup: Setup, *numbers: int, **changes: object) -> Path:
    assert setup.received is not None
    return write(setup.received, [indicator(number, template_bands=SECRET_BANDS, **changes) for number in numbers])


def test_what_was_received_is_heard_at_the_start_and_names_itself_in_every_view(warned: Setup, clock: Clock) -> None:
    report(warned, 1)
    service = Service(warned, clock)
    decision = service.decide(ASKED, "native")
    assert (decision.action, decision.reason_code) == ("challenge", "received_indicator")
    entry = recorded(service, decision.decision_id)
    assert (entry.reason_code, entry.campaign_id, entry.rule) == (
        "received_indicator",
        indicator_id(1),
        "campaign-text",
    )
    view = service.account("a")
    assert (view.received_indicator, view.verdict) == (indicator_id(1), None)
    assert service.account("nobody").received_indicator is None
    text = Metrics(service).text().decode()
    assert 'stillwatch_received_files_total{outcome="loaded"} 1.0' in text
    assert "stillwatch_received_bands 32.0" in text
    assert "stillwatch_received_not_heard 0.0" in text
    service.close()


def test_what_was_received_is_taken_over_while_serving(
    warned: Setup, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(warned, clock)
    assert warned.received is not None
    assert service.decide(ASKED, "native").action == "allow"
    report(warned, 1)
    service.tick()
    assert service.decide(ASKED, "native").action == "challenge"
    warned.received.write_bytes(b"half a li")
    with caplog.at_level(logging.ERROR):
        service.tick()
    assert "the received file was not taken over" in caplog.text
    assert "secret" not in caplog.text
    assert service.decide(ASKED, "native").action == "challenge"
    warned.received.unlink()
    service.tick()
    assert service.decide(ASKED, "native").action == "challenge"
    write(warned.received, [])
    service.tick()
    assert service.decide(ASKED, "native").action == "allow"
    counted = [service.counts["received_files", outcome] for outcome in ("loaded", "refused")]
    assert counted == [2, 1]
    service.close()


def test_decisions_go_on_while_what_was_received_is_read_aside(warned: Setup, clock: Clock) -> None:
    aside = Later()
    service = Service(warned, clock, aside)
    report(warned, 1)
    for _ in range(3):
        service.tick()
        assert service.decide(ASKED, "native").action == "allow"
    assert len(aside.waiting) == 1
    aside.run()
    service.tick()
    assert service.decide(ASKED, "native").action == "challenge"


def test_a_received_file_that_is_none_is_told_at_the_start(warned: Setup, clock: Clock) -> None:
    assert warned.received is not None
    warned.received.write_bytes(b"{}\n")
    with pytest.raises(UsageError, match=r"received\.jsonl:1"):
        Service(warned, clock)


def test_a_hostile_received_file_challenges_a_few_customers_is_told_once_and_then_nobody(
    warned: Setup, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    report(warned, *range(1, 30))
    service = Service(warned, clock)
    actions = [service.decide(replace_account(ASKED, f"a{number}"), "native").action for number in range(300)]
    assert actions == ["challenge"] * 20 + ["allow"] * 280
    for _ in range(2):
        clock.now += 61
        with caplog.at_level(logging.WARNING):
            service.tick()
    told = [line for line in caplog.messages if "is not heard in full" in line]
    assert len(told) == len(set(told)) > 0
    assert "stillwatch_received_not_heard 0.0" not in Metrics(service).text().decode()
    service.close()


def replace_account(request: DecideRequest, account_id: str) -> DecideRequest:
    return msgspec.structs.replace(request, account_id=account_id)
