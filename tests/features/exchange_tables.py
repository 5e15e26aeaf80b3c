"""Small random tables of exchanges, rich in NULLs and ties, for comparing the engine with plain Python."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from stillwatch.records.exchange import EXCHANGE_SCHEMA

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START = datetime(2026, 2, 27, 22, tzinfo=UTC)

Row = dict[str, Any]


def _instants() -> st.SearchStrategy[datetime]:
    near = st.integers(0, 4 * 3_600_000_000)
    far = st.integers(0, 900 * 86_400_000_000)
    ties = st.sampled_from([0, 1, 99_999, 100_000, 3_600_000_000, 7_200_000_000])
    return st.one_of(near, far, ties).map(lambda us: START + timedelta(microseconds=us))


def _tokens() -> st.SearchStrategy[int | None]:
    return st.one_of(st.none(), st.integers(0, 5_000), st.sampled_from([-1, 2**62]))


def _some(*values: object) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *values])


def rows(max_size: int = 40) -> st.SearchStrategy[list[Row]]:
    """Lists of exchanges of few accounts with few values, so that they meet."""
    row = st.fixed_dictionaries(
        {
            "ts": _instants(),
            "account_id": st.sampled_from(["a", "b", "B", "é", "acct_0123456789abcdef"]),
            "model": st.sampled_from(["m1", "m2"]),
            "org_id": _some("o1", "O2", ""),
            "key_id": _some("k1", "k2"),
            "end_user_id": _some("u1", "u2", "u3"),
            "session_id": _some("s1", "s2", "s3"),
            "turn": _some(0, 1, 2),
            "channel": _some("api", "app"),
            "operation": _some("chat", "embeddings"),
            "client_ip": _some("10.0.0.1", "10.0.0.2", "10.0.1.1", "2001:db8::1", "2001:db8:0:7::2", "?", ""),
            "asn": _some(0, 64512),
            "user_agent": _some("ua1", "ua2", ""),
            "tls_fingerprint": _some("t1"),
            "device_id": _some("d1", "d2"),
            "temperature": _some(0.0, 0.7),
            "tool_count": _some(0, 3),
            "logprobs": st.sampled_from([None, True, False]),
            "stream": st.sampled_from([None, True, False]),
            "status": _some(200, 400, 503),
            "error_code": _some("overloaded"),
            "input_tokens": _tokens(),
            "cached_tokens": _tokens(),
            "output_tokens": _tokens(),
            "reasoning_tokens": _tokens(),
            "reasoning_handle_account": _some("a", "b"),
        }
    )
    return st.lists(row, min_size=1, max_size=max_size)


def table(exchanges: list[Row]) -> pa.Table:
    """The rows as a table of `EXCHANGE_SCHEMA`; fields that they lack are NULL."""
    numbered = [{"exchange_id": f"x{number}", **row} for number, row in enumerate(exchanges)]
    return pa.Table.from_pylist(numbered, schema=EXCHANGE_SCHEMA)


def micros(instant: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (instant - EPOCH) // timedelta(microseconds=1)
