"""Whatever is sent, no answer is a server error, and every answer is one that the OpenAPI document names."""

import time
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from stillwatch.enforcement.policy.load import standard_policy
from stillwatch.enforcement.service import Service, Setup
from stillwatch.enforcement.serving.front import Front
from stillwatch.enforcement.serving.http import Gateway
from stillwatch.enforcement.serving.openapi import document
from stillwatch.enforcement.serving.people import people

schemathesis.openapi.from_dict(document())  # loads its parts while tests are collected: in a deep stack that may fail
TOKEN = "fuzz"  # noqa: S105 - of these tests
CALLS = [(path, method, call) for path, methods in document()["paths"].items() for method, call in methods.items()]
as_told = [(path, method, GenerationMode.POSITIVE) for path, method, _ in CALLS]
otherwise = [
    (path, method, GenerationMode.NEGATIVE)
    for path, method, call in CALLS
    if call["parameters"] or "requestBody" in call  # else nothing can be other than told
]
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[schemathesis.BaseSchema]:
    service = Service(
        Setup(data_dir=tmp_path_factory.mktemp("data"), policy=standard_policy(), mode="enforce"), time.time
    )
    yield schemathesis.openapi.from_asgi("/openapi.json", Gateway(Front(service, 0.0), people(service, TOKEN)))
    service.close()


@pytest.mark.parametrize("token", [TOKEN, "wrong"])
@pytest.mark.parametrize(("path", "method", "mode"), [*as_told, *otherwise])
def test_no_request_is_too_odd(
    api: schemathesis.BaseSchema, path: str, method: str, token: str, mode: GenerationMode
) -> None:
    @given(case=api[path][method].as_strategy(generation_mode=mode))
    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    def ask(case: schemathesis.Case) -> None:
        response = case.call(headers={"Authorization": f"Bearer {token}"})
        case.validate_response(response, checks=CHECKS)

    ask()
