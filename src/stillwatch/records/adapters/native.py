"""Native JSON Lines: the names of EXCHANGE_SCHEMA, one exchange per line."""

from collections.abc import Iterator, Mapping
from typing import Any

from stillwatch.records.exchange import EXCHANGE_SCHEMA, REQUIRED_FIELDS


class NativeAdapter:
    """Reads stillwatch's own format; a field it does not know goes to `extra`."""

    name = "native"
    fills = frozenset(EXCHANGE_SCHEMA.names)

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Tell by `exchange_id`, or by all the other required fields."""
        return "exchange_id" in record or all(name in record for name in REQUIRED_FIELDS[1:])

    def convert(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the record itself."""
        yield dict(record)
