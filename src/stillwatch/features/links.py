"""Which accounts hold the same value of something that few share: a payment, a device, an address, a client."""

import contextlib
import json
from functools import reduce
from typing import Final

import ibis
import pyarrow as pa

from stillwatch.features.engine import Engine, instant_us, quotient
from stillwatch.features.rhythm import DAY_US

KEY_KINDS: Final = (
    "payment",
    "email",
    "phone",
    "key",
    "device",
    "client",
    "ip",
    "subnet",
    "asn_client",
)
"""Kinds of link. The first three come from the account records, the others from the exchanges.

`client` is TLS fingerprint and user agent, `subnet` the /24 of an IPv4 and the /48 of an IPv6 address, `asn_client`
AS number and client. Country is not among them and must never be.
"""
LINKS_SCHEMA: Final = pa.schema(
    [
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("exchanges", pa.int64(), nullable=False),
        pa.field("degree", pa.int64(), nullable=False),
    ]
)
SEPARATOR: Final = "\x1f"
"""Stands between the parts of a combined value."""

_RECORD_COLUMNS: Final = {"payment": "payment_id", "email": "email_hash", "phone": "phone_hash"}
_HUBS: Final = b"stillwatch.hubs"


def account_links(engine: Engine, exchanges: ibis.Table, accounts: pa.Table | None, *, cap: int = 200) -> pa.Table:
    """Every account's values that 2 to `cap` accounts hold.

    Args:
        engine: the engine that holds `exchanges`.
        exchanges: the window's exchanges.
        accounts: account records (`ACCOUNT_SCHEMA`) or None; records of accounts without an exchange are left out.
        cap: a value that more accounts hold (a carrier's shared address, a common client) links nobody.

    Returns:
        A table of `LINKS_SCHEMA`, sorted by kind, value and account_id. `exchanges` counts those of the account
        with the value, `degree` the distinct accounts that hold it. `hub_counts` reads what was left out.
    """
    with contextlib.ExitStack() as stack:
        clients = stack.enter_context(engine.kept(_clients(exchanges)))
        addresses = stack.enter_context(engine.kept(_counted(exchanges, client_ip=exchanges.client_ip)))
        parts = [*_of_exchanges(exchanges, clients, addresses), *_of_records(engine, exchanges, accounts)]
        pairs = stack.enter_context(engine.kept(reduce(lambda left, right: left.union(right), parts)))
        values = pairs.group_by("kind", "value").aggregate(degree=pairs.count())
        rare = values.filter(values.degree.between(2, cap))
        links = pairs.inner_join(rare, ["kind", "value"]).select(*LINKS_SCHEMA.names)
        table = engine.to_arrow(links.order_by("kind", "value", "account_id"))
        hubs = values.filter(values.degree > cap)
        left_out = engine.to_arrow(hubs.group_by("kind").aggregate(values=hubs.count()))
    found = dict(zip(left_out["kind"].to_pylist(), left_out["values"].to_pylist(), strict=True))
    counts = {kind: found.get(kind, 0) for kind in KEY_KINDS}
    return table.cast(LINKS_SCHEMA).replace_schema_metadata({_HUBS: json.dumps(counts).encode()})


def hub_counts(links: pa.Table) -> dict[str, int]:
    """How many values of each kind `account_links` left out because more than its cap of accounts hold them."""
    counts: dict[str, int] = json.loads((links.schema.metadata or {})[_HUBS])
    return counts


def model_days(exchanges: ibis.Table) -> ibis.Table:
    """Exchanges per account_id, model and day (UTC days since 1970), sorted by these."""
    days = exchanges.group_by("account_id", "model", day=quotient(instant_us(exchanges.ts), DAY_US))
    return days.aggregate(exchanges=exchanges.count()).order_by("account_id", "model", "day")


def handle_replays(exchanges: ibis.Table) -> ibis.Table:
    """Accounts that presented reasoning handles issued to another account, with the number of such exchanges."""
    replayed = exchanges.filter(exchanges.reasoning_handle_account != exchanges.account_id)
    return replayed.group_by("account_id").aggregate(exchanges=replayed.count()).order_by("account_id")


def _of_exchanges(exchanges: ibis.Table, clients: ibis.Table, addresses: ibis.Table) -> list[ibis.Table]:
    """Each account_id and value once, with the account's exchanges that carry the value, one table per kind."""
    return [
        _of_kind("key", exchanges, exchanges.key_id),
        _of_kind("device", exchanges, exchanges.device_id),
        _of_kind("client", clients, clients.client),
        _of_kind("asn_client", clients, _joined(clients.asn.cast("string"), clients.client)),
        _of_kind("ip", addresses, addresses.client_ip),
        _of_kind("subnet", addresses, subnet(addresses.client_ip)),
    ]


def _of_records(engine: Engine, exchanges: ibis.Table, accounts: pa.Table | None) -> list[ibis.Table]:
    """The same from the account records; of several records of one account, the smallest value of each kind."""
    if accounts is None:
        return []
    columns = list(_RECORD_COLUMNS.values())
    records = engine.register("account_records", accounts.select(["account_id", *columns]))
    records = records.group_by("account_id").aggregate(**{name: records[name].min() for name in columns})
    seen = exchanges.group_by("account_id").aggregate(exchanges=exchanges.count())
    known = seen.inner_join(records, "account_id")
    return [_of_kind(kind, known, known[column]) for kind, column in _RECORD_COLUMNS.items()]


def _clients(exchanges: ibis.Table) -> ibis.Table:
    known = exchanges.filter(exchanges.tls_fingerprint.notnull() | exchanges.user_agent.notnull())
    return _counted(
        known,
        asn=known.asn,
        client=_joined(known.tls_fingerprint.coalesce(""), known.user_agent.coalesce("")),
    )


def _counted(t: ibis.Table, **columns: ibis.Value) -> ibis.Table:
    return t.group_by("account_id", **columns).aggregate(exchanges=t.count())


def _of_kind(kind: str, t: ibis.Table, value: ibis.Value) -> ibis.Table:
    """Pairs of one kind from a table of exchanges, or of counts that are summed up."""
    t = t.mutate(value=value.nullif(""))
    t = t.filter(t.value.notnull())
    number = t.exchanges.sum() if "exchanges" in t.columns else t.count()
    pairs = t.group_by("account_id", "value").aggregate(exchanges=number.cast("int64"))
    return pairs.select("account_id", "value", "exchanges", kind=ibis.literal(kind))


def _joined(left: ibis.Value, right: ibis.Value) -> ibis.Value:
    return left.concat(SEPARATOR, right)


def subnet(address: ibis.Value) -> ibis.Value:
    """The /24 of an IPv4 or the /48 of an IPv6 address as text, NULL for anything else."""
    return ibis.ifelse(address.contains(":"), _subnet_v6(address.lower()), _subnet_v4(address))


def _subnet_v4(address: ibis.Value) -> ibis.Value:
    """First 24 bits of a dotted address, which may be written as one of IPv6."""
    network = address.re_extract(r"^(?:::[fF]{4}:)?(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}$", 1)
    return network.nullif("").concat(".0/24")


def _subnet_v6(address: ibis.Value) -> ibis.Value:
    """First 48 bits, where `::` stands for as many zero groups as are missing from eight."""
    halves = address.split("::")
    head, tail = (_groups(halves, index) for index in range(2))
    missing = (8 - head.length() - tail.length()).clip(lower=0)
    groups = head.concat(ibis.array(["0"]).repeat(missing)).concat(tail)
    network = groups[:3].join(":").concat("::/48")
    return ibis.ifelse(address.re_search("^[0-9a-f:]+$"), network, _subnet_v4(address))


def _groups(halves: ibis.Value, index: int) -> ibis.Value:
    """Groups of digits on one side of `::`, without leading zeros."""
    half = ibis.ifelse(halves.length() > index, halves[index], "").fill_null("")
    groups = half.split(":").filter(lambda group: group != "")
    return groups.map(lambda group: group.re_replace("^0+(.)", r"\1"))
