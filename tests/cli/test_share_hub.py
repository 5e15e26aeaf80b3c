"""`stillwatch share` against a hub, as people type it."""

import json
import subprocess
from pathlib import Path

import pytest
from tests.cli.shares import ADOPT, BASES, STILLWATCH, findings, holders, moment, run, told
from tests.sharing.hubs import Site
from typer.testing import CliRunner

from stillwatch.cli.main import app
from stillwatch.errors import PolicyRefusedError, RemoteError, UsageError
from stillwatch.sharing.objects.extensions import llm_account_of
from stillwatch.sharing.received import Inbox


def test_an_indicator_that_expired_already_is_noted(tmp_path: Path, outbox: Path, site: Site) -> None:
    member, token = site.members["heron"]
    found = findings(tmp_path / "run")
    assert told("clear", found, "--out", outbox, "--member", member)["expired"] == 0
    campaigns = json.loads((found / "campaigns.json").read_text())
    campaigns["campaigns"][0] |= {"first_seen": moment(days_ago=400), "last_seen": moment(days_ago=390)}
    (found / "campaigns.json").write_text(json.dumps(campaigns))
    late = run("clear", found, "--out", outbox, "--json")
    assert "1 indicators that leave have expired already" in late.stderr
    assert json.loads(late.stdout)["expired"] == 1
    pushed = run("push", outbox, "--hub", site.url, "--token", token, "--json")
    assert "expired already" in pushed.stderr
    assert json.loads(pushed.stdout)["expired"] == 1


def test_tokens_travel_and_match_without_the_identifiers(tmp_path: Path, outbox: Path, site: Site) -> None:
    member, token = site.members["heron"]
    own = holders(tmp_path / "heron.jsonl", 0, 1)
    told(
        "clear", findings(tmp_path / "run"), "--out", outbox, "--identifiers", own, "--hub", site.url, "--token", token,
        "--member", member,
    )  # fmt: skip
    pushed = told("push", outbox, "--hub", site.url, "--token", token)
    assert pushed["taken"] > 0
    assert run("push", outbox, "--hub", site.url, "--token", token).stderr.startswith("0 objects sent")
    sent = b"".join(path.read_bytes() for path in (outbox / "objects").glob("*.jsonl"))
    assert b"@" not in sent
    assert b"buyer" not in sent
    theirs = site.members["osprey"]
    pulled = told("pull", "--hub", site.url, "--out", tmp_path / "in", "--token", theirs[1], "--member", theirs[0])
    assert pulled["objects"] == pushed["taken"]
    assert pulled["indicators"] == 1
    assert "0 new objects" in run("pull", "--hub", site.url, "--out", tmp_path / "in", "--token", theirs[1]).stderr
    with Inbox(tmp_path / "in" / "received.sqlite") as inbox:
        accounts = [json.loads(one.raw) for one in inbox.latest() if one.kind == "user-account"]
    assert len(accounts) == 2  # the victim's is not among them
    assert all(llm_account_of(account) is not None for account in accounts)
    others = tmp_path / "osprey.jsonl"
    others.write_text(
        '{"account_id": "mine", "email": "BUYER1@mail.example"}\n{"account_id": "no", "email": "x@y.example"}\n'
    )
    match = ("match", tmp_path / "in", "--identifiers", others, "--hub", site.url, "--token", theirs[1])
    assert [(one["account_id"], one["source"]) for one in told(*match)] == [("mine", member)]
    assert "1 accounts match" in run(*match).stderr
    reported = told(*match)[0]["object_id"]
    run("withdraw", outbox, reported, "--by", "R. Ames", "--reason", "the account was taken over")
    assert told("push", outbox, "--hub", site.url, "--token", token)["deleted"] == 1
    assert told("push", outbox, "--hub", site.url, "--token", token)["deleted"] == 0
    told("pull", "--hub", site.url, "--out", tmp_path / "in", "--token", theirs[1], "--member", theirs[0])
    assert told(*match) == []


def test_a_withdrawal_is_pushed(tmp_path: Path, outbox: Path, site: Site) -> None:
    member, token = site.members["heron"]
    told("clear", findings(tmp_path / "run"), "--out", outbox, "--member", member)
    told("push", outbox, "--hub", site.url, "--token", token)
    object_id = next(one["object_id"] for one in told("status", outbox) if one["object_id"].startswith("indicator"))
    said = run("withdraw", outbox, object_id, "--by", "R. Ames", "--reason", "an evaluation of our own")
    assert "next push" in said.stderr
    assert told("push", outbox, "--hub", site.url, "--token", token)["taken"] == 1


def test_a_withdrawal_says_where_the_object_still_is(tmp_path: Path, outbox: Path, site: Site) -> None:
    member, token = site.members["heron"]
    told("clear", findings(tmp_path / "run"), "--out", outbox, "--member", member)
    push = ("push", outbox, "--hub", site.url, "--token", token, "--collection")
    told(*push, "inbox")
    object_id = next(one["object_id"] for one in told("status", outbox) if one["object_id"].startswith("indicator"))
    said = run("withdraw", outbox, object_id, "--by", "R. Ames", "--reason", "an evaluation of our own")
    assert f"still at {site.url}" in said.stderr
    wrong = run(*push, "shared")
    assert f"1 withdrawn objects are still at {site.url}" in wrong.stderr
    [state] = [one["state"] for one in told("status", outbox) if one["object_id"] == object_id]
    assert state.startswith(f"withdrawn; still at {site.url}")
    assert told(*push, "inbox")["elsewhere"] == []
    assert [one["state"] for one in told("status", outbox) if one["object_id"] == object_id] == ["withdrawn"]


def test_a_finding_is_shared_without_the_members_name(tmp_path: Path, outbox: Path, site: Site) -> None:
    member, token = site.members["heron"]
    clear = ("clear", findings(tmp_path / "run"), "--out", outbox, "--member", member, "--anonymous")
    assert isinstance(run(*clear).exception, UsageError)
    told(*clear, "--hub", site.url, "--token", token)
    push = ("push", outbox, "--hub", site.url, "--token", token)
    assert "wait for `share push --anonymous`" in run(*push).stderr
    sent = told(*push, "--anonymous")
    assert sent["taken"] > 0
    assert (sent["refused"], sent["waiting"]) == ([], [])
    theirs = site.members["osprey"]
    told("pull", "--hub", site.url, "--out", tmp_path / "in", "--token", theirs[1], "--member", theirs[0])
    with Inbox(tmp_path / "in" / "received.sqlite") as inbox:
        assert {one.source for one in inbox.latest()} == {"anonymous"}
    named = run("clear", tmp_path / "run", "--out", outbox)
    assert isinstance(named.exception, PolicyRefusedError)
    assert "with --anonymous" in str(named.exception)
    told(*clear)  # who stands for the member is known by now


def test_a_hub_that_is_not_there(tmp_path: Path, outbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stillwatch.sharing.wire.connection._ATTEMPTS", 1)
    told("clear", findings(tmp_path / "run"), "--out", outbox)
    away = run("push", outbox, "--hub", "https://localhost:9", "--token", "t")
    assert isinstance(away.exception, RemoteError)
    assert "localhost:9" in str(away.exception)


def test_nothing_pulled_is_told(tmp_path: Path) -> None:
    nothing = run("match", tmp_path, "--identifiers", holders(tmp_path / "h.jsonl"), "--hub", "https://h.example")
    assert isinstance(nothing.exception, UsageError)


def test_two_members_learn_their_overlap_and_log_it_first(tmp_path: Path) -> None:
    channel = tmp_path / "channel"
    channel.mkdir()
    (tmp_path / "b.jsonl").write_text(
        '{"account_id": "b-1", "email": "buyer1@mail.example"}\n{"account_id": "b-2", "email": "z@mail.example"}\n'
    )
    for side in ("a", "b"):
        told("bases", tmp_path / side, "--adopt", BASES[0], *ADOPT)
    by_two = ("--by", "R. Ames", "--by", "T. Okoro", "--reason", "case 7")
    answer = [STILLWATCH, "share", "answer", tmp_path / "b", "--identifiers", tmp_path / "b.jsonl", *by_two]
    with subprocess.Popen([*answer, "--channel", channel]) as answering:
        asked = told(
            "ask", tmp_path / "a", "--identifiers", holders(tmp_path / "a.jsonl", 0, 1), "--channel", channel, *by_two,
            "--wait", 120,
        )  # fmt: skip
        assert answering.wait() == 0
    assert asked == ["acct-1"]
    for side in ("a", "b"):
        verified = CliRunner().invoke(app, ["hub", "audit", "verify", str(tmp_path / side / "log"), "--json"])
        assert json.loads(verified.stdout)["entries"] == 2
    again = run("ask", tmp_path / "a", "--identifiers", tmp_path / "a.jsonl", "--channel", channel, *by_two)
    assert isinstance(again.exception, UsageError)
