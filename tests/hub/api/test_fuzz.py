"""Whatever a member sends, no answer is a server error, and every answer is one that the OpenAPI document names."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from tests.hub.api.worlds import Clock, campaign, world_in

from stillwatch.hub.api.routes import operations
from stillwatch.hub.app import make_app
from stillwatch.hub.auth import Authenticator
from stillwatch.hub.hub import open_hub
from stillwatch.hub.members import add_member, make_token
from stillwatch.hub.operations import document


def _document() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory, open_hub(Path(directory), None, Clock()) as hub:
        return document(operations(hub))


schemathesis.openapi.from_dict(_document())  # loads its parts while tests are collected: in a deep stack that may fail
CALLS = [(path, method, call) for path, methods in _document()["paths"].items() for method, call in methods.items()]
as_told = [(path, method, GenerationMode.POSITIVE) for path, method, _ in CALLS]
otherwise = [
    (path, method, GenerationMode.NEGATIVE)
    for path, method, call in CALLS
    if call["parameters"] or "requestBody" in call  # else nothing can be other than told
]
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[schemathesis.BaseSchema, str]]:
    directory = tmp_path_factory.mktemp("hub")
    with world_in(directory) as world:
        ann = world.member("ann")
        ann.share(campaign(ann.id))
        world.publish()
    with open_hub(directory, None, Clock()) as hub:
        app = make_app(hub, Authenticator(hub.storage))
        with hub.storage.writing() as db:
            token = make_token(db, add_member(db, "fuzz", "steward", hub.storage.now()), hub.storage.now())
        headers = {"Authorization": f"Bearer {token}"}
        yield schemathesis.openapi.from_asgi("/openapi.json", app, headers=headers), token


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("path", "method", "mode"), [*as_told, *otherwise])
def test_no_request_is_too_odd(
    api: tuple[schemathesis.BaseSchema, str], path: str, method: str, mode: GenerationMode, *, known: bool
) -> None:
    schema, token = api

    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    @settings(
        max_examples=20 if known else 3,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    def ask(case: Any) -> None:
        response = case.call(headers={"Authorization": f"Bearer {token if known else 'wrong'}"})
        case.validate_response(response, checks=CHECKS)

    ask()
