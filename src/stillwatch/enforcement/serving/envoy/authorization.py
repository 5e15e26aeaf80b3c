"""Envoy's external authorization (`ext_authz`) over gRPC: one question for each request, perhaps with its body."""

from google.protobuf.message import DecodeError

from stillwatch.enforcement.ask import ask
from stillwatch.enforcement.model import Decision
from stillwatch.enforcement.refusals import refusal
from stillwatch.enforcement.serving.dialects import told
from stillwatch.enforcement.serving.envoy.authorization_pb2 import (
    CheckRequest,
    CheckResponse,
    Denied,
    Passed,
    Status,
)
from stillwatch.enforcement.serving.envoy.headers import MessageError, metadata, read, to_remove, to_set
from stillwatch.enforcement.serving.envoy.headers_pb2 import HttpStatus
from stillwatch.enforcement.serving.front import Front

TRANSPORT = "envoy-grpc"
ACCOUNT = "account_id"
"""What a route may say of itself (`context_extensions`): the account that all of its requests are of."""

_PERMISSION_DENIED = 7


async def check(front: Front, message: bytes) -> CheckResponse:
    """Answer one question.

    Raises:
        MessageError: it is no CheckRequest.
    """
    try:
        attributes = CheckRequest.FromString(message).attributes
    except DecodeError as error:
        raise MessageError("no CheckRequest") from error
    http = attributes.request.http
    headers = read(http.headers or http.header_map.headers)
    account = read(attributes.context_extensions).get(ACCOUNT)
    if account:
        headers["x-sw-account-id"] = account
    path = http.path.decode("latin-1")
    decision = await front.decide(ask(headers, path, http.raw_body or http.body), TRANSPORT)
    return _refused(decision, path) if decision.refuses else _passed(decision, headers)


def _refused(decision: Decision, path: str) -> CheckResponse:
    shown = refusal(decision, path)
    denied = Denied(status=HttpStatus(code=shown.status), headers=to_set(shown.headers, "value"), body=shown.body)
    return CheckResponse(
        status=Status(code=_PERMISSION_DENIED), denied_response=denied, dynamic_metadata=metadata(decision)
    )


def _passed(decision: Decision, sent: dict[str, str]) -> CheckResponse:
    headers = told(decision)
    passed = Passed(headers=to_set(headers, "value"), headers_to_remove=to_remove(sent, headers))
    return CheckResponse(status=Status(code=0), ok_response=passed, dynamic_metadata=metadata(decision))
