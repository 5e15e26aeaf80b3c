"""Whatever is sent, no answer is a server error, and every answer is one that the OpenAPI document names."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from stillwatch.hub.app import make_app
from stillwatch.hub.auth import Authenticator
from stillwatch.hub.hub import open_hub
from stillwatch.hub.members import add_member, make_token
from stillwatch.hub.operations import Operation, document
from stillwatch.hub.taxii.routes import operations

CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]


def taxii_operations() -> list[Operation]:
    with tempfile.TemporaryDirectory() as data, open_hub(Path(data)) as hub:
        return operations(hub)


OPERATIONS = taxii_operations()
schemathesis.openapi.from_dict(
    document(OPERATIONS)
)  # loads its parts while tests are collected: in a deep stack that may fail


CALLS = [
    (one.path, one.method, mode)
    for one in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE or "{" in one.path or one.method != "get"  # else nothing can be other than told
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[schemathesis.BaseSchema, str]]:
    with contextlib.ExitStack() as stack:
        hub = stack.enter_context(open_hub(tmp_path_factory.mktemp("hub")))
        with hub.storage.writing() as db:
            token = make_token(db, add_member(db, "fuzz", "member", hub.storage.now()), hub.storage.now())
        schema = schemathesis.openapi.from_asgi(
            "/openapi.json", make_app(hub, Authenticator(hub.storage)), headers={"Authorization": f"Bearer {token}"}
        )
        yield schema, token


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("path", "method", "mode"), CALLS)
def test_no_request_is_too_odd(
    api: tuple[schemathesis.BaseSchema, str], path: str, method: str, mode: GenerationMode, *, known: bool
) -> None:
    schema, token = api

    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    @settings(
        max_examples=15,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    def ask(case: schemathesis.Case) -> None:
        response = case.call(headers={"Authorization": f"Bearer {token if known else 'wrong'}"})
        case.validate_response(response, checks=CHECKS)

    ask()
