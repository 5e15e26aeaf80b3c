"""The answer to a degraded account, as Envoy's external processing sends it: it goes on without what is not given.

An event stream passes chunk by chunk and nothing is held but an unfinished line. A JSON answer is held whole by Envoy.
In place of one that cannot be read on its way, being compressed or too long, the client gets a 502. All else passes.
"""

from stillwatch.enforcement.degrade import Stream, bare_answer
from stillwatch.enforcement.model import Degrade
from stillwatch.enforcement.refusals import Refusal, fault
from stillwatch.enforcement.serving.envoy.headers import MessageError, fits, read, to_set
from stillwatch.enforcement.serving.envoy.headers_pb2 import HttpStatus
from stillwatch.enforcement.serving.envoy.processing_pb2 import (
    BodyMutation,
    Changes,
    HeaderMutation,
    HttpBody,
    HttpHeaders,
    ImmediateResponse,
    ProcessingMode,
    ProcessingRequest,
    ProcessingResponse,
    Reply,
    Trailers,
)

_MODES = {"text/event-stream": ProcessingMode.STREAMED, "application/json": ProcessingMode.BUFFERED}


class Answer:
    """One answer.

    Attributes:
        over: nothing more is to be said; Envoy goes on by itself.
    """

    def __init__(self, degrade: Degrade, path: str) -> None:
        self._degrade, self._path = degrade, path
        self._stream = Stream(degrade)
        self._mode = ProcessingMode.NONE
        self._sized = False
        self.over = False

    def reply(self, request: ProcessingRequest) -> ProcessingResponse:
        """Return the answer to one message.

        Raises:
            MessageError: it does not belong here.
        """
        kind = request.WhichOneof("request")
        if kind == "response_headers" and self._mode == ProcessingMode.NONE:
            return self._begun(request.response_headers)
        if kind == "response_body" and self._mode != ProcessingMode.NONE:
            return self._received(request.response_body)
        if kind == "response_trailers":
            self.over = True
            return ProcessingResponse(response_trailers=Trailers())
        raise MessageError(f"{kind} is not expected here")

    def _begun(self, sent: HttpHeaders) -> ProcessingResponse:
        headers = read(sent.headers.headers)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        mode = ProcessingMode.NONE if sent.end_of_stream else _MODES.get(kind, ProcessingMode.NONE)
        encoded = headers.get("content-encoding", "identity") != "identity"
        if mode != ProcessingMode.NONE and (encoded or (mode == ProcessingMode.BUFFERED and not fits(headers))):
            self.over = True
            shown = fault(self._path, 502, "bad_answer", "The model's answer could not be passed on.")
            return ProcessingResponse(immediate_response=instead(shown, "stillwatch_bad_answer"))
        self._mode, self._sized, self.over = mode, "content-length" in headers, mode == ProcessingMode.NONE
        # Headers as well, or Envoy takes the length that we set for a wrong one.
        asked = ProcessingMode(response_header_mode=ProcessingMode.SEND, response_body_mode=mode)
        return ProcessingResponse(response_headers=Reply(), mode_override=asked)

    def _received(self, sent: HttpBody) -> ProcessingResponse:
        self.over = sent.end_of_stream or self._mode == ProcessingMode.BUFFERED
        if self._mode == ProcessingMode.STREAMED:
            shown = self._stream.feed(sent.body) + (self._stream.close() if sent.end_of_stream else b"")
            return _changed(Changes(body_mutation=BodyMutation(body=shown)))
        shown, removed = bare_answer(sent.body, self._degrade)
        if not removed:
            return _changed(Changes())
        length = to_set({"content-length": str(len(shown))}, "raw_value") if self._sized else []
        return _changed(
            Changes(header_mutation=HeaderMutation(set_headers=length), body_mutation=BodyMutation(body=shown))
        )


def instead(shown: Refusal, details: str) -> ImmediateResponse:
    """Return an answer in place of the model's; `details` stand in Envoy's log."""
    headers = HeaderMutation(set_headers=to_set(shown.headers, "raw_value"))
    return ImmediateResponse(status=HttpStatus(code=shown.status), headers=headers, body=shown.body, details=details)


def _changed(changes: Changes) -> ProcessingResponse:
    return ProcessingResponse(response_body=Reply(response=changes))
