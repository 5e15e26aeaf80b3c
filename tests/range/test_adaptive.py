from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.detection.findings.model import ACTIONS, Action
from stillwatch.errors import UsageError
from stillwatch_range.adaptive import Round, look_back, run_rounds
from stillwatch_range.attacker import ADAPTATIONS
from stillwatch_range.material import Material
from stillwatch_range.plan import Scenario
from stillwatch_range.replay import PASSAGE_SCHEMA
from stillwatch_range.text import ANALYST

CALM = Scenario(name="calm", benign_accounts=80, history_accounts=80, days=3, hard_negatives="none")


@pytest.fixture(scope="module")
def rounds(material: Material, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Round]]:
    def run(kind: str) -> list[Round]:
        work = tmp_path_factory.mktemp(kind)
        return run_rounds(material, CALM, ANALYST, ADAPTATIONS[kind], 3, work, step_hours=12)

    return {kind: run(kind) for kind in ("nothing", "everything")}


@pytest.mark.slow
def test_who_does_not_adapt_is_held_back_from_the_second_day_on(rounds: dict[str, list[Round]]) -> None:
    first, *later = rounds["nothing"]
    assert [day.number for day in rounds["nothing"]] == [1, 2, 3]
    assert first.taken > 0
    assert all(day.share < 0.05 for day in later)
    assert {(day.accounts, day.accounts_spent, day.wordings) for day in rounds["nothing"]} == {(20, 20, 0)}
    assert {day.sent for day in rounds["nothing"]} == {240}


@pytest.mark.slow
def test_the_first_day_knows_nothing_of_what_comes(rounds: dict[str, list[Round]]) -> None:
    assert rounds["nothing"][0] == rounds["everything"][0]


@pytest.mark.slow
def test_evasion_is_paid_for(rounds: dict[str, list[Round]]) -> None:
    first, second, third = rounds["everything"]
    assert [day.sent for day in rounds["everything"]] == [240, 120, 60]
    assert first.accounts < second.accounts < third.accounts
    assert second.accounts_spent == second.accounts + first.refused_accounts
    assert [day.wordings for day in rounds["everything"]] == [0, 1, 3]
    assert second.share > rounds["nothing"][1].share


def test_the_attacker_sits_in_the_networks_of_the_customers(material: Material, tmp_path: Path) -> None:
    quiet = msgspec.structs.replace(CALM, days=1)
    run_rounds(material, quiet, ANALYST, ADAPTATIONS["nothing"], 4, tmp_path, step_hours=24)
    customers = {record["account_id"] for record in pq.read_table(tmp_path / "logs" / "window").to_pylist()}
    day = pq.read_table(tmp_path / "day-0.parquet").to_pylist()
    theirs = {row["client_ip"] for row in day if row["account_id"] in customers}
    own = {row["client_ip"] for row in day if row["account_id"] not in customers}
    shared = own & theirs
    assert shared, "carriers, clouds and tunnels are common"
    assert own - theirs, "homes are not"


@pytest.mark.parametrize(
    ("action", "refused", "taken"),
    [("allow", 0, 1), ("watch", 0, 1), ("throttle", 1, 0), ("challenge", 1, 0), ("degrade", 0, 0), ("block", 1, 0)],
)
def test_the_attacker_sees_refusals_and_not_what_was_degraded(action: Action, refused: int, taken: int) -> None:
    level = ACTIONS.index(action)
    rows = [("e0", "own", 0, level, 0, 0), ("e1", "own", 1, 0, level, 0), ("e2", "other", 2, level, 0, 0)]
    passage = pa.table([pa.array(column) for column in zip(*rows, strict=True)], schema=PASSAGE_SCHEMA)
    feedback, took, innocents = look_back(passage, {"e0": "camp"}, ["own"])
    assert (feedback.harvest_sent, feedback.harvest_refused, took) == (1, refused, taken)
    assert (feedback.cover_sent, feedback.cover_refused) == (1, refused)
    assert feedback.refused_accounts == (frozenset({"own"}) if refused else frozenset())
    assert innocents == 1 - taken


def test_a_family_that_is_not_there_is_an_error(material: Material, tmp_path: Path) -> None:
    quiet = msgspec.structs.replace(CALM, days=1)
    with pytest.raises(UsageError, match="unknown family"):
        run_rounds(material, quiet, "nothing", ADAPTATIONS["nothing"], 1, tmp_path, step_hours=12)
