"""What access logs of gateways have in common: who called from where, when, and how it went; never what was said."""

import ipaddress
from typing import Any

from stillwatch.records.adapters.values import Fields, first
from stillwatch.records.secrets import hash_secret

FIELDS = frozenset(
    {
        "exchange_id", "ts", "account_id", "org_id", "key_id", "session_id", "model", "operation", "client_ip",
        "country", "asn", "user_agent", "tls_fingerprint", "status", "latency_ms", "ttft_ms", "input_tokens",
        "output_tokens",
    }
)  # fmt: skip
_OWN_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
                    "::1/128", "fc00::/7", "fe80::/10")
)  # fmt: skip
_OPERATIONS = {
    "/chat/completions": "chat",
    "/messages": "messages",
    "/responses": "responses",
    "/completions": "completion",
    "/embeddings": "embeddings",
    ":generateContent": "generate_content",
    ":streamGenerateContent": "generate_content",
}


def present(value: Any) -> Any:
    """Return a value, or None for the `-` and the empty text that stand for nothing in access logs."""
    return None if value in ("-", "") else value


def operation_of(path: Any) -> str | None:
    """Return the operation that a request's path names, if it is one of a model API."""
    plain = path.partition("?")[0].rstrip("/") if isinstance(path, str) else ""
    return next((name for ending, name in _OPERATIONS.items() if plain.endswith(ending)), None)


def client_ip(peer: Any, forwarded: Any = None) -> Any:
    """Return the client's address as the gateway saw it.

    A peer on a private network is a load balancer of one's own: then the address it saw counts, the last in
    `X-Forwarded-For`. Earlier ones are what the client claims.
    """
    peer, forwarded = present(peer), present(forwarded)
    address = _address(peer)
    if isinstance(forwarded, str) and (address is None or any(address in network for network in _OWN_NETWORKS)):
        seen = _address(forwarded.rpartition(",")[2].strip())
        if seen is not None:
            return str(seen)
    return peer if address is None else str(address)


def _address(value: Any) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address, with or without a port."""
    if not isinstance(value, str):
        return None
    host = value[1:].partition("]")[0] if value.startswith("[") else value
    host = host.partition(":")[0] if host.count(":") == 1 else host
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def key_of(authorization: Any, api_key: Any = None) -> str | None:
    """Return the hash of the key in a request's headers; the key itself is never kept."""
    value = first(present(api_key), present(authorization))
    if not isinstance(value, str):
        return None
    scheme, _, rest = value.partition(" ")
    return hash_secret(rest.strip() if scheme.lower() == "bearer" and rest else value)


def with_account(fields: Fields) -> Fields:
    """Let the key stand for the account where a log knows nobody but the key."""
    if fields.get("account_id") is None:
        fields["account_id"] = fields.get("key_id")
    return fields
