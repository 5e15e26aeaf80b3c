"""`stillwatch share` from a finding to another member, as people type it."""

import json
import re
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest
from tests.cli.shares import ADOPT, BASES, findings, holders, moment, run, states, told
from tests.sharing.hubs import BANDS

from stillwatch.errors import PolicyRefusedError, UsageError
from stillwatch.sharing.clearance.outbox import Outbox


def test_without_a_legal_basis_everything_waits_for_counsel(tmp_path: Path) -> None:
    cleared = told("clear", findings(tmp_path / "run"), "--out", tmp_path / "outbox")
    assert cleared["items"][0]["objects"] == []
    assert "leaves" not in states(cleared)
    assert cleared["held"] > 0
    result = run("clear", tmp_path / "run", "--out", tmp_path / "outbox")
    assert "wait for counsel" in result.stderr
    assert "no legal basis" in " ".join(result.stderr.split())


def test_a_directory_of_something_else_is_not_filled(tmp_path: Path) -> None:
    run_dir = findings(tmp_path / "run")
    before = sorted(run_dir.iterdir())
    result = run("clear", run_dir, "--out", run_dir)
    assert isinstance(result.exception, UsageError)
    assert sorted(run_dir.iterdir()) == before


def test_what_leaves_says_nothing_that_must_stay(tmp_path: Path, outbox: Path) -> None:
    cleared = told("clear", findings(tmp_path / "run"), "--out", outbox)
    assert {"cluster.accounts", "template.bands", "volume.exchanges"} <= states(cleared)["leaves"]
    assert "target.models" in states(cleared)["withheld"]
    sent = b"".join(path.read_bytes() for path in (outbox / "objects").glob("*.jsonl"))
    assert BANDS[0].encode() in sent
    said = re.sub(rb"[0-9a-f][0-9a-f-]{15,}", b"", sent)  # ids and digests have any four digits now and then
    for secret in (b"secret-next-model", b"acct-", b"1234", b"99887", b"cmp-1", b"block"):
        assert secret not in said


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


def test_counsel_sees_the_end_that_would_go_out(tmp_path: Path, outbox: Path) -> None:
    end = datetime.now(UTC) + timedelta(days=3)
    context = {"residential": True, "expires_at": end.timestamp()}
    told_of = {"item": "cmp-1", "field": "infrastructure.hosting_ip", "value": "8.8.4.4", "context": context}
    (tmp_path / "facts.jsonl").write_text(json.dumps(told_of))
    told("clear", findings(tmp_path / "run"), "--out", outbox, "--facts", tmp_path / "facts.jsonl")
    assert f"leaves with its end: {(end + timedelta(days=1)).date()}" in run("review", outbox).stderr


def own_rules(path: Path) -> Path:
    """Write a table that lets no shape of a cluster go."""
    file = resources.files("stillwatch.sharing.clearance").joinpath("rules.toml")
    blocks = file.read_text("utf-8").split("[[class]]\n")
    kept = [one.split("[[class.rule]]")[0] if "number = 14\n" in one else one for one in blocks]
    text = "[[class]]\n".join(kept)
    path.write_text(re.sub(r'version = "[^"]*"', 'version = "own-1"', text, count=1))
    return path


def test_own_rules_and_adoptions_are_named_again(tmp_path: Path) -> None:
    """An opinion given without the adoptions would outlive the law; a push without the rules would loosen them."""
    counsels, outbox = tmp_path / "counsels.toml", tmp_path / "outbox"
    for basis in BASES:
        told("bases", tmp_path / "other", "--adopt", basis, *ADOPT)
    (tmp_path / "other" / "bases.toml").rename(counsels)
    named = ("--rules", own_rules(tmp_path / "own.toml"), "--bases", counsels)
    cleared = told("clear", findings(tmp_path / "run"), "--out", outbox, *named)
    assert "cluster.accounts" in states(cleared)["withheld"]
    opinion = ("opine", outbox, "--class", 2, "--until", moment(days_ago=-90)[:10], "--reason", "r", "--by")
    push = ("push", outbox, "--hub", "https://localhost:9", "--token", "t")
    for command in (("review", outbox), (*opinion, "R. Ames"), push, ("clear", tmp_path / "run", "--out", outbox)):
        for partly, missing in ((named[2:], "--rules FILE"), (named[:2], "--bases FILE"), ((), "--rules FILE")):
            refused = run(*command, *partly)
            assert isinstance(refused.exception, PolicyRefusedError), command
            assert missing in str(refused.exception)
    assert told(*opinion, "R. Ames", *named)["stands"] is False
    assert told(*opinion, "T. Okoro", *named)["stands"] is True
    with Outbox(outbox) as kept:
        [one] = kept.opinions
        assert "us-2014-statement" in one.bases
    assert told("opine", outbox, "--end", one.id, "--by", "R. Ames", "--reason", "too wide")["stands"] is False
    taken_back = ("--by", "R. Ames", "--reason", "wrong", "--json")  # nor does a withdrawal ask for any rules
    for made in told("status", outbox):
        assert json.loads(run("withdraw", outbox, made["object_id"], *taken_back).stdout)["still_at"] == []
    ours = ("--rules", "standard", "--bases", outbox / "bases.toml")
    (outbox / "bases.toml").write_bytes(counsels.read_bytes())
    told("clear", tmp_path / "run", "--out", outbox, *ours)
    assert told("review", outbox) == []
    assert "cluster.accounts" in states(told("clear", tmp_path / "run", "--out", outbox))["leaves"]


def test_an_outbox_without_adoptions_of_its_own_is_named_as_the_hint_says(tmp_path: Path) -> None:
    counsels, outbox = tmp_path / "counsels.toml", tmp_path / "outbox"
    told("bases", tmp_path / "other", "--adopt", BASES[0], *ADOPT)
    (tmp_path / "other" / "bases.toml").rename(counsels)
    told("clear", findings(tmp_path / "run"), "--out", outbox, "--bases", counsels)
    refused = run("review", outbox)
    assert str(outbox / "bases.toml") in str(refused.exception)
    assert told("review", outbox, "--bases", outbox / "bases.toml") != []  # nothing is adopted there, so all is held
    assert isinstance(run("review", outbox, "--bases", tmp_path / "none.toml").exception, UsageError)


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
