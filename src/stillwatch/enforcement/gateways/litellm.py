"""The hook inside a LiteLLM proxy: asks before each call, and does what is decided.

It runs in LiteLLM's environment, so litellm is imported when the handler is made and not before: it is no dependency of
ours (docs/adr/0015-litellm-stays-outside.md).
"""

from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import msgspec

from stillwatch.enforcement.ask import ask, key_hash
from stillwatch.enforcement.degrade import Stream, bare, shrink
from stillwatch.enforcement.gateways.client import DEADLINE_S, SERVICE, Client
from stillwatch.enforcement.model import Degrade
from stillwatch.enforcement.refusals import Refusal, refusal

_CHAT, _MESSAGES, _RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
_PATHS = {
    "completion": _CHAT,
    "acompletion": _CHAT,
    "text_completion": "/v1/completions",
    "atext_completion": "/v1/completions",
    "anthropic_messages": _MESSAGES,
    "aanthropic_messages": _MESSAGES,
    "responses": _RESPONSES,
    "aresponses": _RESPONSES,
    "embedding": "/v1/embeddings",
    "aembedding": "/v1/embeddings",
}
"""Path of the API that a call type of LiteLLM speaks; calls of other types can be refused, and not made smaller."""
_BOUNDS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_TOLD = ("model", "messages", "input", "prompt", "system", "instructions", *_BOUNDS)
_LIFTED = (
    *_BOUNDS,
    "n",
    "best_of",
    "logprobs",
    "top_logprobs",
    "include",
    "include_reasoning",
    "reasoning",
    "thinking",
)
"""What of `extra_body`, which LiteLLM lays over the request, must be bounded with it."""
_FALLBACKS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
"""Whole requests that a client may give for when its own fails."""
_THOUGHTS = ("thinking_blocks", "reasoning_items", "reasoning_content", "reasoning", "reasoning_details")

_degrade: ContextVar[Degrade | None] = ContextVar("_degrade", default=None)
"""How the request that is being served was made smaller, for when its answer comes."""


class Hook:
    """What LiteLLM's callbacks come to; knows nothing of litellm, and lets no exception into it."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def before(self, user: Any, data: dict[str, Any], call_type: str) -> Refusal | None:
        """Return what the client is refused with, or None; a degraded request is made smaller in `data`.

        Args:
            user: LiteLLM's `UserAPIKeyAuth`: whose key it is.
            data: the request, as LiteLLM decoded it.
            call_type: LiteLLM's name of the API that was called.
        """
        _degrade.set(None)
        try:
            return await self._judge(user, data, call_type)
        except Exception as error:  # noqa: BLE001 - a bug is no reason to refuse, and its text is for nobody
            self._client.miss(type(error).__name__)
            return None

    def after(self, answer: Any) -> Any:
        """Return the answer to a degraded request without what it was not to be given; None: as it is."""
        degrade = _degrade.get()
        return None if degrade is None or not degrade.strip else self._bare(answer, degrade)

    def stream(self, parts: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Return the same of a stream; any other stream is given back as it is."""
        degrade = _degrade.get()
        return parts if degrade is None or not degrade.strip else self._bare_parts(parts, degrade)

    async def _judge(self, user: Any, data: dict[str, Any], call_type: str) -> Refusal | None:
        path = _PATHS.get(call_type, "")
        decision = await self._client.decide(ask(_headers(user, data), path, _body(data)))
        if decision is None:
            return None
        if decision.refuses:
            return refusal(decision, path)
        if decision.degrades and decision.degrade is not None and path:
            _degrade.set(decision.degrade)
            _lift(data)
            shrink(data, path, decision.degrade)
        return None

    async def _bare_parts(self, parts: AsyncIterator[Any], degrade: Degrade) -> AsyncIterator[Any]:
        events = Stream(degrade)
        async for part in parts:
            whole = events.feed(part) if isinstance(part, bytes) else self._bare(part, degrade)
            if whole != b"":
                yield whole
        if last := events.close():
            yield last

    def _bare(self, part: Any, degrade: Degrade) -> Any:
        try:
            return _without(part, degrade)
        except Exception as error:  # noqa: BLE001 - as in `before`
            self._client.miss(type(error).__name__)
            return part


def handler(service: str = SERVICE, deadline_s: float = DEADLINE_S) -> Any:
    """Return the callback to name in `litellm_settings.callbacks`; for inside a LiteLLM proxy alone.

    Args:
        service: URL of the decision service.
        deadline_s: the longest that a request waits for a decision.

    Raises:
        UsageError: `service` is no URL.
    """
    from fastapi import HTTPException  # noqa: PLC0415 - LiteLLM's, as are the next two
    from litellm.integrations.custom_logger import CustomLogger  # noqa: PLC0415
    from litellm.proxy._types import ProxyException  # noqa: PLC0415

    hook = Hook(Client(service, adapter="litellm", deadline_s=deadline_s))

    def refused_with(refused: Refusal, call_type: str) -> Exception:
        headers = {name: value for name, value in refused.headers.items() if name != "content-type"}
        error = msgspec.json.decode(refused.body)["error"]
        if _PATHS.get(call_type) == _MESSAGES:  # here LiteLLM loses the headers of any other exception
            failed: Exception = ProxyException(error["message"], error["type"], None, refused.status, headers)
            return failed
        raised: Exception = HTTPException(refused.status, error["message"], headers)
        return raised

    class StillwatchHandler(CustomLogger):  # type: ignore[misc] # litellm is not installed where this is checked
        async def async_pre_call_hook(self, user_api_key_dict: Any, cache: Any, data: Any, call_type: str) -> None:
            """Refuse the call, or make it smaller, or let it be."""
            del cache
            refused = await hook.before(user_api_key_dict, data, call_type)
            if refused is not None:
                raise refused_with(refused, call_type)

        async def async_post_call_success_hook(self, data: Any, user_api_key_dict: Any, response: Any) -> Any:
            """Take off an answer what it was not to be given."""
            del data, user_api_key_dict
            return hook.after(response)

        def async_post_call_streaming_iterator_hook(
            self, user_api_key_dict: Any, response: Any, request_data: Any
        ) -> Any:
            """Take off a stream what it was not to be given; no generator, so that other streams stay as they are."""
            del user_api_key_dict, request_data
            return hook.stream(response)

    return StillwatchHandler()


def _headers(user: Any, data: dict[str, Any]) -> dict[str, str]:
    """Return what LiteLLM itself knows of the caller, in the headers that `ask` reads."""
    about = _inner(data, "litellm_metadata") or _inner(data, "metadata")
    told = {
        "x-sw-account-id": user.user_id or _hashed(user.api_key),
        "x-sw-org-id": user.org_id,
        "x-forwarded-for": about.get("requester_ip_address"),
        "user-agent": _inner(_inner(data, "proxy_server_request"), "headers").get("user-agent"),
    }
    return {name: value for name, value in told.items() if isinstance(value, str)}


def _hashed(key: str | None) -> str | None:
    """Return the hash under which LiteLLM's logs name a key; it hands it over hashed, most often."""
    return key_hash(key) if key is not None and key.startswith("sk-") else key


def _body(data: dict[str, Any]) -> bytes:
    """Return what of a request is told: as the model will see it, so what a client lays over it counts."""
    laid_over = data | _inner(data, "extra_body")
    try:
        return msgspec.json.encode({name: laid_over[name] for name in _TOLD if name in laid_over})
    except Exception:  # noqa: BLE001 - what cannot be told tells nothing; the account is decided on all the same
        return b""


def _lift(data: dict[str, Any]) -> None:
    """Bring together what bounds a request, wherever its client put it."""
    extra = _inner(data, "extra_body")
    for name in _LIFTED:
        if name in extra:
            data[name] = extra.pop(name)
    for name in _FALLBACKS:
        data.pop(name, None)


def _without(part: Any, degrade: Degrade) -> Any:
    """Return an answer, or an event of a stream, of any of LiteLLM's kinds without what is not to be given."""
    if isinstance(part, dict):
        _bared(part, degrade)
        return part
    document = part.model_dump(mode="json")
    if not _bared(document, degrade):
        return part
    return part.model_copy(update=dict(type(part)(**document)))


def _bared(document: dict[str, Any], degrade: Degrade) -> bool:
    """Take off a decoded answer, in place, what is not to be given; returns whether anything was."""
    found = [bool(bare(document, degrade))]
    if "reasoning" in degrade.strip:
        for holder in _holders(document):
            found += [_emptied(holder, name) for name in ("thinking_blocks", "reasoning_items")]
            found += [_emptied(_inner(holder, "provider_specific_fields"), name) for name in _THOUGHTS]
    return any(found)


def _holders(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return where LiteLLM keeps a model's thoughts beside the places of the APIs."""
    choices = document.get("choices")
    held = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    inner = [_inner(choice, name) for choice in held for name in ("message", "delta")]
    return [document, _inner(document, "response"), *held, *inner]


def _emptied(holder: dict[str, Any], name: str) -> bool:
    if not holder.get(name):
        return False
    holder[name] = None
    return True


def _inner(holder: dict[str, Any], name: str) -> dict[str, Any]:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}
