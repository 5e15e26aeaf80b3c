"""Both protocols over a real gRPC channel, with messages that no Envoy would send."""

import asyncio
import queue
import signal
import socket
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import grpc
import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.enforcement.serving.envoy.test_authorization import asked
from tests.enforcement.serving.envoy.test_processing import ASKED, answer_head, begin, body
from tests.enforcement.serving.process import serving

from stillwatch.enforcement.asgi import MOST_BYTES
from stillwatch.enforcement.service import Service
from stillwatch.enforcement.serving.envoy.authorization_pb2 import CheckResponse
from stillwatch.enforcement.serving.envoy.listener import AUTHORIZATION, PROCESSING, Envoys
from stillwatch.enforcement.serving.envoy.processing_pb2 import ProcessingResponse
from stillwatch.enforcement.serving.front import Front
from stillwatch.errors import UsageError

CHECK, PROCESS = f"/{AUTHORIZATION}/Check", f"/{PROCESSING}/Process"
Talk = Callable[[grpc.aio.Channel], Awaitable[None]]


def talking(service: Service, talk: Talk) -> None:
    """Talk to a listener over a raw channel: bytes in, bytes out; it must answer as ever afterwards."""

    async def run() -> None:
        envoys = Envoys(Front(service, 0.0))
        port = await envoys.start(0)
        try:
            options = [("grpc.max_send_message_length", -1), ("grpc.max_metadata_size", 2**20)]
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options) as channel:
                await talk(channel)
                answer = CheckResponse.FromString(await channel.unary_unary(CHECK)(asked({"x-sw-account-id": "block"})))
                assert answer.denied_response.status.code == 403
        finally:
            await envoys.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def said(channel: grpc.aio.Channel, messages: Iterable[bytes]) -> tuple[list[bytes], grpc.StatusCode]:
    """Return what is answered to a conversation, each message sent after the answer to the last, and how it ends."""
    call, answers = channel.stream_stream(PROCESS)(), []
    try:
        for message in messages:
            await call.write(message)
            answer = await call.read()
            if answer is grpc.aio.EOF:
                break
            answers.append(answer)
        else:
            await call.done_writing()
        return answers, await call.code()
    except grpc.aio.AioRpcError as error:
        return answers, error.code()


def test_a_conversation_ends_when_it_is_over(service: Service) -> None:
    async def talk(channel: grpc.aio.Channel) -> None:
        call = channel.stream_stream(PROCESS)()
        for request, kind in ((begin("allow", content_length="53"), "request_headers"), (body(ASKED), "request_body")):
            await call.write(request.SerializeToString())
            assert ProcessingResponse.FromString(await call.read()).WhichOneof("response") == kind
        assert await call.read() is grpc.aio.EOF  # though the other side has not said that it is done
        assert await call.code() == grpc.StatusCode.OK
        watched = begin("block")
        watched.observability_mode = True
        assert await said(channel, [watched.SerializeToString()]) == ([], grpc.StatusCode.OK)

    talking(service, talk)


def test_what_is_no_message_ends_its_own_call(service: Service) -> None:
    async def talk(channel: grpc.aio.Channel) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary(CHECK)(b"\xff")
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert refused.value.details() == "no CheckRequest"
        _, status = await said(channel, [b"\xff"])
        assert status == grpc.StatusCode.INVALID_ARGUMENT
        _, status = await said(channel, [body(b"{}").SerializeToString()])
        assert status == grpc.StatusCode.INVALID_ARGUMENT
        with pytest.raises(grpc.aio.AioRpcError) as absent:
            await channel.unary_unary(f"/{AUTHORIZATION}/Other")(b"")
        assert absent.value.code() == grpc.StatusCode.UNIMPLEMENTED

    talking(service, talk)
    assert service.counts["http_errors", "grpc"] == 3


def test_messages_have_a_longest(service: Service) -> None:
    async def talk(channel: grpc.aio.Channel) -> None:
        long = asked({"x-sw-account-id": "allow"}, body=b" " * MOST_BYTES)
        assert CheckResponse.FromString(await channel.unary_unary(CHECK)(long)).status.code == 0
        longer = asked({"x-sw-account-id": "allow", "x-odd": "x" * 2**20}, body=b" " * MOST_BYTES)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary(CHECK)(longer)
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        many = asked({f"x-{number}": "y" * 500 for number in range(1000)} | {"x-sw-account-id": "block"})
        assert CheckResponse.FromString(await channel.unary_unary(CHECK)(many)).denied_response.status.code == 403
        with pytest.raises(grpc.aio.AioRpcError):
            await channel.unary_unary(CHECK)(b"", metadata=[("x-odd", "y" * 500_000)])

    talking(service, talk)


def test_who_leaves_in_the_middle_is_not_missed(service: Service) -> None:
    async def talk(channel: grpc.aio.Channel) -> None:
        for _ in range(20):
            call = channel.stream_stream(PROCESS)()
            await call.write(begin("degrade", content_length="53").SerializeToString())
            await call.read()
            call.cancel()

    talking(service, talk)


HOSTILE = st.lists(
    st.binary(max_size=200)
    | st.builds(
        lambda request, cut: request.SerializeToString()[:cut],
        st.sampled_from([begin("degrade"), body(ASKED), answer_head({"content-type": "text/event-stream"})]),
        st.integers(0, 200),
    ),
    max_size=5,
)


@given(st.lists(st.binary(max_size=200), max_size=5), st.lists(HOSTILE, max_size=5))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_are_too_odd(service: Service, checks: list[bytes], conversations: list[list[bytes]]) -> None:
    async def talk(channel: grpc.aio.Channel) -> None:
        for message in checks:
            try:
                CheckResponse.FromString(await channel.unary_unary(CHECK)(message))
            except grpc.aio.AioRpcError as error:
                assert error.code() == grpc.StatusCode.INVALID_ARGUMENT  # noqa: PT017 - either may happen
        for messages in conversations:
            answers, status = await said(channel, messages)
            assert status in {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}
            assert all(ProcessingResponse.FromString(answer).WhichOneof("response") for answer in answers)

    talking(service, talk)


def test_a_port_that_is_taken_is_noticed(service: Service, capfd: pytest.CaptureFixture[str]) -> None:
    async def start(port: int) -> None:
        envoys = Envoys(Front(service))
        try:
            await envoys.start(port)
        finally:
            await envoys.stop()

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="is taken") as refused:
        asyncio.run(start(taken.getsockname()[1]))
    assert refused.value.hint == "give another one with --grpc-port"
    capfd.readouterr()


def test_what_never_listened_stops(service: Service) -> None:
    asyncio.run(Envoys(Front(service)).stop())


def test_a_service_that_is_told_to_stop_waits_for_no_conversation(tmp_path: Path) -> None:
    with serving(tmp_path) as served, grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
        going_on: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        going_on.put(begin("allow", content_length="53").SerializeToString())
        call = channel.stream_stream(PROCESS)(iter(going_on.get, b""))
        assert ProcessingResponse.FromString(next(call)).WhichOneof("response") == "request_headers"
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(20) == 0
        with pytest.raises(grpc.RpcError):
            next(call)
        going_on.put(b"")
        assert served.process.stderr is not None
        assert served.process.stderr.read().count("\n") == 1  # where it listens, and nothing else
