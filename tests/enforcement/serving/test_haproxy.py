import asyncio
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.enforcement.factories import NOW

from stillwatch.enforcement.service import Service
from stillwatch.enforcement.serving import spop
from stillwatch.enforcement.serving.front import Front
from stillwatch.enforcement.serving.haproxy import Agent

HELLO = {"supported-versions": "1.0, 2.0", "max-frame-size": 16380, "capabilities": "pipelining,async"}


class Wire(asyncio.Transport):
    """Keeps what the agent writes."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.data += data

    def close(self) -> None:
        self.closed = True

    def frames(self) -> list[spop.Frame]:
        found, data, self.data = [], self.data, b""
        while data:
            size = int.from_bytes(data[:4], "big")
            found.append(spop.read_frame(data[4 : 4 + size]))
            data = data[4 + size :]
        return found


def connected(service: Service) -> tuple[Agent, Wire]:
    agent, wire = Agent(Front(service, 0.02)), Wire()
    agent.connection_made(wire)
    return agent, wire


def hello(**more: Any) -> bytes:
    return spop.write_frame(spop.Frame(spop.HAPROXY_HELLO, spop.FINISHED, 0, 0, spop.write_pairs({**HELLO, **more})))


def notify(stream: int, flags: int = spop.FINISHED, **arguments: str) -> bytes:
    payload = spop.text("decide") + bytes([len(arguments)]) + spop.write_pairs(dict(arguments))
    return spop.write_frame(spop.Frame(spop.NOTIFY, flags, stream, 1, payload))


def variables(frame: spop.Frame) -> dict[str, spop.Value]:
    reader, found = spop.Reader(frame.payload), {}
    while not reader.ended:
        assert reader.take(3) == bytes([1, 3, 2])
        name = reader.text()
        found[name] = reader.value()
    return found


def test_a_handshake_and_pipelined_decisions(service: Service) -> None:
    agent, wire = connected(service)
    sent = (
        hello()
        + notify(7, account="block", path="/v1/messages")
        + notify(8, account="allow")
        + notify(9, account="degrade")
    )

    async def ask() -> tuple[int, float]:
        asked = time.monotonic()
        for at in range(0, len(sent), 11):
            agent.data_received(sent[at : at + 11])
        at_once = wire.data.count(b"\x06action")
        await asyncio.gather(*agent._pending)
        return at_once, time.monotonic() - asked

    at_once, took_s = asyncio.run(ask())
    greeting, allowed, degraded, blocked = wire.frames()
    assert at_once == 2
    assert took_s >= 0.02
    assert spop.Reader(greeting.payload).pairs() == {
        "version": "2.0",
        "max-frame-size": 16380,
        "capabilities": "pipelining",
    }
    assert [frame.stream for frame in (blocked, allowed, degraded)] == [7, 8, 9]
    told = variables(blocked)
    assert (told["action"], told["status"], told["until"]) == ("block", 403, int(NOW) + 3600)
    assert '"type":"error"' in str(told["body"])
    assert "status" not in variables(allowed)
    assert "logprobs" in str(variables(degraded)["degrade"])


def test_a_health_check_and_a_farewell(service: Service) -> None:
    agent, wire = connected(service)
    payload = spop.write_pairs(HELLO) + spop.text("healthcheck") + b"\x11"
    agent.data_received(spop.write_frame(spop.Frame(spop.HAPROXY_HELLO, spop.FINISHED, 0, 0, payload)))
    assert wire.frames()[0].kind == spop.AGENT_HELLO
    assert wire.closed
    agent, wire = connected(service)
    agent.data_received(hello() + spop.write_frame(spop.Frame(spop.HAPROXY_DISCONNECT, spop.FINISHED, 0, 0, b"")))
    assert wire.closed


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (notify(1), 4),
        (hello(**{"supported-versions": "1.0"}), 8),
        (hello() + notify(1, flags=0), 9),
        (b"\xff\xff\xff\xff", 3),
        (spop.write_frame(spop.Frame(99, 1, 0, 0, b"")), 4),
        (b"\x00\x00\x00\x02\x01\x00", 4),
    ],
)
def test_a_frame_that_is_none_ends_the_connection_alone(service: Service, sent: bytes, status: int) -> None:
    agent, wire = connected(service)
    agent.data_received(sent)
    last = wire.frames()[-1]
    assert last.kind == spop.AGENT_DISCONNECT
    assert spop.Reader(last.payload).pairs()["status-code"] == status
    assert wire.closed


@given(data=st.binary(max_size=300), greeted=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_are_too_odd(service: Service, data: bytes, greeted: bool) -> None:  # noqa: FBT001
    agent, wire = connected(service)
    agent.data_received((hello() if greeted else b"") + len(data).to_bytes(4, "big") + data)
    assert wire.data or not data or wire.closed
