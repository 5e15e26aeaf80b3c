"""What a refused client is told, in the form of the API that it called: the decision's id, nothing of the evidence.

Forms: OpenAI's error object, and Anthropic's for paths that end in `/messages`. Both SDKs raise the class that belongs
to the status: rate limit (429), permission denied (403).
"""

from typing import NamedTuple

import msgspec

from stillwatch.enforcement.model import Decision

_STATUS = {"throttle": 429, "challenge": 403, "block": 403}
_CODE = {"throttle": "rate_limited", "challenge": "verification_required", "block": "access_blocked"}
_TYPE = {
    400: "invalid_request_error",
    403: "permission_error",
    413: "request_too_large",
    429: "rate_limit_error",
    502: "api_error",
}
_SAID = {
    "throttle": "Too many requests; wait and try again.",
    "challenge": "This account must be verified before it can go on.",
    "block": "This account may not use this model now.",
}


class Refusal(NamedTuple):
    """An HTTP answer; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def refusal(decision: Decision, path: str) -> Refusal:
    """Return the answer to a client that called `path` and is refused."""
    status = _STATUS[decision.action]
    headers = {"content-type": "application/json", "x-sw-decision-id": decision.decision_id}
    if decision.retry_after_s is not None:
        headers["retry-after"] = str(decision.retry_after_s)
    where = f" {decision.challenge.url}" if decision.challenge is not None and decision.challenge.url else ""
    message = f"{_SAID[decision.action]}{where} Quote decision {decision.decision_id} in an appeal."
    return Refusal(status, headers, _body(path, status, _CODE[decision.action], message, decision.decision_id))


def fault(path: str, status: int, code: str, message: str) -> Refusal:
    """Return the answer to a client that called `path` and is told of a fault (400, 413 or 502), in the same forms."""
    return Refusal(status, {"content-type": "application/json"}, _body(path, status, code, message, None))


def _body(path: str, status: int, code: str, message: str, decision_id: str | None) -> bytes:
    kind = _TYPE[status]
    if path.split("?", maxsplit=1)[0].rstrip("/").endswith("/messages"):
        error = {"type": kind, "message": message}
        return msgspec.json.encode({"type": "error", "error": error, "request_id": decision_id})
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": None, "code": code}})
