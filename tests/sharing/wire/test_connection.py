import pytest
from tests.sharing.wire.servers import Asked, Told, serving

from stillwatch.errors import RemoteError, UsageError
from stillwatch.sharing.wire.connection import AbsentError, Connection, Credentials, ForbiddenError, RefusedError


def test_sends_the_token_and_asks_for_a_media_type() -> None:
    with serving(lambda _asked: Told({"a": 1})) as (connection, seen):
        reply = connection.get("v1/members", {"after": "x y"})
        assert connection.decode(reply, dict) == {"a": 1}
    assert seen[0].path == "/v1/members?after=x+y"
    assert seen[0].headers["authorization"] == "Bearer secret-token"
    assert seen[0].headers["accept"] == "application/json"


@pytest.mark.parametrize("url", ["hub.example", "ftp://hub.example", "https://", "http://hub.example", "http://[::1"])
def test_an_address_that_is_none_or_not_safe_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="->"):
        Connection(url, Credentials("t"))


def test_without_a_token_it_says_where_one_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="STILLWATCH_HUB_TOKEN"):
        Connection.from_environment("https://hub.example", None)
    monkeypatch.setenv("STILLWATCH_HUB_AUTHORITY", "/no/such/file.pem")
    with Connection.from_environment("https://hub.example", "t") as connection:
        assert connection.url == "https://hub.example/"


def test_a_token_is_taken_without_its_line_end_and_refused_with_what_none_has() -> None:
    with serving(lambda _asked: Told({})) as (connection, seen):
        with Connection.from_environment(connection.url, "secret\n") as other:
            other.get("v1/members")
        for wrong in ("\u00e9\u2014x", "a\nb", " \n"):
            with pytest.raises(UsageError, match="STILLWATCH_HUB_TOKEN"):
                Connection.from_environment(connection.url, wrong)
    assert [one.headers["authorization"] for one in seen] == ["Bearer secret"]


def test_an_address_of_the_hubs_that_is_none_is_the_hubs_fault() -> None:
    with serving(lambda _asked: Told({})) as (connection, _seen), pytest.raises(RemoteError, match="not its own"):
        connection.get("http://[::1/api/")


def test_asks_again_while_the_hub_is_busy() -> None:
    answers = iter([Told({}, 503, {"retry-after": "0"}), Told({}, 429, {"retry-after": "0"}), Told({"ok": True})])
    with serving(lambda _asked: next(answers)) as (connection, seen):
        assert connection.ask("v1/x", {"q": 1}, dict) == {"ok": True}
    assert [one.body for one in seen] == [b'{"q":1}'] * 3


def test_the_token_never_goes_to_another_address() -> None:
    with serving(lambda _asked: Told({})) as (connection, seen), pytest.raises(RemoteError, match="not its own"):
        connection.get("http://127.0.0.1:9/steal")
    assert seen == []


def test_a_redirect_is_not_followed() -> None:
    told = Told({}, 302, {"location": "http://127.0.0.1:9/steal"})
    with serving(lambda _asked: told) as (connection, seen), pytest.raises(RemoteError, match="302"):
        connection.get("v1/x")
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, RefusedError), (403, ForbiddenError), (404, AbsentError), (401, RemoteError), (500, RemoteError)],
)
def test_a_refusal_of_one_request_is_told_from_one_of_all(status: int, kind: type[Exception]) -> None:
    with serving(lambda _asked: Told({}, status)) as (connection, _), pytest.raises(RemoteError) as refused:
        connection.get("v1/x")
    assert type(refused.value) is kind


@pytest.mark.parametrize(("status", "hint"), [(401, "rotate"), (403, "may not"), (404, "not there"), (422, "says why")])
def test_a_refusal_says_what_to_do(status: int, hint: str) -> None:
    with (
        serving(lambda _asked: Told({"title": "no", "description": "because"}, status)) as (connection, _),
        pytest.raises(RemoteError, match=f"(?s)no: because.*{hint}"),
    ):
        connection.get("v1/x")


def test_a_refusal_in_no_known_form_is_told_all_the_same() -> None:
    with serving(lambda _asked: Told(b"<html>", 400)) as (connection, _), pytest.raises(RemoteError, match="400"):
        connection.get("v1/x")


def test_what_is_no_json_is_told() -> None:
    with serving(lambda _asked: Told(b"<html>")) as (connection, _), pytest.raises(RemoteError, match="no hub does"):
        connection.ask("v1/x", {}, dict)


def test_who_is_not_there_is_told() -> None:
    with serving(lambda _asked: Told()) as (connection, _):
        gone = Connection(connection.url, Credentials("t"))
    gone._pool.connection_pool_kw["retries"] = False
    with pytest.raises(RemoteError, match="cannot be reached"):
        gone.get("v1/x")


def test_an_answer_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stillwatch.sharing.wire.connection._MOST_BYTES", 1000)
    with serving(lambda _asked: Told(b"x" * 2000)) as (connection, _), pytest.raises(RemoteError, match="1,000 bytes"):
        connection.get("v1/x")


def test_a_body_is_sent_as_it_is() -> None:
    def echo(asked: Asked) -> Told:
        return Told(asked.body)

    with serving(echo) as (connection, _):
        assert connection.post("v1/x", b'{"n": 1.50}').body == b'{"n": 1.50}'
