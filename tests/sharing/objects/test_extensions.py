import json
from typing import Any

import msgspec
import pytest
from tests.sharing.objects.factories import ACCOUNT, HARVEST, SHARING, account, campaign

from stillwatch.sharing.objects import extensions
from stillwatch.sharing.objects.extensions import (
    MAY_EXTEND,
    PUBLISHER,
    SCHEMA_FILES,
    Cleared,
    Harvest,
    Iep,
    LlmAccount,
    Sharing,
    definition,
    extensions_of,
    schema,
)

MODELS = {extensions.SHARING: Sharing, extensions.HARVEST: Harvest, extensions.LLM_ACCOUNT: LlmAccount}


def test_what_was_put_on_an_object_reads_back() -> None:
    assert extensions.sharing_of(campaign()) == SHARING
    assert extensions.harvest_of(campaign()) == HARVEST
    assert extensions.llm_account_of(account()) == ACCOUNT
    assert extensions.llm_account_of(campaign()) is None


def test_what_says_nothing_is_left_out() -> None:
    assert extensions_of(Sharing(), None) == {}


@pytest.mark.parametrize("key", SCHEMA_FILES)
def test_models_and_schemas_have_the_same_properties(key: str) -> None:
    assert {"extension_type", *MODELS[key].__struct_fields__} == set(schema(key)["properties"])


@pytest.mark.parametrize(("name", "model"), [("iep", Iep), ("cleared", Cleared)])
def test_nested_models_and_schemas_have_the_same_properties(name: str, model: type[msgspec.Struct]) -> None:
    assert set(model.__struct_fields__) == set(schema(extensions.SHARING)["$defs"][name]["properties"])


def objects_in(body: Any) -> list[dict[str, Any]]:
    parts = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    found = [one for part in parts for one in objects_in(part)]
    return [body, *found] if isinstance(body, dict) and body.get("type") == "object" else found


@pytest.mark.parametrize("key", SCHEMA_FILES)
def test_no_schema_leaves_room_for_a_further_property(key: str) -> None:
    assert all(one["additionalProperties"] is False for one in objects_in(schema(key)))


@pytest.mark.parametrize("key", SCHEMA_FILES)
def test_a_definition_carries_its_schema(key: str) -> None:
    body = definition(key)
    assert json.loads(body["schema"]) == schema(key)
    assert body["id"] == key
    assert schema(key)["$id"].removeprefix("urn:uuid:") == key.removeprefix("extension-definition--")
    assert body["created_by_ref"] == PUBLISHER["id"]


def test_every_extension_says_where_it_may_stand() -> None:
    assert MAY_EXTEND.keys() == SCHEMA_FILES.keys()
