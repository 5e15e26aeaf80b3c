"""From what a gateway forwards, headers and perhaps a body, to a request for a decision.

The account is the header `X-SW-Account-Id`, which the gateway sets; else the SHA-256 of the API key is looked up.
"""

import functools
import hashlib
from collections.abc import Iterable, Mapping
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
_LONGEST = max(map(len, _OPERATIONS))
_MOST_HEADER = 1000
OURS = "x-sw-"
"""How the headers begin that gateways set, and clients may not."""


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


def by_name(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by lower-case name.

    Of a name of ours that comes twice the last, which the gateway set; of any other the first, by which the frameworks
    of model servers go: a second API key must not hide the one that is used.
    """
    found: dict[str, str] = {}
    for raw, value in headers:
        name = raw.decode("latin-1").lower()
        if name.startswith(OURS) or name not in found:
            found[name] = value.decode("latin-1")
    return found


def ask(headers: Mapping[str, str], path: str, body: bytes = b"") -> DecideRequest:
    """Return the request for a decision; `headers` has lower-case names, `path` is the one that the client called.

    A body that is no JSON object, or has other things in its places, tells nothing: the model's API refuses it anyway.
    """
    told = _read(body)
    account = headers.get("x-sw-account-id") or None
    operation = _operation(path)
    key = None if account is not None else _key(headers, operation)
    prompt, system = _texts(told) if body else (None, None)
    return DecideRequest(
        account_id=None if account is None else account[:256],
        key_id=None if key is None else key_hash(key),
        org_id=_short(headers.get("x-sw-org-id")),
        client_ip=_short(headers.get("x-forwarded-for", "").split(",")[0].strip() or headers.get("x-real-ip")),
        user_agent=_short(headers.get("user-agent")),
        model=_short(told.model) or _short(headers.get("x-sw-model")),
        operation=operation,
        session_id=_short(headers.get("x-sw-session-id")),
        prompt=prompt,
        system=system,
        max_tokens=_most(told) if body else None,
        reasoning_handle=headers.get("x-sw-reasoning-handle") or None,
    )


def _operation(path: str) -> str | None:
    return _operation_at_end(path.partition("?")[0][-_LONGEST:])


@functools.lru_cache(1024)
def _operation_at_end(called: str) -> str | None:
    return next((name for end, name in _OPERATIONS.items() if called.endswith(end)), None)


def _read(body: bytes) -> _Body:
    if not body:
        return _NOTHING
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _NOTHING


def _most(told: _Body) -> int | None:
    """Return the bound on output that is given, where it is a number."""
    for value in (told.max_completion_tokens, told.max_tokens, told.max_output_tokens):
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 2**53:
            return value
    return None


def _key(headers: Mapping[str, str], operation: str | None) -> str | None:
    """Return the API key, where the API that is called looks for it first: what stands elsewhere hides nothing.

    Of a header that came twice and was joined by a gateway the first counts, see `by_name`.
    """
    kind, _, bearer = headers.get("authorization", "").partition(" ")
    given = [bearer if kind.lower() == "bearer" else "", headers.get("x-api-key", "")]
    if operation == "messages":
        given.reverse()
    return next((key for one in given if (key := one.partition(",")[0].strip())), None)


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
