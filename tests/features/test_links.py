import ipaddress
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.features.exchange_tables import START, Row, micros, rows, table

from stillwatch.features.engine import Engine
from stillwatch.features.links import (
    KEY_KINDS,
    LINKS_SCHEMA,
    SEPARATOR,
    account_links,
    handle_replays,
    hub_counts,
    model_days,
    subnet,
)
from stillwatch.records.exchange import ACCOUNT_SCHEMA

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def account_records() -> st.SearchStrategy[list[Row]]:
    record = st.fixed_dictionaries(
        {
            "account_id": st.sampled_from(["a", "b", "B", "never seen"]),
            "payment_id": st.sampled_from([None, "card1", "card2", ""]),
            "email_hash": st.sampled_from([None, "e1"]),
            "phone_hash": st.sampled_from([None, "p1", "p2"]),
        }
    )
    return st.lists(record, max_size=5, unique_by=lambda row: row["account_id"])


def naive_subnet(address: str | None) -> str | None:
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv4Address):
        return f"{address}".rsplit(".", 1)[0] + ".0/24"
    return ":".join(f"{int(group, 16):x}" for group in parsed.exploded.split(":")[:3]) + "::/48"


def values(row: Row) -> dict[str, str | None]:
    client = (
        None
        if row["tls_fingerprint"] is None and row["user_agent"] is None
        else (row["tls_fingerprint"] or "") + SEPARATOR + (row["user_agent"] or "")
    )
    return {
        "key": row["key_id"],
        "device": row["device_id"],
        "client": client,
        "ip": row["client_ip"],
        "subnet": naive_subnet(row["client_ip"]),
        "asn_client": None if client is None or row["asn"] is None else f"{row['asn']}{SEPARATOR}{client}",
    }


def naive_links(exchanges: list[Row], records: list[Row], cap: int) -> tuple[list[Row], dict[str, int]]:
    holders: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    totals = Counter(row["account_id"] for row in exchanges)
    for row in exchanges:
        for kind, value in values(row).items():
            if value:
                holders[kind, value][row["account_id"]] += 1
    for record in records:
        for kind, column in (("payment", "payment_id"), ("email", "email_hash"), ("phone", "phone_hash")):
            if record[column] and totals[record["account_id"]]:
                holders[kind, record[column]][record["account_id"]] = totals[record["account_id"]]
    links = [
        {"account_id": account, "kind": kind, "value": value, "exchanges": number, "degree": len(held)}
        for (kind, value), held in holders.items()
        if 2 <= len(held) <= cap
        for account, number in held.items()
    ]
    links.sort(key=lambda link: tuple(link[name].encode() for name in ("kind", "value", "account_id")))
    hubs = Counter(kind for (kind, _), held in holders.items() if len(held) > cap)
    return links, {kind: hubs[kind] for kind in KEY_KINDS}


@given(exchanges=rows(), records=account_records(), cap=st.integers(2, 4))
@quick
def test_links_equal_a_plain_search(engine: Engine, exchanges: list[Row], records: list[Row], cap: int) -> None:
    accounts = pa.Table.from_pylist(records, schema=ACCOUNT_SCHEMA)
    found = account_links(engine, engine.register("log", table(exchanges)), accounts, cap=cap)
    links, hubs = naive_links(exchanges, records, cap)
    assert found.to_pylist() == links
    assert hub_counts(found) == hubs
    assert found.schema.equals(LINKS_SCHEMA)


def test_without_account_records_only_exchanges_link(engine: Engine) -> None:
    exchanges = [{"ts": START, "account_id": name, "model": "m", "device_id": "shared"} for name in ("a", "b", "b")]
    found = account_links(engine, engine.register("log", table(exchanges)), None)
    assert found.to_pylist() == [
        {"account_id": "a", "kind": "device", "value": "shared", "exchanges": 1, "degree": 2},
        {"account_id": "b", "kind": "device", "value": "shared", "exchanges": 2, "degree": 2},
    ]


def test_country_never_links(engine: Engine) -> None:
    exchanges = [{"ts": START, "account_id": name, "model": "m", "country": "XX"} for name in ("a", "b")]
    assert account_links(engine, engine.register("log", table(exchanges)), None).num_rows == 0


def subnets(engine: Engine, addresses: list[str | None]) -> list[str | None]:
    log = engine.register("addresses", pa.table({"n": range(len(addresses)), "a": pa.array(addresses, pa.string())}))
    found: list[str | None] = engine.to_arrow(log.select("n", s=subnet(log.a)).order_by("n"))["s"].to_pylist()
    return found


@given(addresses=st.lists(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), min_size=1, max_size=50))
@quick
def test_subnets_equal_those_of_the_standard_library(
    engine: Engine, addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address]
) -> None:
    plain = [str(address) for address in addresses]
    long = [address.exploded.upper() for address in addresses]
    expected = [naive_subnet(text) for text in plain]
    assert subnets(engine, plain) == expected
    assert subnets(engine, long) == expected


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("2001:db8::1", "2001:db8:0::/48"),
        ("2001::a:b:c:d:e:f", "2001:0:a::/48"),
        ("::1", "0:0:0::/48"),
        ("1::", "1:0:0::/48"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("192.0.2", None),
        ("not an address", None),
        ("fe80::1%eth0", None),
        ("", None),
        (None, None),
    ],
)
def test_subnets_of_odd_addresses(engine: Engine, address: str | None, network: str | None) -> None:
    assert subnets(engine, [address]) == [network]


@given(exchanges=rows())
@quick
def test_model_days_equal_a_plain_count(engine: Engine, exchanges: list[Row]) -> None:
    found = engine.to_arrow(model_days(engine.register("log", table(exchanges))))
    counts = Counter((row["account_id"], row["model"], micros(row["ts"]) // 86_400_000_000) for row in exchanges)
    ordered = sorted(counts.items(), key=lambda item: (item[0][0].encode(), item[0][1].encode(), item[0][2]))
    assert [tuple(row.values()) for row in found.to_pylist()] == [(*key, number) for key, number in ordered]


@given(exchanges=rows())
@quick
def test_handle_replays_equal_a_plain_count(engine: Engine, exchanges: list[Row]) -> None:
    found = engine.to_arrow(handle_replays(engine.register("log", table(exchanges))))
    counts = Counter(
        row["account_id"] for row in exchanges if row["reasoning_handle_account"] not in {None, row["account_id"]}
    )
    assert found.to_pylist() == [
        {"account_id": name, "exchanges": counts[name]} for name in sorted(counts, key=str.encode)
    ]


def test_links_leave_nothing_behind(tmp_path: Path) -> None:
    with Engine.open(memory=None, spill=tmp_path) as engine:
        log = engine.register("log", table([{"ts": START, "account_id": "a", "model": "m"}]))
        account_links(engine, log, None)
        assert engine.backend.con.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("log",)]
