import re
from pathlib import Path

import pytest

from stillwatch.records import adapters
from stillwatch.records.adapters import BUILT_IN, load_adapters
from stillwatch.records.adapters.base import Adapter
from stillwatch.records.adapters.native import NativeAdapter
from stillwatch.records.exchange import EXCHANGE_SCHEMA
from stillwatch.testing import check_adapter


def test_the_reference_lists_every_format_in_order() -> None:
    text = (Path(__file__).parents[2] / "docs/reference/adapters.md").read_text("utf-8")
    table = text.partition("## Rules")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(load_adapters())


def test_built_ins_fulfil_the_protocol_and_declare_fields_of_the_schema() -> None:
    for adapter in BUILT_IN:
        assert isinstance(adapter, Adapter)
        assert adapter.fills <= set(EXCHANGE_SCHEMA.names)


def test_a_plug_in_that_is_no_adapter_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(group: str, check: object, *, taken: object) -> dict[str, Adapter]:
        assert (group, "native" in taken) == ("stillwatch.adapters", True)  # type: ignore[operator]  # a dict
        return {"mine": check(object())}  # type: ignore[operator]  # the function under test

    monkeypatch.setattr(adapters, "load_plugins", load)
    with pytest.raises(TypeError, match="has not the members"):
        load_adapters()


def test_native_conforms() -> None:
    record = {"exchange_id": "e", "ts": "2026-05-01T10:00:00Z", "account_id": "a", "model": "m"}
    adapter = NativeAdapter()
    assert list(adapter.convert(record)) == [record]
    assert adapter.recognises({name: record[name] for name in ("ts", "account_id", "model")})
    assert not adapter.recognises({"model": "m"})
    check_adapter(adapter, [record], keeps_unknown=False)
