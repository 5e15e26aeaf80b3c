import errno

import pytest

from stillwatch.errors import UsageError
from stillwatch.listening import listen


def test_it_listens_on_loopback_unless_told() -> None:
    with listen(0) as one, listen(0, host="::1") as other:
        assert one.getsockname()[0] == "127.0.0.1"
        assert other.getsockname()[0] == "::1"


def test_a_port_that_is_taken_and_an_address_that_is_not_ours() -> None:
    with listen(0) as held, pytest.raises(UsageError, match="is taken") as told:
        listen(held.getsockname()[1], "--spop-port")
    assert "--spop-port" in str(told.value.hint)
    with pytest.raises(UsageError, match="nothing can listen"):
        listen(0, host="192.0.2.1")


def test_a_port_that_is_not_for_this_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_where: object, **_how: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("socket.create_server", refuse)
    with pytest.raises(UsageError, match="port 80 is not for this user") as told:
        listen(80, "--grpc-port")
    assert "--grpc-port" in str(told.value.hint)
