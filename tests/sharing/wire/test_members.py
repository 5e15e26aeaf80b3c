import pytest
from tests.sharing.wire.servers import Told, serving

from stillwatch.errors import RemoteError
from stillwatch.sharing.wire import members

NOBODY = "identity--0c5f0a52-7d0f-4c37-9f44-2b8a5d1e6a10"


def test_asks_who_stands_for_members_that_are_not_named() -> None:
    with serving(lambda _asked: Told({"members": [], "anonymous": NOBODY})) as (connection, seen):
        assert members.hidden_by(connection) == NOBODY
    assert [one.path for one in seen] == ["/v1/members"]


@pytest.mark.parametrize("told", [{"anonymous": "Aster Labs"}, {"anonymous": ""}, {}])
def test_a_hub_at_which_nobody_stands_for_them_is_told(told: dict[str, str]) -> None:
    with serving(lambda _asked: Told(told)) as (connection, _), pytest.raises(RemoteError):
        members.hidden_by(connection)
