import contextlib
import socket
from collections.abc import Iterator

import pytest
from tests.enforcement.replicas.store import SharedStore, shared_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedStore]:
    """A store for the tests of a module; those that kill it take one of their own."""
    with shared_store(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(autouse=True)
def empty(request: pytest.FixtureRequest) -> None:
    if "store" in request.fixturenames:
        request.getfixturevalue("store").client().flushall()


@pytest.fixture
def nobody() -> str:
    """The address of a store that is not there."""
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
