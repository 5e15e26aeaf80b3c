import json
import multiprocessing
import random
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.detection import factories
from tests.detection.factories import FIRM, FRAME, JUDGE, START, Row, Traffic, filled, request, write_log
from tests.detection.outputs import WHOLE, campaigns, check_readable, check_whole, deciding_bytes, lines

from stillwatch.detection.inputs import DetectRequest
from stillwatch.detection.run import DetectResult, detect
from stillwatch.features.edge import sketch_logs

Everybody = tuple[Traffic, dict[str, list[str]]]
"""A window, and the accounts of each group in it."""


def by_id(result: DetectResult) -> dict[str, str]:
    return {account.account_id: account.action for account in result.findings.accounts}


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return factories.history().write(tmp_path_factory.mktemp("past") / "history.parquet")


@pytest.fixture(scope="module")
def everybody() -> Everybody:
    """A window with strangers, a harvest, a firm with six keys, strangers on one benchmark and a licensed distiller."""
    traffic, harvesters = factories.harvest_window()
    groups = {"harvest": harvesters}
    groups["firm"] = [f"firm-{number}" for number in range(6)]
    traffic.together(groups["firm"], FIRM, each=10, org_id="quellheim")
    groups["benchmark"] = [f"bench-{number}" for number in range(8)]
    traffic.one_list(groups["benchmark"], JUDGE, items=12)
    groups["licensed"] = [f"licensed-{number}" for number in range(5)]
    licensed = FRAME.replace("almanac of small harbours", "licensed atlas of quiet lighthouses and their long evenings")
    traffic.together(groups["licensed"], licensed, each=10)
    return traffic, groups


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory, everybody: Everybody) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("beside")
    registry = folder / "registry.toml"
    members = json.dumps(everybody[1]["licensed"])
    registry.write_text(f'[[entry]]\nid = "e1"\nkind = "distillation"\nholder = "A"\naccount_ids = {members}\n')
    accounts = folder / "accounts.jsonl"
    accounts.write_text('{"account_id": "pool-003", "status": "victim"}\n{"account_id": "nobody"}\n')
    return {"registry": registry, "accounts": accounts}


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory, everybody: Everybody) -> Path:
    return everybody[0].write(tmp_path_factory.mktemp("window") / "window.parquet")


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, window: Path, past: Path, beside: dict[str, Path]
) -> tuple[Path, DetectResult]:
    out = tmp_path_factory.mktemp("finished") / "out"
    return out, detect(request(out, [window], history=[past], **beside))


def test_each_group_is_told_for_what_it_is(finished: tuple[Path, DetectResult], everybody: Everybody) -> None:
    out, _ = finished
    found = {campaign["kind"]: {m["account_id"] for m in campaign["accounts"]} for campaign in campaigns(out)}
    groups = everybody[1]
    assert found == {
        "harvest": set(groups["harvest"]),
        "single_organisation": set(groups["firm"]),
        "public_benchmark": set(groups["benchmark"]),
        "authorised": set(groups["licensed"]),
    }


def test_only_the_harvest_carries_more_than_watch(finished: tuple[Path, DetectResult], everybody: Everybody) -> None:
    actions = by_id(finished[1])
    harvesters = set(everybody[1]["harvest"])
    assert {actions[name] for name in harvesters} == {"challenge"}
    assert {action for name, action in actions.items() if name not in harvesters} <= {"allow", "watch"}


def test_every_account_has_a_line_and_every_file_is_there(finished: tuple[Path, DetectResult]) -> None:
    out, result = finished
    assert sorted(path.name for path in out.iterdir()) == sorted(WHOLE)
    rows = lines(out / "accounts.jsonl")
    assert [row["account_id"] for row in rows] == sorted(a.account_id for a in result.findings.accounts)
    verdicts = lines(out / "verdicts.jsonl")
    assert {row["account_id"] for row in verdicts} == {r["account_id"] for r in rows if r["action"] != "allow"}
    assert all(row["template_bands"] for row in verdicts if row["reason_code"] == "campaign_member")
    run = json.loads((out / "run.json").read_text("utf-8"))
    counts = run["counts"]
    assert counts["read"] == counts["accepted"] + counts["duplicate"] + counts["rejected"]
    assert run["history_counts"]["accepted"] > 0
    assert {"first", "last"} <= run["window"].keys()
    assert run["calibration"]


def test_a_victim_is_named_and_not_blocked(finished: tuple[Path, DetectResult]) -> None:
    (harvest,) = [campaign for campaign in finished[1].findings.campaigns if campaign.kind == "harvest"]
    assert [member.account_id for member in harvest.accounts if member.role == "victim"] == ["pool-003"]


def test_no_output_holds_a_shared_value_or_what_only_one_account_wrote(
    finished: tuple[Path, DetectResult], everybody: Everybody
) -> None:
    out, _ = finished
    written = "".join(path.read_text("utf-8") for path in out.iterdir())
    shared = {row.get("device_id") for row in everybody[0].rows} | {row.get("client_ip") for row in everybody[0].rows}
    assert not [value for value in shared - {None} if value in written]
    holders: dict[str, set[str]] = {}
    for row in everybody[0].rows:
        for piece in zip(*(row["prompt"].split()[start:] for start in range(4)), strict=False):
            holders.setdefault(" ".join(piece), set()).add(row["account_id"])
    assert not [piece for piece, accounts in holders.items() if len(accounts) == 1 and piece in written]


def test_the_same_bytes_whatever_the_order_of_rows_and_files(
    tmp_path: Path,
    finished: tuple[Path, DetectResult],
    everybody: Everybody,
    past: Path,
    beside: dict[str, Path],
) -> None:
    rows = list(everybody[0].rows)
    random.Random(7).shuffle(rows)
    parts = [write_log(tmp_path / f"{number}.parquet", rows[number::3]) for number in range(3)]
    for name, logs in (("shuffled", parts), ("turned", parts[::-1])):
        detect(request(tmp_path / name, logs, history=[past], **beside))
        assert deciding_bytes(tmp_path / name) == deciding_bytes(finished[0])


def test_a_large_family_gives_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    traffic, _ = factories.harvest_window(strangers=60, harvesters=40)
    traffic.together([f"pool-{number:03}" for number in range(40)], FRAME, each=60)
    rows = list(traffic.rows)
    for name in ("one", "other"):
        log = write_log(tmp_path / f"{name}.parquet", rows)
        detect(request(tmp_path / name, [log]))
        random.Random(3).shuffle(rows)
    assert deciding_bytes(tmp_path / "one") == deciding_bytes(tmp_path / "other")


def test_a_rerun_into_the_same_directory_gives_the_same_bytes(
    tmp_path: Path, finished: tuple[Path, DetectResult], window: Path, past: Path, beside: dict[str, Path]
) -> None:
    for _ in range(2):
        detect(request(tmp_path / "out", [window], history=[past], **beside))
        assert deciding_bytes(tmp_path / "out") == deciding_bytes(finished[0])


def test_a_campaign_keeps_its_id_while_the_window_moves(tmp_path: Path, past: Path) -> None:
    traffic = Traffic(11, days=4)
    traffic.strangers(200, each=8)
    traffic.together([f"pool-{number:02}" for number in range(20)], FRAME, each=20, cover=8)
    ids = set()
    for day in range(3):
        since, until = START + timedelta(days=day), START + timedelta(days=day + 2)
        log = write_log(tmp_path / f"{day}.parquet", [row for row in traffic.rows if since <= row["ts"] < until])
        detect(request(tmp_path / f"out-{day}", [log], history=[past]))
        ids |= {found["campaign_id"] for found in campaigns(tmp_path / f"out-{day}") if found["kind"] == "harvest"}
    assert len(ids) == 1


def test_sketches_give_the_same_accounts_as_the_text_they_were_made_from(
    tmp_path: Path, finished: tuple[Path, DetectResult], window: Path, past: Path, beside: dict[str, Path]
) -> None:
    for name, log in (("window", window), ("past", past)):
        sketch_logs([log], tmp_path / name, quiet=True)
    out = tmp_path / "out"
    detect(request(out, [tmp_path / "window/exchanges"], history=[tmp_path / "past/exchanges"], **beside))
    assert (out / "accounts.jsonl").read_bytes() == (finished[0] / "accounts.jsonl").read_bytes()
    assert (out / "verdicts.jsonl").read_bytes() == (finished[0] / "verdicts.jsonl").read_bytes()
    assert {template["text"] for campaign in campaigns(out) for template in campaign["templates"]} == {None}


def test_without_content_evidence_from_text_is_not_assessable(tmp_path: Path, past: Path) -> None:
    traffic, _ = factories.harvest_window()
    log = write_log(tmp_path / "log.parquet", [row | {"prompt": None} for row in traffic.rows])
    result = detect(request(tmp_path / "out", [log], history=[past]))
    for account in result.findings.accounts:
        assert {"template_linkage", "novel_mass", "harvest_intent"} <= set(account.not_assessable)
        assert account.p_value is not None
    assert result.findings.campaigns == []
    assert any("neither text nor sketches" in note for note in result.findings.notes)


@pytest.mark.parametrize("given_history", [True, False])
def test_an_empty_log_is_no_error(tmp_path: Path, past: Path, *, given_history: bool) -> None:
    log = write_log(tmp_path / "log.parquet", [])
    result = detect(request(tmp_path / "out", [log], history=[past] if given_history else []))
    assert result.findings.accounts == []
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(WHOLE)


def test_a_log_of_nothing_but_rejects_is_written_down(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    good = {"exchange_id": "1", "ts": "2026-05-01T00:00:00Z", "account_id": "a", "model": "m"}
    log.write_text("".join(json.dumps(good | {"ts": bad}) + "\n" for bad in ("1999-01-01T00:00:00Z", "yesterday")))
    result = detect(request(tmp_path / "out", [log]))
    assert (result.counts.read, result.counts.rejected) == (2, 2)
    assert len(lines(tmp_path / "out" / "rejects.jsonl")) == 2


def test_a_window_of_one_account(tmp_path: Path, past: Path) -> None:
    traffic = Traffic(4)
    traffic.together(["alone"], FRAME, each=40)
    for name, given_history in (("with", [past]), ("without", [])):
        result = detect(request(tmp_path / name, [traffic.write(tmp_path / "log.parquet")], history=given_history))
        assert by_id(result)["alone"] in {"allow", "watch"}
        assert [c for c in result.findings.campaigns if c.kind == "harvest"] == []


ODD = (
    "'; drop table x; --",
    "naïve ☃ 木",
    "\u202eright",
    "a" * 1_000,
    '"quoted"',
    " ",
    "<b>bold</b>",
    "{slot}",
)


def test_odd_account_ids_come_out_as_they_went_in(tmp_path: Path, past: Path) -> None:
    traffic = Traffic(5)
    traffic.strangers(60)
    traffic.together([*ODD, *(f"plain-{number}" for number in range(10))], FRAME, each=6)
    result = detect(request(tmp_path / "out", [traffic.write(tmp_path / "log.parquet")], history=[past]))
    (harvest,) = [campaign for campaign in result.findings.campaigns if campaign.kind == "harvest"]
    assert set(ODD) <= {member.account_id for member in harvest.accounts}
    assert set(ODD) <= {row["account_id"] for row in lines(tmp_path / "out" / "accounts.jsonl")}
    assert "<b>bold" not in (tmp_path / "out" / "report.html").read_text("utf-8")


def pooled(traffic: Traffic, names: list[str]) -> list[Row]:
    """Let harvesters share devices, which would be enough for a block where history was given."""
    place = {name: number // 5 for number, name in enumerate(names)}
    return [
        row | {"device_id": f"rack-{place[row['account_id']]}"} if row["account_id"] in place else row
        for row in traffic.rows
    ]


def test_nothing_is_blocked_without_history(tmp_path: Path, past: Path) -> None:
    traffic, names = factories.harvest_window(strangers=400)
    log = write_log(tmp_path / "log.parquet", pooled(traffic, names))
    with_history = detect(request(tmp_path / "with", [log], history=[past]))
    assert {by_id(with_history)[name] for name in names} == {"block"}
    without = detect(request(tmp_path / "without", [log]))
    assert "block" not in by_id(without).values()
    assert {by_id(without)[name] for name in names} == {"challenge"}
    assert any("nothing is blocked" in note for note in without.findings.notes)


@pytest.mark.parametrize("kind", ["empty", "rejected", "without content"])
def test_a_history_that_tells_nothing_counts_as_none(tmp_path: Path, kind: str) -> None:
    traffic, names = factories.harvest_window(strangers=400)
    log = write_log(tmp_path / "log.parquet", pooled(traffic, names))
    rows = {
        "empty": [],
        "rejected": [row | {"ts": START.replace(year=1999)} for row in factories.history().rows],
        "without content": [row | {"prompt": None} for row in factories.history().rows],
    }[kind]
    history = write_log(tmp_path / "history.parquet", rows)
    result = detect(request(tmp_path / "out", [log], history=[history]))
    assert "block" not in by_id(result).values()
    assert any("nothing is blocked" in note for note in result.findings.notes)


def test_html_in_prompts_stays_text_in_the_report(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script> <img src=x onerror=alert(2)> </title> & \"'> " + FRAME
    traffic = Traffic(6)
    traffic.strangers(60)
    traffic.together([f"pool-{number}" for number in range(12)], evil, each=6)
    detect(request(tmp_path / "out", [traffic.write(tmp_path / "log.parquet")]))
    (found,) = campaigns(tmp_path / "out")
    assert "<script>alert(1)</script>" in found["templates"][0]["text"]
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page


TOKENS = st.sampled_from(["tide", "moss", "ember", "quill", "anchor", "lantern", "otter", "copper"])


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frame=st.lists(TOKENS, min_size=12, max_size=40), secrets=st.integers(0, 10**6))
def test_emptied_text_holds_no_word_that_only_one_account_wrote(
    tmp_path_factory: pytest.TempPathFactory, frame: list[str], secrets: int
) -> None:
    folder = tmp_path_factory.mktemp("secrets")
    traffic = Traffic(secrets)
    cut = len(frame) // 2
    said: dict[str, set[str]] = {}
    for number in range(6):
        for _ in range(6):
            secret = " ".join(f"{factories.word(traffic.rng)}{number}" for _ in range(3))
            prompt = " ".join([*frame[:cut], secret, *frame[cut:]])
            for word in prompt.split():
                said.setdefault(word, set()).add(f"pool-{number}")
            traffic.add(f"pool-{number}", prompt)
    log = traffic.write(folder / "log.parquet")
    detect(request(folder / "out", [log]))
    for campaign in campaigns(folder / "out"):
        for template in campaign["templates"]:
            shown = set((template["text"] or "").split()) - {"{…}"}
            assert not [word for word in shown if len(said[word]) == 1]


FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["stillwatch.detection.run"])


def _work(out: Path, name: str) -> Callable[[], bool]:
    return lambda: any(out.glob(f".work-*/{name}"))


MOMENTS: dict[str, Callable[[Path], Callable[[], bool]]] = {
    "just begun": lambda out: _work(out, "*"),
    "history sketched": lambda out: _work(out, "sketches-history"),
    "findings begun": lambda out: (out / "rejects.jsonl").exists,
    "verdicts written": lambda out: (out / "verdicts.jsonl").exists,
}


def kill(run: DetectRequest, when: Callable[[], bool]) -> None:
    """Start a run in a process of its own and kill it at a moment, or soon after."""
    process = FORKS.Process(target=detect, args=(run,))
    process.start()
    while process.is_alive() and not when():
        time.sleep(0.0005)
    process.kill()
    process.join()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_leaves_nothing_that_looks_whole(tmp_path: Path, window: Path, past: Path, moment: str) -> None:
    out = tmp_path / "out"
    run = request(out, [window], history=[past])
    kill(run, MOMENTS[moment](out))
    check_readable(out)
    if (out / "run.json").exists():  # the kill came too late
        check_whole(out)
    if moment in {"just begun", "verdicts written"}:
        detect(run)
        check_whole(out)


@pytest.mark.parametrize("moment", ["history sketched", "findings begun"])
def test_a_killed_rerun_leaves_the_old_run_or_none(tmp_path: Path, window: Path, past: Path, moment: str) -> None:
    out = tmp_path / "out"
    bad = tmp_path / "bad.jsonl"
    bad.write_text("nonsense\n")
    detect(request(out, [window], history=[past]))
    before = {name: (out / name).read_bytes() for name in WHOLE}
    begun = {"findings begun": lambda: not (out / "run.json").exists()}
    kill(request(out, [window, bad], history=[past]), begun.get(moment) or MOMENTS[moment](out))
    check_readable(out)
    if (out / "run.json").exists():
        now = {name: (out / name).read_bytes() for name in WHOLE}
        assert now == before or now["run.json"] != before["run.json"]  # the kill came too late


def test_filled_frames_differ() -> None:
    rng = random.Random(1)
    assert filled(rng, FRAME) != filled(rng, FRAME)
