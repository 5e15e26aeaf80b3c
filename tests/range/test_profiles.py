import random
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import UsageError
from stillwatch_range.campaigns import CampaignPlan
from stillwatch_range.ids import Identifiers
from stillwatch_range.material import Material, Turn
from stillwatch_range.metadata import World, tls_fingerprint
from stillwatch_range.populations import Account, Shift, Work
from stillwatch_range.profiles import dress, known_profiles
from stillwatch_range.scenario import Scenario, build_window
from stillwatch_range.text import ANALYST
from stillwatch_range.workloads import known_workloads


def accounts(count: int, cohort: str = "ordinary", *, program: bool | None = True) -> list[Account]:
    world = World(random.Random(1), Identifiers(1), 0, 500)
    return [
        Account(f"a{number}", world.person(program=program), "benign", cohort, window=[Work((Turn("x"),))])
        for number in range(count)
    ]


def test_recorded_programs_are_those_of_the_captures() -> None:
    assert set(known_profiles()) == {
        *("distilabel", "curator-openai", "curator-litellm", "synthetic-data-kit", "lm-eval-chat"),
        *("lm-eval-completions", "openai-sdk", "anthropic-sdk", "langchain", "llamaindex", "aider"),
    }
    agents = Counter(profile.user_agent for profile in known_profiles().values())
    assert max(agents.values()) >= 3, "a user agent must not tell a harvest from other work"


def test_programs_send_what_was_recorded_and_browsers_what_they_did() -> None:
    everybody = accounts(400, program=None)
    browsers = {a.account_id: a.party.client.user_agent for a in everybody if not a.party.client.is_program}
    dress(random.Random(2), everybody, {})
    recorded = {profile.user_agent for profile in known_profiles().values()}
    for account in everybody:
        client = account.party.client
        assert client.tls_fingerprint == tls_fingerprint(client.user_agent)
        if account.account_id in browsers:
            assert client.user_agent == browsers[account.account_id]
            assert client.concurrency == 1
        else:
            assert client.user_agent in recorded
    assert len({account.party.client.user_agent for account in everybody} & recorded) == len(recorded)


def test_a_cohort_may_use_one_program_whose_first_request_is_another() -> None:
    harvest, others = accounts(20, "new:tags"), accounts(100)
    harvest[0].window[0] = Work((Turn("x"),), shift=Shift((3.0, 4.0)))
    dress(random.Random(1), [*harvest, *others], {"tags": "curator-litellm"})
    clients = [account.party.client for account in harvest]
    assert {client.user_agent for client in clients} == {"AsyncOpenAI/Python 2.30.0"}
    assert {client.concurrency for client in clients} == {6}
    first = harvest[0].window[0]
    assert first.dialogue == (Turn("hi"),)
    assert not first.harvest
    assert first.shift
    assert first.shift.days == (3.0, 4.0)
    assert first.shift.client
    assert first.shift.client.user_agent == "OpenAI/Python 2.30.0"
    assert "AsyncOpenAI/Python 2.30.0" in {account.party.client.user_agent for account in others}


def test_evaluation_is_told_by_its_parameters_like_the_capture() -> None:
    (account,) = accounts(1, "bench")
    dress(random.Random(1), [account], {"bench": "lm-eval-completions"})
    client = account.party.client
    assert (client.seed, client.logprobs, client.top_logprobs, client.max_tokens) == (1234, True, 1, 1)


def test_an_unknown_program_is_an_error() -> None:
    with pytest.raises(UsageError, match="unknown profile 'telnet'"):
        dress(random.Random(1), accounts(1), {"ordinary": "telnet"})


def test_every_workload_names_a_program_that_was_recorded() -> None:
    named = {workload.profile for workload in known_workloads().values()} - {None}
    assert len(named) >= 4
    assert named <= set(known_profiles())


def test_a_window_with_profiles(material: Material, small: Scenario, tmp_path: Path) -> None:
    plan = CampaignPlan(family=ANALYST, accounts=12, exchanges=240, rhythm="program", profile="distilabel")
    truth = build_window(material, tmp_path, msgspec.structs.replace(small, campaigns=(plan,), profiles=True), seed=3)
    moments = defaultdict(list)
    for row in pq.read_table(tmp_path / "window" / "exchanges.parquet").to_pylist():
        if truth.accounts[row["account_id"]].label == "campaign":
            assert row["user_agent"] == "AsyncOpenAI/Python 3.54.0"
            assert (row["n"], row["logprobs"], row["top_p"]) == (1, False, 1.0)
            assert row["extra"] == [("x-stainless-read-timeout", "120")]
            moments[row["account_id"]].append(row["ts"].timestamp())
    together = sum(later - earlier < 0.1 for own in moments.values() for earlier, later in pairwise(own))
    assert together > 0.5 * sum(map(len, moments.values()))


def test_without_profiles_nothing_of_them_is_sent(built: tuple[Path, object]) -> None:
    window = pq.read_table(built[0] / "window" / "exchanges.parquet")
    for name in ("n", "seed", "logprobs", "top_logprobs", "extra"):
        assert window[name].null_count == window.num_rows
