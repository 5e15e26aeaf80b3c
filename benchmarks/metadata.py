"""Synthetic exchange metadata as Parquet: every column of the exchange schema except text.

Account sizes are log-normal, as in real API traffic: with 25 rows per account, the first 250 k of 5 M rows show
about 85 k of 200 k accounts, most of them once. An account's exchanges come in sessions of 2.5 turns in the mean;
within a session the client stays the same. Rows are in the order of time, accounts interleaved.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.records.exchange import EXCHANGE_SCHEMA, TEXT_FIELDS

Ints = npt.NDArray[np.int64]

_START_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
_DAYS = 28
_FILE_ROWS = 1_000_000
_SIZE_SIGMA = 1.5
_LEFT_OUT = {*TEXT_FIELDS, "tool_names", "sketch", "extra", "reasoning_handle", "reasoning_handle_account"}
_MODELS = ["large-2", "large-1", "medium-2", "medium-1", "small-2", "small-1", "reason-1", "embed-1"]
_CHANNELS = ["api", "app", "reseller-a", "reseller-b", "cloud-a"]
_OPERATIONS = ["chat", "messages", "responses", "completion", "embeddings"]
_COUNTRIES = [f"{chr(65 + i // 26)}{chr(65 + i % 26)}" for i in range(40)]
_AGENTS = [f"client-sdk/{i // 20}.{i % 20} python/3.{i % 14} linux" for i in range(400)]


class Traffic(NamedTuple):
    """Who, when and in which session, one value per row, in the order of time."""

    account: Ints
    ts: Ints
    session: Ints
    turn: Ints

    def part(self, rows: slice) -> "Traffic":
        """Some of the rows."""
        return Traffic(*(values[rows] for values in self))


def write_metadata(directory: Path, rows: int, *, rows_per_account: float = 25, seed: int = 0) -> list[Path]:
    """Write `rows` exchanges into `directory` and return the files, a million rows each."""
    rng = np.random.default_rng(seed)
    traffic = _traffic(rng, rows, rows_per_account)
    homes = _homes(rng, int(traffic.account.max()) + 1)
    sessions = _sessions(rng, traffic, homes)
    directory.mkdir(parents=True, exist_ok=True)
    files = []
    for start in range(0, rows, _FILE_ROWS):
        part = traffic.part(slice(start, start + _FILE_ROWS))
        of_row = {name: values[part.session] for name, values in sessions.items()}
        path = directory / f"part-{start // _FILE_ROWS:04d}.parquet"
        pq.write_table(_table(rng, part, of_row), path, compression="zstd", row_group_size=122_880)
        files.append(path)
    return files


def _traffic(rng: np.random.Generator, rows: int, rows_per_account: float) -> Traffic:
    mu = np.log(rows_per_account) - _SIZE_SIGMA**2 / 2
    sizes = np.ceil(rng.lognormal(mu, _SIZE_SIGMA, rows)).astype(np.int64)
    accounts = int(np.searchsorted(np.cumsum(sizes), rows)) + 1
    account = np.repeat(np.arange(accounts), sizes[:accounts])[:rows]
    opens = rng.random(rows) < 0.4
    opens[0] = True
    opens[1:] |= account[1:] != account[:-1]
    session = np.cumsum(opens) - 1
    turn = np.arange(rows) - np.flatnonzero(opens)[session]
    count = int(session[-1]) + 1
    hour = rng.normal(14, 4, count) % 24
    start = (rng.integers(0, _DAYS, count) * 24 + hour) * 3_600_000_000
    ts = _START_US + start[session].astype(np.int64) + turn * 45_000_000 + rng.integers(0, 40_000_000, rows)
    order = np.argsort(ts, kind="stable")
    return Traffic(account[order], ts[order], session[order], turn[order])


def _homes(rng: np.random.Generator, accounts: int) -> dict[str, Ints]:
    """What an account mostly is: its home address, customer, network, client, model and channel."""
    return {
        "address": rng.integers(0, 2**24, accounts),
        "org": rng.integers(0, max(1, accounts // 3), accounts),
        "asn": rng.zipf(1.4, accounts) % 5_000 + 1_000,
        "agent": rng.zipf(1.5, accounts) % len(_AGENTS),
        "model": rng.zipf(1.6, accounts) % len(_MODELS),
        "channel": rng.zipf(2.2, accounts) % len(_CHANNELS),
    }


def _sessions(rng: np.random.Generator, traffic: Traffic, homes: dict[str, Ints]) -> dict[str, Ints]:
    """The same per session: some are from another address, client or key, or ask another model."""
    count = int(traffic.session.max()) + 1
    account = np.empty(count, np.int64)
    account[traffic.session] = traffic.account
    own = {name: values[account] for name, values in homes.items()}

    def mostly(usual: Ints, other: Ints, moved: float) -> Ints:
        return np.where(rng.random(count) < moved, other, usual)

    return own | {
        "address": mostly(own["address"], own["address"] ^ rng.integers(1, 64, count), 0.15),
        "agent": mostly(own["agent"], (own["agent"] + 1) % len(_AGENTS), 0.05),
        "model": mostly(own["model"], rng.integers(0, len(_MODELS), count), 0.2),
        "operation": mostly(own["model"] % 4, np.full(count, 4), 0.1),
        "key": account * 4 + mostly(np.zeros(count, np.int64), np.ones(count, np.int64), 0.3),
        "device": account * 2 + mostly(np.zeros(count, np.int64), np.ones(count, np.int64), 0.3),
        "end_user": rng.integers(0, 50_000, count),
    }


def _table(rng: np.random.Generator, traffic: Traffic, of: dict[str, Ints]) -> pa.Table:
    columns = _identity(rng, traffic, of) | _parameters(rng, len(traffic.ts)) | _outcome(rng, len(traffic.ts))
    fields = [field for field in EXCHANGE_SCHEMA if field.name not in _LEFT_OUT]
    return pa.table([columns[field.name] for field in fields], schema=pa.schema(fields))


def _identity(rng: np.random.Generator, traffic: Traffic, of: dict[str, Ints]) -> dict[str, pa.Array]:
    rows = len(traffic.ts)
    return {
        "exchange_id": _named(rng.integers(0, 2**62, rows), lambda i: f"req_{i:016x}"),
        "ts": pa.array(traffic.ts, pa.timestamp("us", tz="UTC")),
        "account_id": _named(traffic.account, lambda i: f"acct_{_mix(i):016x}"),
        "model": _coded(of["model"], _MODELS),
        "org_id": _sparse(rng, _named(of["org"], lambda i: f"org_{i:07d}"), 0.3),
        "key_id": _named(of["key"], lambda i: f"key_{_mix(i):016x}"),
        "end_user_id": _sparse(rng, _named(of["end_user"], lambda i: f"u{i}"), 0.8),
        "session_id": _named(traffic.session, lambda i: f"sess_{_mix(i):016x}"),
        "turn": pa.array(traffic.turn),
        "channel": _coded(of["channel"], _CHANNELS),
        "operation": _coded(of["operation"], _OPERATIONS),
        "client_ip": _named(of["address"], lambda i: f"{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}.{i % 250}"),
        "asn": pa.array(of["asn"]),
        "country": _coded(of["asn"] % len(_COUNTRIES), _COUNTRIES),
        "user_agent": _coded(of["agent"], _AGENTS),
        "tls_fingerprint": _coded(of["agent"] % 60, [f"t13d1516h2_{_mix(i):016x}" for i in range(60)]),
        "device_id": _sparse(rng, _named(of["device"], lambda i: f"dev{i:x}"), 0.6),
    }


def _parameters(rng: np.random.Generator, rows: int) -> dict[str, pa.Array]:
    return {
        "temperature": _sparse(rng, pa.array(rng.choice([0.0, 0.2, 0.7, 1.0], rows)), 0.5),
        "top_p": _sparse(rng, pa.array(rng.choice([0.9, 1.0], rows)), 0.8),
        "max_tokens": _sparse(rng, pa.array(2 ** rng.integers(6, 14, rows)), 0.4),
        "n": _sparse(rng, pa.array(rng.integers(1, 3, rows)), 0.95),
        "seed": _sparse(rng, pa.array(rng.integers(0, 100, rows)), 0.97),
        "top_logprobs": _sparse(rng, pa.array(rng.integers(0, 6, rows)), 0.97),
        "tool_count": _sparse(rng, pa.array(rng.integers(0, 9, rows)), 0.6),
        "logprobs": _sparse(rng, pa.array(rng.random(rows) < 0.3), 0.9),
        "stream": pa.array(rng.random(rows) < 0.6),
        "reasoning_effort": _sparse(rng, _coded(rng.integers(0, 3, rows), ["low", "medium", "high"]), 0.8),
        "response_format": _sparse(rng, _coded(rng.integers(0, 2, rows), ["text", "json_schema"]), 0.8),
    }


def _outcome(rng: np.random.Generator, rows: int) -> dict[str, pa.Array]:
    return {
        "finish_reason": _coded(rng.integers(0, 10, rows) // 8, ["stop", "length"]),
        "status": pa.array(rng.choice([200] * 18 + [429, 500], rows)),
        "error_code": _sparse(rng, _coded(rng.integers(0, 2, rows), ["overloaded", "rate_limit"]), 0.95),
        "input_tokens": pa.array(rng.lognormal(5.5, 1.2, rows).astype(np.int64)),
        "cached_tokens": _sparse(rng, pa.array(rng.integers(0, 500, rows)), 0.5),
        "output_tokens": pa.array(rng.lognormal(5.0, 1.0, rows).astype(np.int64)),
        "reasoning_tokens": _sparse(rng, pa.array(rng.integers(0, 4_000, rows)), 0.8),
        "latency_ms": pa.array(rng.lognormal(7, 0.8, rows).astype(np.int64)),
        "ttft_ms": pa.array(rng.lognormal(5, 0.5, rows).astype(np.int64)),
    }


def _mix(number: int) -> int:
    """A scramble without collisions, so that names do not sort in the order of numbering."""
    return number * 0x9E3779B97F4A7C15 & (2**64 - 1)


def _named(numbers: Ints, name: Callable[[int], str]) -> pa.Array:
    """Text for numbers with many values: each value is spelled once."""
    values, codes = np.unique(numbers, return_inverse=True)
    return _coded(codes, [name(int(value)) for value in values])


def _coded(codes: Ints, values: list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(values)).cast(pa.string())


def _sparse(rng: np.random.Generator, values: pa.Array, absent: float) -> pa.Array:
    """Blank out a share `absent` of the values."""
    return pc.if_else(pa.array(rng.random(len(values)) < absent), pa.scalar(None, values.type), values)
