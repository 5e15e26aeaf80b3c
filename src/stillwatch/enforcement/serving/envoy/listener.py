"""Envoy's protocols on one gRPC port, in the event loop that all transports share."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from stillwatch.enforcement.asgi import MOST_BYTES
from stillwatch.enforcement.serving.envoy.authorization import check
from stillwatch.enforcement.serving.envoy.authorization_pb2 import CheckResponse
from stillwatch.enforcement.serving.envoy.headers import MessageError
from stillwatch.enforcement.serving.envoy.processing import Conversation
from stillwatch.enforcement.serving.envoy.processing_pb2 import ProcessingResponse
from stillwatch.enforcement.serving.front import Front
from stillwatch.errors import UsageError
from stillwatch.listening import HOST

AUTHORIZATION = "envoy.service.auth.v3.Authorization"
PROCESSING = "envoy.service.ext_proc.v3.ExternalProcessor"
GRACE_S = 0.5
"""How long conversations may go on when the service is told to stop."""

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # else a second service would share the port, and take half of the questions
    ("grpc.max_receive_message_length", MOST_BYTES + 2**20),  # a body, and the headers beside it
)


class Envoys:
    """Answers both protocols. A message that is none, or comes out of turn, ends its own call and nothing else."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._server: grpc.aio.Server | None = None
        self._calls: set[asyncio.Task[Any]] = set()

    async def start(self, port: int) -> int:
        """Listen on a port of the loopback address, 0 for a free one, and return it.

        Raises:
            UsageError: the port is taken.
        """
        self._server = server = grpc.aio.server(options=_OPTIONS)
        # Bytes in: whatever a client can make of a message is ours to answer, not the library's to log.
        check_call = grpc.unary_unary_rpc_method_handler(
            self._check, response_serializer=CheckResponse.SerializeToString
        )
        process_call = grpc.stream_stream_rpc_method_handler(
            self._process, response_serializer=ProcessingResponse.SerializeToString
        )
        server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(AUTHORIZATION, {"Check": check_call}),
                grpc.method_handlers_generic_handler(PROCESSING, {"Process": process_call}),
            )
        )
        try:
            taken: int = server.add_insecure_port(f"{HOST}:{port}")
        except RuntimeError as error:
            raise UsageError(f"port {port} is taken", hint="give another one with --grpc-port") from error
        await server.start()
        return taken

    async def stop(self) -> None:
        """End what is going on, soon."""
        if self._server is not None:
            await self._server.stop(GRACE_S)
        if self._calls:  # else the loop would end before they have, and the library complain of it
            await asyncio.wait(self._calls, timeout=GRACE_S)

    async def _check(self, message: bytes, context: grpc.aio.ServicerContext) -> CheckResponse:
        self._begin()
        try:
            return await check(self._front, message)
        except MessageError as error:
            self._fail(context, error)
            return CheckResponse()

    async def _process(
        self, messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[ProcessingResponse]:
        self._begin()
        conversation = Conversation(self._front)
        try:
            async for message in messages:
                answer = await conversation.reply(message)
                if answer is not None:
                    yield answer
                if conversation.over:
                    return
        except MessageError as error:
            self._fail(context, error)

    def _begin(self) -> None:
        call = asyncio.current_task()
        if call is not None:
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    def _fail(self, context: grpc.aio.ServicerContext, error: MessageError) -> None:
        self._front.service.counts["http_errors", "grpc"] += 1
        context.set_code(grpc.StatusCode.INVALID_ARGUMENT)
        context.set_details(str(error))
