"""Envoy's external processing (`ext_proc`): a conversation about one request and its answer.

Envoy sends the request's headers, then its body, and is told to go on, with what changes, or to refuse. Then the
conversation is over and the answer passes without us, but for accounts that are degraded: see `answers.py`.
"""

from collections.abc import Mapping

from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct

from stillwatch.enforcement.ask import ask
from stillwatch.enforcement.degrade import smaller_request
from stillwatch.enforcement.model import Decision, Degrade
from stillwatch.enforcement.refusals import Refusal, fault, refusal
from stillwatch.enforcement.serving.dialects import told
from stillwatch.enforcement.serving.envoy.answers import Answer, instead
from stillwatch.enforcement.serving.envoy.headers import (
    MOST_BUFFERED,
    MessageError,
    fits,
    metadata,
    read,
    to_remove,
    to_set,
)
from stillwatch.enforcement.serving.envoy.processing_pb2 import (
    BodyMutation,
    Changes,
    HeaderMutation,
    HttpBody,
    HttpHeaders,
    ProcessingMode,
    ProcessingRequest,
    ProcessingResponse,
    Reply,
    Trailers,
)
from stillwatch.enforcement.serving.front import Front

TRANSPORT = "envoy-ext-proc"
NAMESPACE = "stillwatch"
"""Of Envoy's dynamic metadata."""
_WITH_ANSWER = ProcessingMode(response_header_mode=ProcessingMode.SEND)
_WITH_BODY = ProcessingMode(request_body_mode=ProcessingMode.BUFFERED, response_header_mode=ProcessingMode.SEND)
# Of a body without a length Envoy sends what it can hold; asked for all of it, it would wait for ever for a long one.
_WITH_START = ProcessingMode(
    request_body_mode=ProcessingMode.BUFFERED_PARTIAL, response_header_mode=ProcessingMode.SEND
)
_UNREADABLE = f"The body must be a JSON object of at most {MOST_BUFFERED:,} bytes."


class Conversation:
    """One request and its answer, as Envoy sends them piece by piece.

    Attributes:
        over: nothing more is to be said; Envoy goes on by itself.
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self._begun = False
        self._headers: Mapping[str, str] = {}
        self._path = ""
        self._decision: Decision | None = None
        self._answer: Answer | None = None
        self.over = False

    async def reply(self, message: bytes) -> ProcessingResponse | None:
        """Return the answer to one message; None where Envoy only lets us watch.

        Raises:
            MessageError: it is no ProcessingRequest, or not one that belongs here.
        """
        try:
            request = ProcessingRequest.FromString(message)
        except DecodeError as error:
            raise MessageError("no ProcessingRequest") from error
        if request.observability_mode:
            self.over = True
            return None
        kind = request.WhichOneof("request")
        if kind == "request_headers" and not self._begun:
            return await self._asked(request.request_headers)
        if kind == "request_body" and self._begun and self._decision is None:
            return await self._received(request.request_body)
        if kind == "request_trailers" and self._begun:
            return ProcessingResponse(request_trailers=Trailers())
        if kind == "response_headers" and self._begun and self._decision is None:
            return await self._unseen(request)
        return self._answered(request)

    async def _asked(self, sent: HttpHeaders) -> ProcessingResponse:
        """Decide on a request's headers, unless its body is to be had."""
        self._begun, self._headers = True, read(sent.headers.headers)
        self._path = self._headers.get(":path", "")
        follows = not sent.end_of_stream
        if follows and fits(self._headers) and "upgrade" not in self._headers:
            mode = _WITH_BODY if "content-length" in self._headers else _WITH_START
            return ProcessingResponse(request_headers=Reply(), mode_override=mode)
        decision = await self._decide(b"")
        if decision.refuses:
            return self._refuse(refusal(decision, self._path), decision)
        if decision.degrades and follows:
            return self._too_large(decision)
        self.over = self._answer is None
        reply = Reply(response=Changes(header_mutation=self._mutation(decision)))
        wanted = None if self.over else _WITH_ANSWER
        return ProcessingResponse(request_headers=reply, mode_override=wanted, dynamic_metadata=_metadata(decision))

    async def _received(self, sent: HttpBody) -> ProcessingResponse:
        """Decide on a request with its body, and make it smaller where that is what is decided."""
        decision = await self._decide(sent.body)
        if decision.refuses:
            return self._refuse(refusal(decision, self._path), decision)
        mutation, replaced = self._mutation(decision), None
        if decision.degrades:
            if not sent.end_of_stream:  # the start of a body; even if it is all, Envoy would never send on its end
                return self._too_large(decision)
            smaller = smaller_request(sent.body, self._path, decision.degrade or Degrade())
            if smaller is None:
                return self._refuse(fault(self._path, 400, "invalid_body", _UNREADABLE), decision)
            shown, _ = smaller
            if shown != sent.body:
                replaced = BodyMutation(body=shown)
                if "content-length" in self._headers:
                    mutation.set_headers.extend(to_set({"content-length": str(len(shown))}, "raw_value"))
        self.over = self._answer is None
        reply = Reply(response=Changes(header_mutation=mutation, body_mutation=replaced))
        return ProcessingResponse(request_body=reply, dynamic_metadata=_metadata(decision))

    async def _unseen(self, request: ProcessingRequest) -> ProcessingResponse:
        """Decide late: Envoy answered for itself, or does not let us have bodies (`allow_mode_override`)."""
        decision = await self._decide(b"")
        if decision.refuses:
            return self._refuse(refusal(decision, self._path), decision)
        if self._answer is not None:
            return self._answered(request)
        self.over = True
        return ProcessingResponse(response_headers=Reply(), dynamic_metadata=_metadata(decision))

    def _answered(self, request: ProcessingRequest) -> ProcessingResponse:
        if self._answer is None:
            raise MessageError(f"{request.WhichOneof('request')} is not expected here")
        reply = self._answer.reply(request)
        self.over = self._answer.over
        return reply

    async def _decide(self, body: bytes) -> Decision:
        asked = ask(self._headers, self._path, body)
        self._decision = decision = await self._front.decide(asked, TRANSPORT)
        bounds = decision.degrade if decision.degrades else None
        if bounds is not None and bounds.strip and asked.operation != "embeddings":  # long answers, nothing to take
            self._answer = Answer(bounds, self._path)
        return decision

    def _mutation(self, decision: Decision) -> HeaderMutation:
        """Return what the model is told in headers; an answer that is to be read must not come compressed."""
        ours = told(decision)
        remove = to_remove(self._headers, ours) + ([b"accept-encoding"] if self._answer is not None else [])
        return HeaderMutation(set_headers=to_set(ours, "raw_value"), remove_headers=remove)

    def _too_large(self, decision: Decision) -> ProcessingResponse:
        return self._refuse(fault(self._path, 413, "body_too_large", _UNREADABLE), decision)

    def _refuse(self, shown: Refusal, decision: Decision) -> ProcessingResponse:
        self.over = True
        answer = instead(shown, f"{NAMESPACE}_{decision.action}")
        return ProcessingResponse(immediate_response=answer, dynamic_metadata=_metadata(decision))


def _metadata(decision: Decision) -> Struct:
    named = Struct()
    named[NAMESPACE] = metadata(decision)
    return named
