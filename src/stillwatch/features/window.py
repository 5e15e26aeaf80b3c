"""Counts over time: of everybody, of chosen accounts, and of the fields that the log carries at all."""

from collections.abc import Sequence

import ibis

from stillwatch.features.engine import Engine, instant_us, quotient
from stillwatch.records.exchange import EXCHANGE_SCHEMA, REQUIRED_FIELDS


def window_counts(exchanges: ibis.Table, bucket_us: int) -> ibis.Table:
    """Exchanges and distinct accounts per bucket of `bucket_us` microseconds since 1970; empty buckets are absent.

    Returns:
        bucket_start_us, exchanges, accounts, all int64, sorted by the first.
    """
    t = exchanges.select("account_id", bucket_start_us=_bucket(exchanges, bucket_us))
    active = t.group_by("bucket_start_us", "account_id").aggregate(inside=t.count())
    counts = active.group_by("bucket_start_us").aggregate(
        exchanges=active.inside.sum().cast("int64"), accounts=active.count()
    )
    return counts.order_by("bucket_start_us")


def account_buckets(exchanges: ibis.Table, account_ids: Sequence[str], bucket_us: int) -> ibis.Table:
    """Exchanges of each of `account_ids` per bucket of time.

    Returns:
        account_id, bucket_start_us, exchanges, sorted by the first two; empty buckets are absent.
    """
    chosen = exchanges.filter(exchanges.account_id.isin(list(account_ids)))
    counts = chosen.group_by("account_id", bucket_start_us=_bucket(chosen, bucket_us)).aggregate(
        exchanges=chosen.count()
    )
    return counts.order_by("account_id", "bucket_start_us")


def field_coverage(exchanges: ibis.Table) -> dict[str, int]:
    """How many exchanges carry each optional field, counted in one pass over the log."""
    optional = [name for name in EXCHANGE_SCHEMA.names if name not in REQUIRED_FIELDS]
    counts = exchanges.aggregate(**{name: exchanges[name].count() for name in optional})
    row = Engine(exchanges.get_backend()).to_arrow(counts).to_pylist()[0]
    return {name: int(row[name]) for name in optional}


def _bucket(exchanges: ibis.Table, bucket_us: int) -> ibis.Value:
    return quotient(instant_us(exchanges.ts), bucket_us) * bucket_us
