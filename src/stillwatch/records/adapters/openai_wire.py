"""Requests and answers in the shape of the OpenAI API: chat completions, responses, completions, embeddings."""

from collections.abc import Iterable, Mapping
from typing import Any

from stillwatch.records.adapters.chat import (
    Content,
    call_line,
    conversation,
    read_content,
    read_messages,
)
from stillwatch.records.adapters.values import Fields, first, mapping, sequence, string

REQUEST_FIELDS = frozenset(
    {
        "model", "end_user_id", "temperature", "top_p", "max_tokens", "n", "seed", "logprobs", "top_logprobs",
        "stream", "reasoning_effort", "response_format", "tool_count", "tool_names", "system", "prompt", "turn",
        "reasoning_handle",
    }
)  # fmt: skip
ANSWER_FIELDS = frozenset(
    {
        "response", "reasoning", "finish_reason", "error_code", "input_tokens", "cached_tokens", "output_tokens",
        "reasoning_tokens",
    }
)  # fmt: skip
REQUEST_KEYS = frozenset(
    {
        "model", "user", "safety_identifier", "temperature", "top_p", "max_tokens", "max_completion_tokens",
        "max_output_tokens", "n", "seed", "logprobs", "top_logprobs", "stream", "reasoning_effort", "reasoning",
        "response_format", "text", "tools", "functions", "messages", "input", "instructions", "prompt", "prediction",
    }
)  # fmt: skip
"""Keys of a request that the fields above say, or that are its content."""


def request_fields(body: Mapping[str, Any]) -> Fields:
    """Return the fields of a request body."""
    names = tool_names([*sequence(body.get("tools"), "tools"), *sequence(body.get("functions"), "functions")])
    logprobs = body.get("logprobs")
    counted = isinstance(logprobs, int) and not isinstance(logprobs, bool)  # completions: how many
    return {
        "model": first(body.get("model")),
        "end_user_id": first(body.get("user"), body.get("safety_identifier")),
        "temperature": body.get("temperature"),
        "top_p": body.get("top_p"),
        "max_tokens": first(body.get("max_completion_tokens"), body.get("max_output_tokens"), body.get("max_tokens")),
        "n": body.get("n"),
        "seed": body.get("seed"),
        "logprobs": True if counted else logprobs,
        "top_logprobs": logprobs if counted else body.get("top_logprobs"),
        "stream": body.get("stream"),
        "reasoning_effort": first(
            body.get("reasoning_effort"), mapping(body.get("reasoning"), "reasoning").get("effort")
        ),
        "response_format": _response_format(body),
        "tool_count": len(names) or None,
        "tool_names": names or None,
        **_said(body),
    }


def _response_format(body: Mapping[str, Any]) -> Any:
    wanted = first(body.get("response_format"), mapping(body.get("text"), "text").get("format"))
    return wanted if isinstance(wanted, str) else mapping(wanted, "response_format").get("type")


def tool_names(tools: Iterable[Any]) -> list[str]:
    """Return the names of the tools offered; a built-in tool is named by its type."""
    names = []
    for tool in tools:
        tool = mapping(tool, "tool")  # noqa: PLW2901  # the checked form of the same thing
        name = first(mapping(tool.get("function"), "function").get("name"), tool.get("name"), tool.get("type"))
        names.append(str(name))
    return names


def _said(body: Mapping[str, Any]) -> Fields:
    if "messages" in body:
        return conversation(read_messages(sequence(body["messages"], "messages")))
    given = body.get("input")
    if isinstance(given, list) and any(isinstance(item, Mapping) for item in given):
        return conversation(read_messages(map(_input_item, given)), body.get("instructions"))
    given = first(given, body.get("prompt"))
    if isinstance(given, list):
        given = [text for text in given if isinstance(text, str)]
    system = read_content(body.get("instructions")).text
    return {"system": system, "prompt": read_content(given).text, "turn": None if given is None else 0}


def _input_item(item: Any) -> Any:
    """Give an item of a Responses input that has no role the one whose doing it is."""
    if isinstance(item, Mapping) and "role" not in item:
        kind = str(item.get("type"))
        return {"role": "tool" if kind.endswith("_output") else "assistant", "content": [item]}
    return item


def answer_fields(body: Mapping[str, Any]) -> Fields:
    """Return the fields of an answer body: a completion, a response or an error."""
    error = mapping(body.get("error"), "error") if not isinstance(body.get("error"), str) else {}
    said = _response_output(body) if "output" in body else _choices(sequence(body.get("choices"), "choices"))
    return said | _usage(mapping(body.get("usage"), "usage")) | {"error_code": error_code(error)}


def error_code(error: Mapping[str, Any]) -> str | None:
    """Return the code of an error object, or its type where it has none."""
    code = first(error.get("code"), error.get("type"))
    return None if code is None else str(code)


def _choices(choices: list[Any]) -> Fields:
    answers, thoughts, finish = [], [], None
    for choice in choices:
        choice = mapping(choice, "choice")  # noqa: PLW2901  # the checked form of the same thing
        message = mapping(choice.get("message"), "message")
        content = read_content(first(message.get("content"), message.get("refusal"), choice.get("text")))
        for call in sequence(message.get("tool_calls"), "tool_calls"):
            function = mapping(mapping(call, "tool_call").get("function"), "function")
            content.calls.append(call_line(function.get("name"), function.get("arguments")))
        thought = first(message.get("reasoning_content"), message.get("reasoning"))
        content.reasoning += read_content(thought).texts
        answers.append(content.answer)
        thoughts += content.reasoning
        finish = first(finish, choice.get("finish_reason"))
    return {
        "response": "\n\n".join(answer for answer in answers if answer) or None,
        "reasoning": "\n".join(thoughts) or None,
        "finish_reason": finish,
    }


def _response_output(body: Mapping[str, Any]) -> Fields:
    content = Content()
    for item in sequence(body.get("output"), "output"):
        item = mapping(item, "output item")  # noqa: PLW2901  # the checked form of the same thing
        part = read_content(item.get("content") if item.get("type") == "message" else [item])
        content.texts += part.texts
        content.reasoning += part.reasoning
        content.calls += part.calls
    why = mapping(body.get("incomplete_details"), "incomplete_details").get("reason")
    return {
        "response": content.answer,
        "reasoning": "\n".join(content.reasoning) or None,
        "finish_reason": first(why, body.get("status")),
    }


def _usage(usage: Mapping[str, Any]) -> Fields:
    given = first(usage.get("prompt_tokens_details"), usage.get("input_tokens_details"))
    made = first(usage.get("completion_tokens_details"), usage.get("output_tokens_details"))
    return {
        "input_tokens": first(usage.get("prompt_tokens"), usage.get("input_tokens")),
        "output_tokens": first(usage.get("completion_tokens"), usage.get("output_tokens")),
        "cached_tokens": mapping(given, "tokens_details").get("cached_tokens"),
        "reasoning_tokens": mapping(made, "tokens_details").get("reasoning_tokens"),
    }


def assemble(events: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the answer body that a stream's events add up to."""
    for event in reversed(events):
        if isinstance(event.get("response"), Mapping) and "output" in event["response"]:
            return mapping(event["response"], "response")
    if any(str(event.get("type")).startswith("response.") for event in events):
        deltas = [e.get("delta") for e in events if e.get("type") == "response.output_text.delta"]
        return {"output": [{"type": "message", "content": "".join(map(str, deltas))}]}
    return _assemble_chunks(events)


def _assemble_chunks(events: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    choices: dict[Any, dict[str, Any]] = {}
    body: dict[str, Any] = {}
    for event in events:
        body |= {key: value for key, value in event.items() if key != "choices" and value is not None}
        for chunk in sequence(event.get("choices"), "choices"):
            chunk = mapping(chunk, "choice")  # noqa: PLW2901  # the checked form of the same thing
            choice = choices.setdefault(string(chunk.get("index")), {"message": {}, "calls": {}, "finish_reason": None})
            choice["finish_reason"] = first(chunk.get("finish_reason"), choice["finish_reason"])
            delta = mapping(chunk.get("delta"), "delta")
            _add_texts(choice["message"], {**delta, **({"content": chunk["text"]} if "text" in chunk else {})})
            _add_calls(choice["calls"], sequence(delta.get("tool_calls"), "tool_calls"))
    for choice in choices.values():
        choice["message"]["tool_calls"] = list(choice.pop("calls").values())
    return body | {"choices": list(choices.values())}


def _add_texts(message: dict[str, Any], delta: Mapping[str, Any]) -> None:
    for key in ("content", "refusal", "reasoning_content", "reasoning"):
        if isinstance(delta.get(key), str):
            message[key] = message.get(key, "") + delta[key]


def _add_calls(calls: dict[Any, dict[str, Any]], deltas: list[Any]) -> None:
    for delta in deltas:
        delta = mapping(delta, "tool_call")  # noqa: PLW2901  # the checked form of the same thing
        function = mapping(delta.get("function"), "function")
        call = calls.setdefault(string(delta.get("index")), {"function": {"name": None, "arguments": ""}})["function"]
        call["name"] = first(function.get("name"), call["name"])
        call["arguments"] += string(function.get("arguments"))
