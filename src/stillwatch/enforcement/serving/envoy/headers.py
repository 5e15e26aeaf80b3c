"""Headers as Envoy's protocols carry them, and what a decision says in them and in Envoy's dynamic metadata."""

from collections.abc import Iterable, Mapping
from typing import Literal

from google.protobuf.struct_pb2 import Struct

from stillwatch.enforcement.ask import OURS, by_name
from stillwatch.enforcement.model import Decision
from stillwatch.enforcement.serving.envoy.headers_pb2 import Header, HeaderToSet

MOST_BUFFERED = 2**20
"""The longest body (bytes) that Envoy is asked to hold: its own default, handed over well within the deadline."""


class MessageError(Exception):
    """A message that cannot be read, or that does not belong where it came."""


def read(headers: Iterable[Header]) -> dict[str, str]:
    """Return headers by lower-case name; see `by_name`."""
    return by_name((header.key, header.raw_value or header.value) for header in headers)


def fits(headers: Mapping[str, str]) -> bool:
    """Return whether Envoy can hold the body that follows; of one without a length it holds no more than that."""
    length = headers.get("content-length", "0")
    return length.isdecimal() and int(length[:20]) <= MOST_BUFFERED


def to_set(headers: Mapping[str, str], field: Literal["value", "raw_value"]) -> list[HeaderToSet]:
    """Return headers to be set over whatever is there; `field` is where the protocol wants the value."""
    return [
        HeaderToSet(
            header=Header(key=name.encode("latin-1"), **{field: value.encode("latin-1", "replace")}),
            append_action=HeaderToSet.OVERWRITE,
        )
        for name, value in headers.items()
    ]


def to_remove(sent: Iterable[str], told: Mapping[str, str]) -> list[bytes]:
    """Return the names of ours that were sent with the request and are not told to the model."""
    return [name.encode("latin-1") for name in sent if name.startswith(OURS) and name not in told]


def metadata(decision: Decision) -> Struct:
    """Return what the next filters and the access log may read; `ttl_s` where a refusal may be remembered."""
    told = Struct()
    told.update(
        {
            "action": decision.action,
            "mode": decision.mode,
            "decision_id": decision.decision_id,
            "reason": decision.reason_code,
        }
    )
    if decision.refuses and decision.ttl_s:
        told["ttl_s"] = decision.ttl_s
    return told
