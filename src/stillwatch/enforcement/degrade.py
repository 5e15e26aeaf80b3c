"""Makes a request smaller, or takes off an answer what was not to be given. What is left of the answer stays as it is.

Only known places of the known APIs are touched (OpenAI's chat, completions and responses, Anthropic's messages): the
arguments of a tool may well have a field called `reasoning`. Text that is taken off is emptied, its frame stays, so
that official clients read the answer as before.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from stillwatch.enforcement.model import Degrade

Removed = tuple[str, ...]
"""What was taken, in words for the record: `max_tokens 8000>1024`, `logprobs`."""

_BOUNDS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_LEAST_THINKING = 1024
"""Anthropic's API takes no smaller budget, and none that is not below max_tokens."""
_ENCRYPTED = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def smaller_request(body: bytes, path: str, degrade: Degrade) -> tuple[bytes, Removed] | None:
    """Return a request's body made smaller, and what was taken.

    The body is written anew: of a name that it gives twice the one that was bounded is left. None for a body that is no
    JSON object in UTF-8: some servers read more than that, so it must not pass unchanged.
    """
    if not body:
        return body, ()
    document = _object(body)
    if document is None:
        return None
    removed = shrink(document, path, degrade)
    return _encode(document), removed


def shrink(document: dict[str, Any], path: str, degrade: Degrade) -> Removed:
    """Make a decoded request smaller in place; see `smaller_request`."""
    removed: list[str] = []
    if degrade.max_tokens is not None:
        removed += _bound_tokens(document, path, degrade.max_tokens)
    if degrade.n is not None:
        removed += [_bound(document, name, degrade.n) for name in ("n", "best_of") if _over(document, name, degrade.n)]
    if "logprobs" in degrade.strip:
        removed += [name for name in ("logprobs", "top_logprobs") if document.pop(name, None)]
        removed += _exclude(document, _LOGPROBS)
    if "reasoning" in degrade.strip:
        removed += _exclude(document, _ENCRYPTED)
        removed += _hide_reasoning(document)
    return tuple(removed)


def _bound_tokens(document: dict[str, Any], path: str, most: int) -> Iterable[str]:
    given = [name for name in _BOUNDS if document.get(name) is not None]
    for name in given:
        if _over(document, name, most):
            yield _bound(document, name, most)
    bound = None if given else _bound_name(path)
    if bound is not None:
        document[bound] = most
        yield f"{bound} unbounded>{most}"
    thinking = document.get("thinking")
    if isinstance(thinking, dict) and _over(thinking, "budget_tokens", most - 1):
        if most > _LEAST_THINKING:
            yield f"thinking.{_bound(thinking, 'budget_tokens', most - 1)}"
        else:
            document.pop("thinking")
            yield "thinking"


def _bound_name(path: str) -> str | None:
    """Return what an API calls the bound of its answers; embeddings have none."""
    end = path.partition("?")[0].rstrip("/")
    if end.endswith("/embeddings"):
        return None
    if end.endswith("/responses"):
        return "max_output_tokens"
    return "max_completion_tokens" if end.endswith("/chat/completions") else "max_tokens"


def _over(document: dict[str, Any], name: str, most: int) -> bool:
    value = document.get(name)
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > most


def _bound(document: dict[str, Any], name: str, most: int) -> str:
    given, document[name] = document[name], most
    return f"{name} {given}>{most}"


def _exclude(document: dict[str, Any], what: str) -> Iterable[str]:
    include = document.get("include")
    if isinstance(include, list) and what in include:
        document["include"] = [one for one in include if one != what]
        yield what


def _hide_reasoning(document: dict[str, Any]) -> Iterable[str]:
    reasoning = document.get("reasoning")
    if isinstance(reasoning, dict):
        yield from (f"reasoning.{name}" for name in ("summary", "generate_summary") if reasoning.pop(name, None))
    if document.get("include_reasoning") is True:
        document["include_reasoning"] = False
        yield "include_reasoning"


def bare_answer(body: bytes, degrade: Degrade) -> tuple[bytes, Removed]:
    """Return an answer's body without what `degrade.strip` names, and what was taken."""
    document = _object(body)
    if document is None:
        return body, ()
    removed = bare(document, degrade)
    return (_encode(document), removed) if removed else (body, ())


def bare(document: dict[str, Any], degrade: Degrade) -> Removed:
    """Take off a decoded answer, or one event of a stream, in place; see `bare_answer`."""
    taken = []
    if "logprobs" in degrade.strip and _empty_logprobs(document):
        taken.append("logprobs")
    if "reasoning" in degrade.strip and _empty_reasoning(document):
        taken.append("reasoning")
    return tuple(taken)


class Stream:
    """A stream of server-sent events without what `degrade.strip` names. Holds nothing but an unfinished event."""

    def __init__(self, degrade: Degrade) -> None:
        self._degrade = degrade
        self._held = b""
        self._removed: dict[str, None] = {}

    @property
    def removed(self) -> Removed:
        """What was taken so far."""
        return tuple(self._removed)

    def feed(self, chunk: bytes) -> bytes:
        """Return the lines that are whole with this chunk."""
        lines = (self._held + chunk).split(b"\n")
        self._held = lines.pop()
        return b"".join(self._bare(line) + b"\n" for line in lines)

    def close(self) -> bytes:
        """Return what is left."""
        last, self._held = self._held, b""
        return self._bare(last)

    def _bare(self, line: bytes) -> bytes:
        if not line.startswith(b"data:"):
            return line
        end = b"\r" if line.endswith(b"\r") else b""
        data, removed = bare_answer(line[5:].strip(), self._degrade)
        if not removed:
            return line
        self._removed.update(dict.fromkeys(removed))
        return b"data: " + data + end


def _empty_logprobs(document: dict[str, Any]) -> bool:
    found = [_empty(choice, "logprobs", None) for choice in _dicts(document.get("choices"))]
    found += [_empty(content, "logprobs", []) for content in _contents(document)]
    found.append(str(document.get("type", "")).startswith("response.") and _empty(document, "logprobs", []))
    return any(found)


def _empty_reasoning(document: dict[str, Any]) -> bool:
    found = [
        _empty(message, name, blank)
        for choice in _dicts(document.get("choices"))
        for message in _dicts([choice.get("message"), choice.get("delta")])
        for name, blank in (("reasoning_content", None), ("reasoning", None), ("reasoning_details", []))
    ]
    blocks = [*_dicts(document.get("content")), *_dicts([document.get("content_block"), document.get("delta")])]
    found += [_empty(block, "thinking", "") for block in blocks if block.get("type") in {"thinking", "thinking_delta"}]
    for item in _items(document):
        if item.get("type") == "reasoning":
            found += [_empty(item, "summary", []), _empty(item, "content", []), _empty(item, "encrypted_content", None)]
    parts = _dicts([document.get("part")])
    if str(document.get("type", "")).startswith("response.reasoning_"):
        found += [_empty(document, "delta", ""), _empty(document, "text", "")]
        found += [_empty(part, "text", "") for part in parts]
    thoughts = [part for part in parts if part.get("type") in {"reasoning_text", "summary_text"}]
    found += [_empty(part, name, "") for part in thoughts for name in ("text", "reasoning")]
    return any(found)


def _empty(holder: dict[str, Any], name: str, blank: Any) -> bool:
    if not holder.get(name):
        return False
    holder[name] = blank
    return True


def _items(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the output items of a response of the responses API, or of one of its events."""
    whole = document.get("response")
    outputs = [*_dicts(document.get("output")), *_dicts(whole.get("output") if isinstance(whole, dict) else None)]
    return [*outputs, *_dicts([document.get("item")])]


def _contents(document: dict[str, Any]) -> list[dict[str, Any]]:
    parts = [content for item in _items(document) for content in _dicts(item.get("content"))]
    return [*parts, *_dicts([document.get("part")])]


def _dicts(values: object) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _object(body: bytes) -> dict[str, Any] | None:
    """Return a body that is a JSON object; None for anything else, which the model's API answers for itself."""
    try:
        document = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
