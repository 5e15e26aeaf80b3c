from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from stillwatch.errors import RecordError
from stillwatch.testing import ConformanceError, check_adapter

RECORD = {"id": "1", "time": "2026-05-01T10:00:00Z", "who": "a", "model": "m"}


class Sound:
    name = "sound"
    fills = frozenset({"exchange_id", "ts", "account_id", "model"})

    def recognises(self, record: Mapping[str, Any]) -> bool:
        return "id" in record

    def convert(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        if "id" not in record:
            raise RecordError("missing_field", "id")
        extra = {str(key): str(value) for key, value in record.items() if key not in RECORD}
        yield {
            "exchange_id": record["id"],
            "ts": record.get("time"),
            "account_id": record.get("who"),
            "model": record.get("model"),
            "extra": extra,
        }


class Blind(Sound):
    def recognises(self, record: Mapping[str, Any]) -> bool:
        return not record


class Silent(Sound):
    def convert(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        return (exchange for exchange in super().convert(record) if not exchange)


class Forgetful(Sound):
    def convert(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        for exchange in super().convert(record):
            yield exchange | {"extra": None}


class Boastful(Sound):
    def convert(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        for exchange in super().convert(record):
            yield exchange | {"prompt": "p"}


class Inventive(Sound):
    fills = Sound.fills | {"colour"}


class Fragile(Sound):
    def convert(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        for exchange in super().convert(record):
            yield exchange | {"account_id": record["who"].strip()}


class Meddling(Sound):
    def convert(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        yield from super().convert(record)
        record["seen"] = True  # type: ignore[index]  # this is what the kit must notice


class Loose(Sound):
    def convert(self, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        if record.get("who") is None:
            raise RecordError("because", "of no listed reason")
        yield from super().convert(record)


def test_a_sound_adapter_passes() -> None:
    [exchange] = check_adapter(Sound(), [RECORD])
    assert exchange["account_id"] == "a"


@pytest.mark.parametrize(
    ("adapter", "said"),
    [
        (Blind(), "does not recognise"),
        (Silent(), "finds no exchange"),
        (Forgetful(), "drops an unknown field"),
        (Boastful(), "does not declare"),
        (Inventive(), "do not exist"),
        (Fragile(), "raises"),
        (Meddling(), "changes the record"),
        (Loose(), "unknown reason"),
    ],
)
def test_each_fault_is_told(adapter: Sound, said: str) -> None:
    with pytest.raises(ConformanceError, match=said):
        check_adapter(adapter, [dict(RECORD)])
