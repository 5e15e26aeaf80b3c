"""HAProxy's HTTP log format, with or without a syslog prefix."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from stillwatch.errors import RecordError
from stillwatch.records.adapters.access import FIELDS, client_ip, operation_of, with_account
from stillwatch.records.adapters.values import derived_id, extra_of, milliseconds, whole

_HTTP = re.compile(
    r"(?:.*? )?(?P<peer>[0-9a-fA-F.:\[\]]+:\d+) \[(?P<accepted>\d\d/\w{3}/\d{4}:[\d:.]+(?: [+-]\d{4})?)\] "
    r"(?P<frontend>\S+) (?P<server>\S+) "
    r"(?P<tr>-?\d+)/(?P<tw>-?\d+)/(?P<tc>-?\d+)/(?P<first>-?\d+)/\+?(?P<total>-?\d+) "
    r"(?P<status>-?\d+) \+?(?P<bytes>\d+) \S+ \S+ (?P<state>\S{4}) [\d/]+ [\d/]+ "
    r'(?P<captured>(?:\{[^}]*\} ?){0,2})"(?P<request>[^"]*)"?(?: (?P<request_id>\S+))?\s*'
)
_WITH_ZONE, _WITHOUT_ZONE = "%d/%b/%Y:%H:%M:%S %z", "%d/%b/%Y:%H:%M:%S.%f"


class HAProxy:
    """Reads `option httplog` lines; a word behind the request is taken as the unique id.

    The format's own time has no zone: give `--timezone`, or log the time with one (`%T` or `%trl`). The format
    names no account, so it serves in `--join`.
    """

    name = "haproxy"
    fills = FIELDS & {
        "exchange_id", "ts", "account_id", "key_id", "operation", "client_ip", "status", "latency_ms", "ttft_ms",
    }  # fmt: skip
    reads_text = True

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Tell by the shape of the line."""
        line = record.get("message")
        return isinstance(line, str) and len(record) == 1 and _HTTP.fullmatch(line) is not None

    def convert(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the request of one line."""
        line = record.get("message")
        found = _HTTP.fullmatch(line) if isinstance(line, str) else None
        if found is None:
            raise RecordError("invalid_line", "the line is not in HAProxy's HTTP log format")
        parts = found["request"].split(" ")
        path = parts[1] if len(parts) > 1 else None
        extra = {name: found[name] for name in ("frontend", "server", "bytes", "state", "request_id", "captured")}
        yield with_account(
            {
                "exchange_id": found["request_id"] or derived_id(line),
                "ts": _moment(found["accepted"]),
                "operation": operation_of(path),
                "client_ip": client_ip(found["peer"]),
                "status": _unless_aborted(whole(found["status"], "status")),
                "latency_ms": _unless_aborted(milliseconds(found["total"], "Ta")),
                "ttft_ms": _unless_aborted(milliseconds(found["first"], "Tr")),
                "extra": extra_of(extra | {"path": path}, ()),
            }
        )


def _unless_aborted(value: Any) -> Any:
    """HAProxy writes -1 for what did not come to pass."""
    return None if isinstance(value, int) and value < 0 else value


def _moment(text: str) -> datetime:
    pattern = _WITH_ZONE if " " in text else _WITHOUT_ZONE if "." in text else _WITHOUT_ZONE.removesuffix(".%f")
    try:
        return datetime.strptime(text, pattern)  # noqa: DTZ007  # a missing zone is told by to_row
    except ValueError as error:
        raise RecordError("timestamp_invalid", f"{text[:40]!r} is not HAProxy's accept date") from error
