from collections.abc import Iterator

import pytest

from stillwatch.features.engine import Engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine.open(memory="2GB", threads=2, spill=tmp_path_factory.mktemp("spill")) as opened:
        yield opened
