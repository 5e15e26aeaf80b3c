"""What each account did, as integers; shares, entropies and coefficients are finished once, in NumPy."""

from collections.abc import Iterable
from typing import Final

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.features.engine import Engine, compact
from stillwatch.features.rhythm import GAP_UNIT_US, HOUR_COLUMNS, account_rhythm

TOKEN_CAP: Final = 1_000_000_000
"""More tokens in one exchange are a mistake in the log; the cap keeps sums within 64 bits."""

DISTINCT_COLUMNS: Final = {
    "ips": "client_ip",
    "asns": "asn",
    "user_agents": "user_agent",
    "keys": "key_id",
    "models": "model",
    "sessions": "session_id",
    "end_users": "end_user_id",
    "orgs": "org_id",
    "channels": "channel",
    "operations": "operation",
}
_PROFILES: Final = (("ips", "asns", "user_agents"), ("keys", "orgs"), ("models", "channels", "operations"))
_MANY_VALUED: Final = ("sessions", "end_users")
_SUMMED: Final = (
    "account_id",
    "org_id",
    "channel",
    "turn",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cached_tokens",
    "status",
    "error_code",
    "logprobs",
    "temperature",
    "tool_count",
    "stream",
)
_TOKENS: Final = ("input", "output", "reasoning", "cached")

ACCOUNT_COLUMNS: Final = {
    "account_id": "the account",
    "exchanges": "exchanges",
    "first_us": "first exchange, µs since 1970",
    "last_us": "last exchange, µs since 1970",
    "active_days": "UTC days with an exchange",
    "active_hours": "clock hours with an exchange",
    "busiest_hour": "most exchanges in any 60 minutes",
    **{name: f"exchanges between {name[1:]}:00 and {name[1:]}:59 UTC" for name in HOUR_COLUMNS},
    **{name: f"distinct values of {column}" for name, column in DISTINCT_COLUMNS.items()},
    "org_id": "smallest org_id in binary order, NULL if none",
    "channel": "smallest channel in binary order, NULL if none",
    "turn_known": "exchanges with a turn",
    "single_turn": "exchanges whose turn is 0 or unknown",
    **{f"{kind}_tokens": f"sum of {kind}_tokens, each within 0..{TOKEN_CAP}" for kind in _TOKENS},
    **{f"{kind}_known": f"exchanges with {kind}_tokens" for kind in _TOKENS},
    "errors": "exchanges with a status of 400 or more, or an error_code",
    "with_logprobs": "exchanges that asked for log-probabilities",
    "with_temperature": "exchanges with a temperature",
    "temperature_zero": "exchanges with a temperature of 0",
    "with_tools": "exchanges that offered tools",
    "streams": "streamed exchanges",
    "gaps": "pauses between neighbouring exchanges (exchanges - 1)",
    "gap_sum": "sum of the pauses, each in whole units of 100 ms and at most 100 days",
    "gap_squares": "sum of their squares",
    "gap_max": "the longest, 0 if there is none",
}
"""Columns of `account_features` and what they count. All but account_id, org_id and channel are int64, never NULL."""


def account_features(engine: Engine, exchanges: ibis.Table) -> pa.Table:
    """One row per account with the columns `ACCOUNT_COLUMNS`, sorted by account_id in binary order.

    Each side is grouped by an eight-byte key in place of the account's name, over only the columns that it needs,
    which halves the cost of a single wide grouping. All but the last are the same accounts in the order of that key,
    so that their columns need only be laid side by side.
    """
    rhythm = account_rhythm(engine, exchanges)
    columns = _columns(rhythm)
    for side in (_sums(exchanges), *(_profile(exchanges, *names) for names in _PROFILES)):
        columns |= _columns(engine.to_arrow(side.order_by("account")))
    for name in _MANY_VALUED:
        columns[name] = _placed(engine.to_arrow(_spread(exchanges, name)), rhythm.column("account").to_numpy(), name)
    columns["gaps"] = pc.subtract(columns["exchanges"], 1)
    order = pc.sort_indices(columns["account_id"])
    return pa.table({name: columns.pop(name).take(order) for name in ACCOUNT_COLUMNS})


def _columns(side: pa.Table) -> dict[str, pa.ChunkedArray]:
    """Return the columns of a side, sums as int64: the engine adds up in 128 bits."""
    return {
        name: column if pa.types.is_string(column.type) else column.cast(pa.int64())
        for name, column in zip(side.column_names, side.columns, strict=True)
        if name != "account"
    }


def _placed(side: pa.Table, accounts: npt.NDArray[np.uint64], name: str) -> pa.Array:
    """Return a count for each of `accounts` (ascending), 0 for those that the side has no row of."""
    counts = np.zeros(accounts.size, np.int64)
    counts[np.searchsorted(accounts, side.column("account").to_numpy())] = side.column(name).to_numpy()
    return pa.array(counts)


def _sums(t: ibis.Table) -> ibis.Table:
    """Everything that one grouping by account can count and add up."""
    t = t.select(*_SUMMED, account=compact(t.account_id))
    tokens = {f"{kind}_tokens": t[f"{kind}_tokens"] for kind in _TOKENS}
    return t.group_by("account").aggregate(
        account_id=t.account_id.arbitrary(),
        org_id=t.org_id.min(),
        channel=t.channel.min(),
        turn_known=t.turn.count(),
        single_turn=t.count(where=t.turn.coalesce(0) == 0),
        **{name: ibis.least(ibis.greatest(column, 0), TOKEN_CAP).sum() for name, column in tokens.items()},
        **{name.replace("_tokens", "_known"): column.count() for name, column in tokens.items()},
        errors=t.count(where=(t.status >= 400).fill_null(False) | t.error_code.notnull()),  # noqa: FBT003
        with_logprobs=t.count(where=t.logprobs),
        with_temperature=t.temperature.count(),
        temperature_zero=t.count(where=t.temperature == 0),
        with_tools=t.count(where=t.tool_count > 0),
        streams=t.count(where=t.stream),
    )


def _profile(t: ibis.Table, *names: str) -> ibis.Table:
    """Distinct values of columns that mostly change together or not at all.

    Their combinations are few, so they are found first, and the distinct values among them.
    """
    columns = {name: compact(t[DISTINCT_COLUMNS[name]]) for name in names}
    profiles = t.select(account=compact(t.account_id), **columns).distinct()
    return profiles.group_by("account").aggregate(**{name: profiles[name].nunique() for name in names})


def _spread(t: ibis.Table, name: str) -> ibis.Table:
    """Distinct values of a column in which nearly every exchange may differ."""
    column = t[DISTINCT_COLUMNS[name]]
    pairs = t.filter(column.notnull()).select(account=compact(t.account_id), value=compact(column)).distinct()
    return pairs.group_by("account").aggregate(**{name: pairs.count()})


def account_ratios(table: pa.Table) -> dict[str, npt.NDArray[np.float64]]:
    """Finish the integers of `account_features` into floats, one array per ratio, in the table's order.

    NaN means that the account's log does not carry what the ratio needs.
    """

    def column(name: str) -> npt.NDArray[np.float64]:
        # Converted when needed: all columns at once would double the memory that the table takes.
        values: npt.NDArray[np.float64] = table[name].to_numpy().astype(np.float64)
        return values

    n = column("exchanges")
    return {
        "hour_entropy": _entropy((column(name) for name in HOUR_COLUMNS), n),
        "gap_mean_s": _share(column("gap_sum"), column("gaps")) * (GAP_UNIT_US / 1e6),
        "gap_cv": _variation(column("gaps"), column("gap_sum"), column("gap_squares")),
        "busiest_hour_share": _share(column("busiest_hour"), n),
        "exchanges_per_active_hour": _share(n, column("active_hours")),
        "exchanges_per_active_day": _share(n, column("active_days")),
        "single_turn_share": np.where(column("turn_known") > 0, _share(column("single_turn"), n), np.nan),
        "exchanges_per_session": _share(n, column("sessions")),
        "exchanges_per_ip": _share(n, column("ips")),
        "exchanges_per_end_user": _share(n, column("end_users")),
        "input_per_exchange": _share(column("input_tokens"), column("input_known")),
        "output_per_exchange": _share(column("output_tokens"), column("output_known")),
        "reasoning_per_exchange": _share(column("reasoning_tokens"), column("reasoning_known")),
        "cached_per_exchange": _share(column("cached_tokens"), column("cached_known")),
        "output_per_input": _share(column("output_tokens"), column("input_tokens")),
        "error_share": _share(column("errors"), n),
        "logprobs_share": _share(column("with_logprobs"), n),
        "temperature_zero_share": _share(column("temperature_zero"), column("with_temperature")),
        "tools_share": _share(column("with_tools"), n),
        "stream_share": _share(column("streams"), n),
    }


def _share(part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """`part / whole`, NaN where there is no whole."""
    share = np.full(len(part), np.nan)
    np.divide(part, whole, out=share, where=whole > 0)
    return share


def _entropy(parts: Iterable[npt.NDArray[np.float64]], whole: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Entropy in bits of counts that sum to `whole`, which is at least 1."""
    weighted = np.zeros(len(whole))
    for part in parts:
        weighted += part * np.log2(np.maximum(part, 1.0))
    entropy: npt.NDArray[np.float64] = np.maximum(np.log2(whole) - weighted / whole, 0.0)
    return entropy


def _variation(
    count: npt.NDArray[np.float64], total: npt.NDArray[np.float64], squares: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Coefficient of variation, NaN for fewer than two values or a mean of 0."""
    mean = _share(total, count)
    variance = np.maximum(_share(squares, count) - mean**2, 0.0)
    return np.where(count >= 2, _share(np.sqrt(variance), mean), np.nan)
