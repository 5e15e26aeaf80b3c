from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hub.api.worlds import World, world_in


@pytest.fixture
def world(tmp_path: Path, database: str | None) -> Iterator[World]:
    with world_in(tmp_path, database) as made:
        yield made
