import ipaddress
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.errors import InputRejectedError
from stillwatch.sharing.matching.normalise import Kind, canonical

KINDS: tuple[Kind, ...] = get_args(Kind)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("email", "  Ann.Example+tag@Example.ORG. ", b"email:ann.example@example.org"),
        ("email", "\uff41nn@example.org", b"email:ann@example.org"),
        ("email", "+only@example.org", b"email:+only@example.org"),
        ("email", "ann@b\u00fccher.example", b"email:ann@xn--bcher-kva.example"),
        ("email", "ann@XN--BCHER-KVA.example", b"email:ann@xn--bcher-kva.example"),
        ("phone", "+44 (0)20 7946-0018", b"phone:+442079460018"),
        ("phone", "0044 20.7946/0018", b"phone:+442079460018"),
        ("phone", "+44\u00a020\u20117946 0018", b"phone:+442079460018"),
        ("device", "{6BA7B810-9DAD-11D1-80B4-00C04FD430C8}", b"device:6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("device", "ABCDEF012345", b"device:abcdef012345"),
        ("device", "dev_AbC", b"device:dev_AbC"),
        ("payment", " pm_1Ab2 ", b"payment:pm_1Ab2"),
        ("payment", "4111111111111112", b"payment:4111111111111112"),
        ("ip", "203.0.113.7", b"ip:203.0.113.7"),
        ("ip", "::ffff:203.0.113.7", b"ip:203.0.113.7"),
        ("ip", "2001:0DB8:0::0007", b"ip:2001:db8::7"),
        ("network", "203.0.113.7", b"network:203.0.113.0/24"),
        ("network", "2001:db8:1:2:3::9", b"network:2001:db8:1:2::/64"),
    ],
)
def test_one_writing(kind: Kind, value: str, expected: bytes) -> None:
    assert canonical(kind, value) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("email", "ann"),
        ("email", "@example.org"),
        ("email", "ann@"),
        ("email", "ann@example"),
        ("email", "ann@-x.org"),
        ("email", "ann@a..b"),
        ("email", "ann@" + "a" * 70 + ".org"),
        ("email", "ann@192.0.2.1"),
        ("email", "a b@example.org"),
        ("email", "j\u00f6rg@example.org"),
        ("email", "a" * 65 + "@example.org"),
        ("phone", "020 7946 0018"),
        ("phone", "+44 20 7946 0018 ext 3"),
        ("phone", "+1"),
        ("phone", "+1234567890123456"),
        ("phone", "+\u0664\u0664\u0662\u0660\u0667\u0669\u0664\u0666"),
        ("payment", "4111 1111 1111 1111"),
        ("payment", "a b"),
        ("payment", ""),
        ("device", "abc"),
        ("device", "caf\u00e9-1234"),
        ("ip", "256.1.1.1"),
        ("ip", "fe80::1%eth0"),
        ("ip", "10.0.0.1"),
        ("ip", "::ffff:10.0.0.1"),
        ("ip", "100.64.1.1"),
        ("ip", "::1"),
        ("ip", "fd00::1"),
        ("ip", "240.0.0.1"),
        ("network", "192.168.1.0"),
        ("network", "203.0.113.0/24"),
        ("device", "x" * 513),
    ],
)
def test_refused_without_the_value(kind: Kind, value: str) -> None:
    with pytest.raises(InputRejectedError) as caught:
        canonical(kind, value)
    assert len(value) < 5 or value not in str(caught.value)
    assert kind in str(caught.value)


def test_unknown_kind() -> None:
    with pytest.raises(InputRejectedError, match="unknown kind"):
        canonical("name", "ann")  # type: ignore[arg-type]


@given(st.sampled_from(KINDS), st.text())
def test_garbage_is_refused_or_ascii(kind: Kind, value: str) -> None:
    try:
        found = canonical(kind, value)
    except InputRejectedError:
        return
    assert found.isascii()
    assert found.startswith(f"{kind}:".encode())


@given(st.sampled_from([kind for kind in KINDS if kind != "network"]), st.text("aAbB09.+-@_:() {}\u00fc", max_size=40))
def test_canonical_stays_as_it_is(kind: Kind, value: str) -> None:
    try:
        found = canonical(kind, value)
    except InputRejectedError:
        return
    assert canonical(kind, found.decode().removeprefix(f"{kind}:")) == found


@given(st.ip_addresses())
def test_addresses(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    try:
        found, around = canonical("ip", address.exploded), canonical("network", str(address))
    except InputRejectedError:
        return
    inner, outer = ipaddress.ip_address(found[3:].decode()), ipaddress.ip_network(around[8:].decode())
    assert inner in outer
    assert outer.prefixlen == (24 if inner.version == 4 else 64)
