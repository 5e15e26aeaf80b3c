import random
from datetime import datetime

import pytest

from stillwatch.records.exchange import ACCOUNT_SCHEMA, EXCHANGE_SCHEMA
from stillwatch_range.exchanges import Recorder, account_records
from stillwatch_range.ids import Identifiers
from stillwatch_range.material import Pace, Turn
from stillwatch_range.metadata import World
from stillwatch_range.populations import Account, Work
from stillwatch_range.timing import Period

PACE = Pace(turn_gaps=[60.0], program_gaps=[1.0], answers={4: [100], 9: [2000]})
PERIOD = Period(1_772_409_600_000_000, 7)


@pytest.fixture
def world() -> World:
    return World(random.Random(1), Identifiers(1), PERIOD.start_us, population=500)


def recorder(*, metadata: bool = True) -> Recorder:
    return Recorder(random.Random(2), Identifiers(2), PACE, PERIOD, metadata=metadata)


def account(world: World, work: list[Work], campaign: str | None = None) -> Account:
    return Account("acct_1", world.person(), "benign", "ordinary", campaign=campaign, window=work)


def test_rows_are_in_order_of_time_and_complete(world: World) -> None:
    own = recorder()
    talk = (Turn("first", system="be brief"), Turn("second"))
    who = account(world, [Work(talk)] * 20)
    who.party.client.system = None
    own.record(who, who.window, lambda _: "larch")
    table = own.table()
    assert table.schema.equals(EXCHANGE_SCHEMA)
    moments = table["ts"].to_pylist()
    assert moments == sorted(moments)
    assert sorted(table["prompt"].to_pylist()) == ["first"] * 20 + ["second"] * 20
    assert set(table["system"].to_pylist()) == {"be brief", None}
    assert len(set(table["exchange_id"].to_pylist())) == 40


def test_turns_are_numbered_only_where_the_client_logs_sessions(world: World) -> None:
    for logs in (True, False):
        own = recorder()
        who = account(world, [Work((Turn("first"), Turn("second")))])
        who.party.client.logs_sessions = logs
        own.record(who, who.window, lambda _: "larch")
        table = own.table()
        assert table["turn"].to_pylist() == ([0, 1] if logs else [None, None])
        assert len(set(table["session_id"].to_pylist())) == 1
        assert (table["session_id"].null_count == 0) == logs


def test_only_a_campaigns_own_work_is_harvest(world: World) -> None:
    own = recorder()
    who = account(world, [Work((Turn("task"),), harvest=True), Work((Turn("cover"),))], campaign="camp_1")
    own.record(who, who.window, lambda _: "larch")
    prompts = dict(zip(own.table()["exchange_id"].to_pylist(), own.table()["prompt"].to_pylist(), strict=True))
    assert [(prompts[exchange], campaign) for exchange, campaign in own.harvested] == [("task", "camp_1")]


def test_a_programs_own_system_prompt_goes_with_its_owners_conversations_only(world: World) -> None:
    own = recorder()
    theirs = Turn("set", system="theirs")
    who = account(world, [Work((Turn("task"),), harvest=True), Work((Turn("mine"),)), Work((theirs,))], campaign="camp")
    who.party.client.system = "mine"
    own.record(who, who.window, lambda _: "larch")
    sent = dict(zip(own.table()["prompt"].to_pylist(), own.table()["system"].to_pylist(), strict=True))
    assert sent == {"task": None, "mine": "mine", "set": "theirs"}


def test_answers_follow_the_size_of_the_request_and_the_limit(world: World) -> None:
    own = recorder()
    who = account(world, [Work((Turn("x" * 1400),))] * 30)
    who.party.client.max_tokens = 512
    own.record(who, who.window, lambda _: "larch")
    answered = [
        tokens
        for tokens, status in zip(
            own.table()["output_tokens"].to_pylist(), own.table()["status"].to_pylist(), strict=True
        )
        if status == 200
    ]
    assert set(answered) == {512}


def test_an_idle_account_leaves_no_row(world: World) -> None:
    own = recorder()
    own.record(account(world, []), [], lambda _: "larch")
    assert own.table().num_rows == 0


def test_account_records_fit_their_schema(world: World) -> None:
    (full,) = account_records([account(world, [])], metadata=True)
    assert set(full) == set(ACCOUNT_SCHEMA.names)
    assert datetime.fromisoformat(str(full["created_at"])).tzinfo is not None
    (bare,) = account_records([account(world, [])], metadata=False)
    assert bare == {"account_id": "acct_1"}
