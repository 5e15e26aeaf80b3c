import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stillwatch.cli.hub import hub
from stillwatch.errors import StillwatchError, UsageError
from stillwatch.hub.hub import open_storage
from stillwatch.hub.members import find_token


def run(*arguments: str | Path, code: int = 0) -> Any:
    result = CliRunner().invoke(hub, [str(one) for one in arguments])
    if isinstance(result.exception, StillwatchError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def made(data: Path, *arguments: str) -> dict[str, str]:
    told: dict[str, str] = json.loads(run("member", *arguments, "--data-dir", data, "--json").stdout)
    return told


def is_good(data: Path, token: str) -> bool:
    with open_storage(data) as storage, storage.reading() as db:
        return find_token(db, token, storage.now()) is not None


def test_a_member_gets_an_id_and_a_token(tmp_path: Path) -> None:
    told = made(tmp_path, "add", "Lab North")
    assert told.keys() == {"member_id", "token"}
    assert told["member_id"].startswith("identity--")
    assert is_good(tmp_path, told["token"])


def test_only_the_digest_of_a_token_is_kept(tmp_path: Path) -> None:
    token = made(tmp_path, "add", "north")["token"]
    assert not any(token.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_the_list_leaves_the_hub_itself_out(tmp_path: Path) -> None:
    made(tmp_path, "add", "north", "--role", "reader")
    listed = json.loads(run("member", "list", "--data-dir", tmp_path, "--json").stdout)["members"]
    assert [(one["name"], one["role"]) for one in listed] == [("north", "reader")]
    assert "reader" in run("member", "list", "--data-dir", tmp_path).stdout


def test_rotation_overlaps(tmp_path: Path) -> None:
    old = made(tmp_path, "add", "north")["token"]
    new = made(tmp_path, "rotate", "north")["token"]
    assert is_good(tmp_path, old)
    last = made(tmp_path, "rotate", "north", "--overlap-hours", "0")["token"]
    assert [is_good(tmp_path, one) for one in (old, new, last)] == [False, False, True]


def test_a_rotation_keeps_the_binding_unless_it_is_told_otherwise(tmp_path: Path) -> None:
    made(tmp_path, "add", "north", "--certificate", "A" * 43)
    tokens = [made(tmp_path, "rotate", "north", *more)["token"] for more in ((), ("--certificate", "E" * 43), ())]
    free = made(tmp_path, "rotate", "north", "--unbound")["token"]
    with open_storage(tmp_path) as storage, storage.reading() as db:
        bound = [known.certificate for one in (*tokens, free) if (known := find_token(db, one, storage.now()))]
    assert bound == ["A" * 43, "E" * 43, "E" * 43, None]


def test_removal_ends_every_token(tmp_path: Path) -> None:
    told = made(tmp_path, "add", "north")
    assert made(tmp_path, "remove", told["member_id"]) == {"member_id": told["member_id"]}
    assert not is_good(tmp_path, told["token"])
    assert made(tmp_path, "add", "north")["member_id"] != told["member_id"]


def test_the_token_alone_goes_to_standard_output(tmp_path: Path) -> None:
    result = run("member", "add", "north", "--data-dir", tmp_path, "--days", "1")
    assert is_good(tmp_path, result.stdout.strip())
    assert "shown once" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("member", "add", "a:b"),
        ("member", "add", ""),
        ("member", "add", "hub"),
        ("member", "add", "north", "--role", "owner"),
        ("member", "remove", "nobody"),
        ("member", "remove", "hub"),
        ("member", "rotate", "nobody"),
        ("member", "rotate", "nobody", "--unbound", "--certificate", "A" * 43),
        ("member", "list", "--database-url", "mysql://root@127.0.0.1/x"),
        ("member", "list", "--database-url", "::"),
        ("serve", "--api-root", "v1"),
        ("serve", "--api-root", "A/B"),
        ("serve", "--oidc-issuer", "https://id.example"),
        *(
            ("serve", "--public-url", url)
            for url in ("", "hub", "ftp://hub", "http://", "https://[", "https://a:x", "https://a?b", "https://a b")
        ),
        *(("member", "add", "north", "--certificate", one) for one in ("", "x", "A" * 42, "é" * 43, "a" * 64)),
        *(("member", "add", "north", "--days", one) for one in ("0", "inf")),
    ],
)
def test_wrong_use(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        run(*arguments, "--data-dir", tmp_path)


@pytest.mark.parametrize("verb", [("list",), ("rotate", "north"), ("remove", "north")])
@pytest.mark.parametrize("url", [(), ("--database-url", "sqlite://")])
def test_only_add_makes_a_hub(tmp_path: Path, verb: tuple[str, ...], url: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="there is no hub"):
        run("member", *verb, "--data-dir", tmp_path / "typo", *url)
    assert list(tmp_path.iterdir()) == []


def test_a_rotation_is_checked_before_anything_ends(tmp_path: Path) -> None:
    token = made(tmp_path, "add", "north", "--certificate", "A" * 43)["token"]
    for wrong in (("--days", "0"), ("--certificate", "x")):
        with pytest.raises(UsageError):
            run("member", "rotate", "north", "--overlap-hours", "0", *wrong, "--data-dir", tmp_path)
    assert is_good(tmp_path, token)


@pytest.mark.parametrize("verb", [("serve", "--port", "0"), ("member", "add", "north")])
@pytest.mark.parametrize("place", ["/proc/x", "/proc/x/y", "file", "file/below"])
def test_a_data_directory_that_cannot_be_made(tmp_path: Path, verb: tuple[str, ...], place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be made"):
        run(*verb, "--data-dir", tmp_path / place)
