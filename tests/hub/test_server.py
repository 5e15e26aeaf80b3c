import base64
import http.client
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from tests.hub.postgres import Postgres
from tests.hub.process import add_member, run, serving
from tests.hub.site import SHARED, Site, indicator

from stillwatch.errors import UsageError
from stillwatch.hub.server import Setup, serve
from stillwatch.transparency.verify import verify_log


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    interval = sys.getswitchinterval()
    yield
    sys.setswitchinterval(interval)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, host: str) -> None:
    statuses: list[int] = []

    def ask(port: int) -> None:
        connection = http.client.HTTPConnection(host, port, timeout=20)
        connection.request("GET", "/taxii2/")
        statuses.append(connection.getresponse().status)
        connection.close()
        os.kill(os.getpid(), signal.SIGTERM)

    serve(Setup(tmp_path, host=host, port=0), lambda port: threading.Thread(target=ask, args=(port,)).start())
    assert statuses == [401]
    verify_log(tmp_path / "log")


def test_a_port_that_is_taken_and_an_address_that_is_not_ours(tmp_path: Path) -> None:
    with serving(tmp_path / "one") as served:
        with pytest.raises(UsageError, match="is taken"):
            serve(Setup(tmp_path / "two", port=served.port), print)
        with pytest.raises(UsageError, match="nothing can listen"):
            serve(Setup(tmp_path / "two", host="192.0.2.1", port=0), print)


def test_a_second_hub_on_one_postgresql(tmp_path: Path, postgres: Postgres) -> None:
    url = ("--database-url", postgres.new_database())
    with serving(tmp_path / "one", *url):
        second = run("serve", "--data-dir", tmp_path / "two", "--port", "0", *url)
    assert second.returncode == 2
    assert "another hub uses this database" in second.stderr
    assert "Traceback" not in second.stderr
    with serving(tmp_path / "two", *url):
        pass


def test_options_and_removal_of_a_member_while_it_runs(tmp_path: Path) -> None:
    token = add_member(tmp_path, "north")
    options = ("--api-root", "lab", "--max-page", "2", "--max-body", "4096", "--public-url", "https://hub.example/")
    with serving(tmp_path, *options) as served:
        basic = {"Authorization": "Basic " + base64.b64encode(f"north:{token}".encode()).decode()}
        found = served.ask(token, "GET", "/taxii2/", None, basic)
        assert found.json["default"] == "https://hub.example/lab/"
        path = "/lab/collections/shared/objects/"
        body = {"objects": [indicator() for _ in range(3)]}
        assert served.ask(token, "POST", path, body).status == 202
        assert len(served.ask(token, "GET", path).json["objects"]) == 2
        assert served.ask(token, "POST", path, b" " * 5000).status == 413
        assert served.ask(token, "GET", "/exchange/").status == 404
        assert served.ask(token, "PUT", path).status == 405
        assert run("member", "remove", "north", "--data-dir", tmp_path).returncode == 0
        assert served.ask(token, "GET", path).status == 401
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(20) == 0


def test_a_database_that_is_lost_is_503(lite: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = lite.desk("north")

    def lost() -> None:
        raise OperationalError("SELECT 1", None, Exception("gone"))

    monkeypatch.setattr(lite.hub.storage.engine, "connect", lost)
    for told in (desk.get(f"{SHARED}/objects/"), desk.post([indicator()])):
        assert told.status_code == 503
        assert int(told.headers["retry-after"]) > 0
        assert json.loads(told.content)["title"]
