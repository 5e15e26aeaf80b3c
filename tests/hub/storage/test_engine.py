import pytest
from sqlalchemy import text
from tests.hub.site import Site

from stillwatch.errors import UsageError
from stillwatch.hub.storage.engine import open_engine


@pytest.mark.parametrize("url", ["mysql://x@127.0.0.1/y", "no url"])
def test_a_url_that_is_none_of_ours(url: str) -> None:
    with pytest.raises(UsageError):
        open_engine(url)


def test_sqlite_maps_a_gigabyte_at_least(lite: Site) -> None:
    with lite.hub.storage.reading() as db:
        assert db.execute(text("PRAGMA mmap_size")).scalar_one() >= 2**30
