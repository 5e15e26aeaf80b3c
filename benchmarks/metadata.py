"""Synthetic exchange metadata as Parquet: every column of the exchange schema except text.

Account sizes are log-normal, as in real API traffic: with 25 rows per account, the first 250 k of 5 M rows show
about 85 k of 200 k accounts, most of them once. Rows are in the order of time, accounts interleaved.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
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


def write_metadata(directory: Path, rows: int, *, rows_per_account: float = 25, seed: int = 0) -> list[Path]:
    """Write `rows` exchanges into `directory` and return the files, a million rows each."""
    rng = np.random.default_rng(seed)
    account, ts, session = _traffic(rng, rows, rows_per_account)
    profile = _profiles(rng, int(account.max()) + 1)
    directory.mkdir(parents=True, exist_ok=True)
    files = []
    for start in range(0, rows, _FILE_ROWS):
        part = slice(start, start + _FILE_ROWS)
        path = directory / f"part-{start // _FILE_ROWS:04d}.parquet"
        table = _table(rng, account[part], ts[part], session[part], profile)
        pq.write_table(table, path, compression="zstd", row_group_size=122_880)
        files.append(path)
    return files


def _traffic(rng: np.random.Generator, rows: int, rows_per_account: float) -> tuple[Ints, Ints, Ints]:
    """Account number, time (µs) and session number of every row, in the order of time."""
    mu = np.log(rows_per_account) - _SIZE_SIGMA**2 / 2
    sizes = np.ceil(rng.lognormal(mu, _SIZE_SIGMA, rows)).astype(np.int64)
    accounts = int(np.searchsorted(np.cumsum(sizes), rows)) + 1
    account = np.repeat(np.arange(accounts), sizes[:accounts])[:rows]
    hour = rng.normal(14, 4, rows) % 24
    day = rng.integers(0, _DAYS, rows)
    ts = _START_US + ((day * 24 + hour) * 3_600_000_000).astype(np.int64)
    order = np.argsort(ts, kind="stable")
    account = account[order]
    return account, ts[order], account * 2**20 + day[order] * 4 + rng.integers(0, 4, rows)


def _profiles(rng: np.random.Generator, accounts: int) -> dict[str, Ints]:
    """What an account mostly is: its home address, customer, client, model and device."""
    return {
        "address": rng.integers(0, 2**24, accounts),
        "org": rng.integers(0, max(1, accounts // 3), accounts),
        "asn": rng.zipf(1.4, accounts).astype(np.int64) % 5_000 + 1_000,
        "agent": rng.zipf(1.5, accounts).astype(np.int64) % 400,
        "model": rng.zipf(1.6, accounts).astype(np.int64) % len(_MODELS),
        "channel": rng.zipf(2.2, accounts).astype(np.int64) % len(_CHANNELS),
    }


def _table(rng: np.random.Generator, account: Ints, ts: Ints, session: Ints, profile: dict[str, Ints]) -> pa.Table:
    rows = len(account)
    own = {name: values[account] for name, values in profile.items()}
    moved = rng.random(rows) < 0.15
    address = np.where(moved, own["address"] ^ rng.integers(1, 64, rows), own["address"])
    agent = np.where(rng.random(rows) < 0.05, (own["agent"] + 1) % 400, own["agent"])
    model = np.where(rng.random(rows) < 0.2, rng.integers(0, len(_MODELS), rows), own["model"])
    columns: dict[str, pa.Array] = {
        "exchange_id": _named(rng.integers(0, 2**62, rows), lambda i: f"req_{i:016x}"),
        "ts": pa.array(ts, pa.timestamp("us", tz="UTC")),
        "account_id": _named(account, lambda i: f"acct_{_mix(i):016x}"[:17]),
        "model": _coded(model, _MODELS),
        "org_id": _sparse(rng, _named(own["org"], lambda i: f"org_{i:07d}"), 0.3),
        "key_id": _named(account * 4 + rng.integers(0, 2, rows), lambda i: f"key_{_mix(i):012x}"[:16]),
        "end_user_id": _sparse(rng, _named(rng.integers(0, 50_000, rows), lambda i: f"u{i}"), 0.8),
        "session_id": _named(session, lambda i: f"sess_{_mix(i):014x}"[:20]),
        "turn": pa.array(np.minimum(rng.geometric(0.4, rows) - 1, 40)),
        "channel": _coded(own["channel"], _CHANNELS),
        "operation": _coded(np.where(rng.random(rows) < 0.1, 4, own["model"] % 4), _OPERATIONS),
        "client_ip": _named(address, lambda i: f"{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}.{i % 250}"),
        "asn": pa.array(own["asn"]),
        "country": _coded(own["asn"] % 40, [f"{chr(65 + i // 26)}{chr(65 + i % 26)}" for i in range(40)]),
        "user_agent": _coded(agent, [f"client-sdk/{i // 20}.{i % 20} python/3.{i % 14} linux" for i in range(400)]),
        "tls_fingerprint": _coded(agent % 60, [f"t13d1516h2_{_mix(i):012x}"[:23] for i in range(60)]),
        "device_id": _sparse(rng, _named(account * 2 + rng.integers(0, 2, rows), lambda i: f"dev{i:x}"), 0.6),
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
        "finish_reason": _coded(rng.integers(0, 10, rows) // 8, ["stop", "length"]),
        "status": pa.array(rng.choice([200, 200, 200, 200, 200, 200, 200, 200, 429, 500], rows)),
        "error_code": _sparse(rng, _coded(rng.integers(0, 2, rows), ["overloaded", "rate_limit"]), 0.95),
        "input_tokens": pa.array(rng.lognormal(5.5, 1.2, rows).astype(np.int64)),
        "cached_tokens": _sparse(rng, pa.array(rng.integers(0, 500, rows)), 0.5),
        "output_tokens": pa.array(rng.lognormal(5.0, 1.0, rows).astype(np.int64)),
        "reasoning_tokens": _sparse(rng, pa.array(rng.integers(0, 4_000, rows)), 0.8),
        "latency_ms": pa.array(rng.lognormal(7, 0.8, rows).astype(np.int64)),
        "ttft_ms": pa.array(rng.lognormal(5, 0.5, rows).astype(np.int64)),
    }
    fields = [field for field in EXCHANGE_SCHEMA if field.name not in _LEFT_OUT]
    return pa.table([columns[field.name] for field in fields], schema=pa.schema(fields))


def _mix(number: int) -> int:
    """A fixed scramble, so that names do not sort in the order of numbering."""
    return (number * 0x9E3779B97F4A7C15 ^ number >> 3) & (2**64 - 1)


def _named(numbers: Ints, name: Callable[[int], str]) -> pa.Array:
    """Text for numbers with many values: each value is spelled once."""
    values, codes = np.unique(numbers, return_inverse=True)
    return _coded(codes, [name(int(value)) for value in values])


def _coded(codes: Ints, values: list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(values)).cast(pa.string())


def _sparse(rng: np.random.Generator, values: pa.Array, absent: float) -> pa.Array:
    """Blank out a share `absent` of the values."""
    return pa.compute.if_else(pa.array(rng.random(len(values)) < absent), pa.scalar(None, values.type), values)
