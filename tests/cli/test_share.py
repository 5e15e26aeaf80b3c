"""`stillwatch share` from a finding to another member, as people type it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.sharing.hubs import BANDS, Site, running_hub
from typer.testing import CliRunner, Result

from stillwatch.cli.main import app
from stillwatch.detection.findings.model import Alternative, Campaign, Evidence, Exposure, Member, Template, Verdict
from stillwatch.errors import PolicyRefusedError, RemoteError, UsageError
from stillwatch.sharing.objects.extensions import llm_account_of
from stillwatch.sharing.received import Inbox

STILLWATCH = Path(sys.executable).with_name("stillwatch")
ADOPT = (
    "--until",
    (datetime.now(UTC) + timedelta(days=365)).date().isoformat(),
    "--by",
    "R. Ames",
    "--reason",
    "memo 12",
)
BASES = ("us-2014-statement", "eu-gdpr-6-1-f", "eu-horizontal-2023")


def evidence(signal: str, bits: float) -> Evidence:
    return Evidence(factor="multiple_accounts", signal=signal, bits=bits, p_value=1e-6, detail="")


def moment(*, days_ago: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()


def findings(directory: Path, *, circumvented: bool = True) -> Path:
    directory.mkdir()
    harvest = Campaign(
        campaign_id="cmp-1",
        kind="harvest",
        confidence="high",
        p_value=1e-9,
        accounts=[Member(account_id=f"acct-{number}", role="harvester", share=1.0) for number in range(30)]
        + ([Member(account_id="acct-victim", role="victim", share=0.1)] if circumvented else []),
        exchanges=1234,
        first_seen=moment(days_ago=9),
        last_seen=moment(days_ago=2),
        models=["secret-next-model"],
        templates=[Template(sketch=["00"], text="You grade answers. Answer: {…}", exchanges=1234, accounts=30)],
        evidence=[evidence("shared_identity", 20.0 if circumvented else 0.1)],
        alternatives=[Alternative(explanation="a prompt in fashion, copied from one source", kept=False, why="")],
        recommended_action="block",
        exposure=Exposure(
            exchanges=1234,
            output_tokens=99_887,
            reasoning_tokens=None,
            distinct_prompts=5,
            capabilities=["reasoning_elicitation"],
        ),
    )
    (directory / "campaigns.json").write_bytes(msgspec.json.encode({"campaigns": [harvest]}))
    verdict = Verdict(
        account_id="acct-0",
        action="block",
        reason_code="campaign_member",
        ttl_s=60,
        campaign_id="cmp-1",
        template_bands=list(BANDS),
    )
    (directory / "verdicts.jsonl").write_bytes(msgspec.json.encode(verdict) + b"\n")
    (directory / "run.json").write_text('{"configuration": {"releases": null}}')
    return directory


def holders(path: Path, *numbers: int) -> Path:
    rows = [{"account_id": f"acct-{number}", "email": f"buyer{number}@mail.example"} for number in numbers]
    rows.append({"account_id": "acct-victim", "email": "victim@shop.example"})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["share", *map(str, arguments)])


def told(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, (result.exception, result.stderr)
    return json.loads(result.stdout)


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """An outbox whose counsel has adopted all that the rules rest on."""
    path = tmp_path / "outbox"
    for basis in BASES:
        told("bases", path, "--adopt", basis, *ADOPT)
    return path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running_hub(tmp_path / "hub", "heron", "osprey") as site:
        yield site


def states(cleared: Any) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for fact in cleared["items"][0]["facts"]:
        found.setdefault(fact["state"], set()).add(fact["field"])
    return found


def test_without_a_legal_basis_everything_waits_for_counsel(tmp_path: Path) -> None:
    cleared = told("clear", findings(tmp_path / "run"), "--out", tmp_path / "outbox")
    assert cleared["items"][0]["objects"] == []
    assert "leaves" not in states(cleared)
    assert cleared["held"] > 0
    result = run("clear", tmp_path / "run", "--out", tmp_path / "outbox")
    assert "wait for counsel" in result.stderr
    assert "no legal basis" in " ".join(result.stderr.split())


def test_what_leaves_says_nothing_that_must_stay(tmp_path: Path, outbox: Path) -> None:
    cleared = told("clear", findings(tmp_path / "run"), "--out", outbox)
    assert {"cluster.accounts", "template.bands", "volume.exchanges"} <= states(cleared)["leaves"]
    assert "target.models" in states(cleared)["withheld"]
    sent = b"".join(path.read_bytes() for path in (outbox / "objects").glob("*.jsonl"))
    assert BANDS[0].encode() in sent
    for secret in (b"secret-next-model", b"acct-", b"1234", b"99887", b"cmp-1", b"block"):
        assert secret not in sent


def test_two_persons_release_what_the_circumvention_test_holds(tmp_path: Path, outbox: Path) -> None:
    cleared = told("clear", findings(tmp_path / "run", circumvented=False), "--out", outbox)
    assert cleared["items"][0]["objects"] == []
    listed = run("review", outbox).stderr
    assert "circumvention" in listed
    left = told("review", outbox, "--release", "cmp-1", "--by", "R. Ames", "--reason", "read it")
    assert {one["released_by"][0] for one in left} == {"R. Ames"}
    assert "one more person" in run("review", outbox).stderr
    assert told("review", outbox, "--release", "cmp-1", "--by", "T. Okoro", "--reason", "agreed") == []
    assert any((outbox / "objects").glob("*.jsonl"))
    trace = told("status", outbox)
    assert {tuple(one["released_by"]) for one in trace} == {("R. Ames", "T. Okoro")}
    assert "by R. Ames, T. Okoro" in run("status", outbox).stderr


def test_the_same_person_does_not_count_twice(tmp_path: Path, outbox: Path) -> None:
    told("clear", findings(tmp_path / "run", circumvented=False), "--out", outbox)
    key = told("review", outbox)[0]["key"]
    told("review", outbox, "--release", key, "--by", "R. Ames", "--reason", "read it")
    again = run("review", outbox, "--release", key, "--by", " r.  AMES ", "--reason", "again")
    assert isinstance(again.exception, PolicyRefusedError)
    assert again.exception.exit_code == 5


def test_a_refusal_ends_it(tmp_path: Path, outbox: Path) -> None:
    told("clear", findings(tmp_path / "run", circumvented=False), "--out", outbox)
    key = told("review", outbox)[0]["key"]
    left = told("review", outbox, "--refuse", key, "--by", "R. Ames", "--reason", "too fine")
    assert key not in {one["key"] for one in left}
    assert isinstance(run("review", outbox, "--release", key, "--by", "B", "--reason", "r").exception, UsageError)


def test_an_opinion_stands_once_two_persons_gave_it(tmp_path: Path, outbox: Path) -> None:
    opinion = ("opine", outbox, "--class", 14, "--until", moment(days_ago=-90)[:10], "--reason", "bands only")
    assert told(*opinion, "--by", "R. Ames")["stands"] is False
    assert "waits for a second person" in run(*opinion, "--by", "R. Ames").stderr
    assert told(*opinion, "--by", "T. Okoro")["stands"] is True
    cleared = told("clear", findings(tmp_path / "run", circumvented=False), "--out", outbox)
    assert "cluster.accounts" in states(cleared)["leaves"]
    cited = {"by": ["R. Ames", "T. Okoro"], "reason": "bands only", "until": moment(days_ago=-90)[:10]}
    shown = [one["opinions"] for one in told("status", outbox) if one["object_id"].startswith("campaign")]
    name = told(*opinion, "--by", "T. Okoro")["opinion"]
    assert shown == [[{"opinion": name, **cited}]]
    assert (
        f"by opinion {name} of R. Ames and T. Okoro until {cited['until']} (bands only)" in run("status", outbox).stderr
    )
    assert "ended" in run("opine", outbox, "--end", name, "--by", "R. Ames", "--reason", "too wide").stderr
    cleared = told("clear", tmp_path / "run", "--out", outbox)
    assert "leaves" not in states(cleared)
    past = run("opine", outbox, "--class", 14, "--until", "2001-01-01", "--reason", "r", "--by", "R. Ames")
    assert isinstance(past.exception, UsageError)


def test_bases_are_shown_with_why_they_do_not_count(outbox: Path) -> None:
    shown = {one["id"]: one["why_not"] for one in told("bases", outbox)}
    assert shown["us-2014-statement"] is None
    assert shown["us-cisa-2015"] is not None
    assert "in force" in run("bases", outbox).stderr
    assert isinstance(run("bases", outbox, "--adopt", "no-such", *ADOPT).exception, UsageError)


def test_a_label_or_a_day_that_does_not_exist(tmp_path: Path, outbox: Path) -> None:
    wrong = run("clear", findings(tmp_path / "run"), "--out", outbox, "--tlp", "purple")
    assert isinstance(wrong.exception, UsageError)
    assert "amber+strict" in str(wrong.exception)
    day = run("opine", outbox, "--class", 2, "--until", "soon", "--by", "x", "--reason", "r")
    assert isinstance(day.exception, UsageError)


@pytest.mark.parametrize("name", ["nobody", "identity--x", "campaign--4f9d9c1e-0c6f-4f0e-8a51-6a8f4f0a9b11", ""])
def test_a_recipient_is_a_member(tmp_path: Path, name: str) -> None:
    wrong = run("clear", tmp_path / "no run", "--out", tmp_path / "outbox", "--recipient", name)
    assert isinstance(wrong.exception, UsageError)
    assert "no id of a member" in str(wrong.exception)
    assert not (tmp_path / "outbox").exists()


def test_an_adoption_is_for_a_year_at_most(outbox: Path) -> None:
    late = run("bases", outbox, "--adopt", BASES[0], "--until", "2099-12-31", "--by", "R. Ames", "--reason", "memo")
    assert isinstance(late.exception, UsageError)
    assert "366 days" in str(late.exception)


def test_identifiers_without_a_hub_make_no_tokens_and_say_so(tmp_path: Path, outbox: Path) -> None:
    own = holders(tmp_path / "heron.jsonl", 0)
    result = run("clear", findings(tmp_path / "run"), "--out", outbox, "--identifiers", own, "--json")
    assert "no tokens are made" in result.stderr
    assert "identity.email" in states(json.loads(result.stdout))["withheld"]
    assert "no tokens" not in run("clear", tmp_path / "run", "--out", outbox).stderr


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


def test_facts_of_analysts_are_cleared_too(tmp_path: Path, outbox: Path) -> None:
    facts = tmp_path / "facts.jsonl"
    facts.write_text(
        '{"item": "cmp-1", "field": "money.price", "value": 31337}\n'
        '{"item": "other", "field": "attribution.person", "value": "Somebody Known"}\n'
    )
    cleared = told("clear", findings(tmp_path / "run"), "--out", outbox, "--facts", facts)
    assert [item["item"] for item in cleared["items"]] == ["cmp-1", "other"]
    assert "money.price" in states(cleared)["withheld"]
    assert cleared["items"][1]["facts"][0]["state"] == "withheld"


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
    answer = [STILLWATCH, "share", "answer", tmp_path / "b", "--identifiers", tmp_path / "b.jsonl", "--by", "B"]
    answering = subprocess.Popen([*answer, "--channel", channel])
    asked = told(
        "ask", tmp_path / "a", "--identifiers", holders(tmp_path / "a.jsonl", 0, 1), "--channel", channel, "--by", "A",
        "--wait", 120,
    )  # fmt: skip
    assert answering.wait() == 0
    assert asked == ["acct-1"]
    for side in ("a", "b"):
        verified = CliRunner().invoke(app, ["hub", "audit", "verify", str(tmp_path / side / "log"), "--json"])
        assert json.loads(verified.stdout)["entries"] == 2
    again = run("ask", tmp_path / "a", "--identifiers", tmp_path / "a.jsonl", "--channel", channel, "--by", "A")
    assert isinstance(again.exception, UsageError)


@pytest.mark.parametrize("verb", ["review", "status", "push"])
def test_a_directory_that_is_no_outbox_is_told(verb: str, tmp_path: Path) -> None:
    more = ("--hub", "https://h.example", "--token", "t") if verb == "push" else ()
    wrong = run(verb, tmp_path / "typo", *more)
    assert isinstance(wrong.exception, UsageError)
    assert not (tmp_path / "typo").exists()


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    made = tmp_path / "file" / "out"
    assert isinstance(run("clear", findings(tmp_path / "run"), "--out", made).exception, UsageError)
    pulled = run("pull", "--hub", "https://h.example", "--token", "t", "--out", made)
    assert isinstance(pulled.exception, UsageError)
