import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hub.postgres import Postgres, running_postgres
from tests.hub.site import Desk, Site, open_site


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str | None:
    """URL of an empty database, None for SQLite in the data directory."""
    if request.param == "sqlite":
        return None
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def site(tmp_path: Path, database: str | None) -> Iterator[Site]:
    with open_site(tmp_path, database) as opened:
        yield opened


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Site]:
    """A hub on SQLite, for what does not depend on the engine."""
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(open_site(tmp_path))


@pytest.fixture
def north(site: Site) -> Desk:
    return site.desk("north")


@pytest.fixture
def south(site: Site) -> Desk:
    return site.desk("south")
