from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.enforcement.factories import NOW, standing

from stillwatch.enforcement.ask import key_hash
from stillwatch.enforcement.policy.load import standard_policy
from stillwatch.enforcement.service import Service, Setup
from stillwatch.enforcement.serving.front import Front
from stillwatch.enforcement.serving.http import Gateway
from stillwatch.enforcement.serving.people import people

TOKEN = "test-token"  # noqa: S105 - of these tests


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    keys = {key_hash("sk-known"): "block"}
    one = Service(Setup(data_dir=tmp_path, policy=standard_policy(), mode="enforce", key_accounts=keys), lambda: NOW)
    for action in ("watch", "throttle", "challenge", "degrade", "block"):
        one.decider.standings.put(action, standing(action))
    yield one
    one.close()


@pytest.fixture
def app(service: Service) -> Gateway:
    return Gateway(Front(service, 0.0), people(service, TOKEN))
