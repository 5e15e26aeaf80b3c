"""From what a gateway forwards, headers and perhaps a body, to a request for a decision.

The account is the header `X-SW-Account-Id`, which the gateway sets; else the SHA-256 of the API key is looked up.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from stillwatch.enforcement.model import DecideRequest

_OPERATIONS = {
    "/chat/completions": "chat",
    "/completions": "completion",
    "/messages": "messages",
    "/responses": "responses",
    "/embeddings": "embeddings",
}
_MOST_HEADER = 1000


class _Body(msgspec.Struct):
    """What the bodies of chat, completion, messages and responses calls have in common, as far as it is read."""

    model: Any = None
    max_tokens: Any = None
    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    messages: Any = None
    input: Any = None
    prompt: Any = None
    system: Any = None
    instructions: Any = None


_decode = msgspec.json.Decoder(_Body).decode
_NOTHING = _Body()


def key_hash(key: str) -> str:
    """Return the hash under which an API key stands in the key map."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def ask(headers: Mapping[str, str], path: str, body: bytes = b"") -> DecideRequest:
    """Return the request for a decision; `headers` has lower-case names, `path` is the one that the client called.

    A body that is no JSON object, or has other things in its places, tells nothing: the model's API refuses it anyway.
    """
    told = _read(body)
    account = headers.get("x-sw-account-id") or None
    key = _key(headers)
    most = next((value for value in _bounds(told) if isinstance(value, int) and 0 <= value <= 2**53), None)
    prompt, system = _texts(told)
    return DecideRequest(
        account_id=None if account is None else account[:256],
        key_id=None if key is None else key_hash(key),
        org_id=_short(headers.get("x-sw-org-id")),
        client_ip=_short(headers.get("x-forwarded-for", "").split(",")[0].strip() or headers.get("x-real-ip")),
        user_agent=_short(headers.get("user-agent")),
        model=_short(told.model) or _short(headers.get("x-sw-model")),
        operation=next(
            (name for end, name in _OPERATIONS.items() if path.split("?", maxsplit=1)[0].endswith(end)), None
        ),
        session_id=_short(headers.get("x-sw-session-id")),
        prompt=prompt,
        system=system,
        max_tokens=None if isinstance(most, bool) else most,
        reasoning_handle=headers.get("x-sw-reasoning-handle") or None,
    )


def _read(body: bytes) -> _Body:
    if not body:
        return _NOTHING
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _NOTHING


def _bounds(told: _Body) -> tuple[Any, ...]:
    return told.max_completion_tokens, told.max_tokens, told.max_output_tokens


def _key(headers: Mapping[str, str]) -> str | None:
    given = headers.get("authorization", "")
    kind, _, key = given.partition(" ")
    return key.strip() if kind.lower() == "bearer" and key else headers.get("x-api-key") or None


def _short(value: object) -> str | None:
    return value[:_MOST_HEADER] if isinstance(value, str) and value else None


def _texts(told: _Body) -> tuple[str | None, str | None]:
    """Return the new user content, which is the last user message, and the system prompt."""
    system = _text(told.system) or _text(told.instructions)
    prompt = _text(told.prompt)
    turns = told.messages if isinstance(told.messages, list) else told.input
    if isinstance(turns, str):
        return turns, system
    for turn in reversed(turns if isinstance(turns, list) else []):
        role = turn.get("role") if isinstance(turn, dict) else None
        if role == "user" and prompt is None:
            prompt = _text(turn.get("content"))
        elif isinstance(role, str) and role in {"system", "developer"} and system is None:
            system = _text(turn.get("content"))
    return prompt, system


def _text(content: object) -> str | None:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts = [part.get("text") for part in content if isinstance(part, dict)]
    return "\n".join(part for part in parts if isinstance(part, str)) or None
