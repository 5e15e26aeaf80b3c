import random
from itertools import islice

import pytest

from stillwatch_range.families import FAMILIES
from stillwatch_range.families.base import Source
from stillwatch_range.families.bypass import variants, with_wording, wording
from stillwatch_range.families.framed import frames
from stillwatch_range.families.replay import present_handles
from stillwatch_range.ids import Identifiers
from stillwatch_range.material import Dialogue, Turn
from stillwatch_range.metadata import World
from stillwatch_range.populations import Account, Conversations, Work
from stillwatch_range.text import invent_populations


def source(seed: int = 1, tasks: int = 0) -> Source:
    talks = Conversations(random.Random(seed), invent_populations(3, 400))
    return Source(random.Random(seed), talks, [f"Count to {number} and {{stop}}." for number in range(tasks)])


def made(family: str, count: int, seed: int = 1) -> list[Dialogue]:
    return list(islice(FAMILIES[family](source(seed)), count))


def account(name: str, work: list[Work]) -> Account:
    world = World(random.Random(1), Identifiers(1), 0, 500)
    return Account(name, world.person(), "campaign", "replay", campaign="camp", window=work)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_is_made_from_its_seed_without_open_slots_or_repeats(family: str) -> None:
    talks = made(family, 150)
    assert talks == made(family, 150)
    assert talks != made(family, 150, seed=2)
    assert len({talk[0].prompt for talk in talks}) > 145
    assert not [turn for talk in talks for turn in talk if "{" in turn.prompt or not turn.prompt.strip()]


def test_tasks_of_the_corpora_come_first_and_once_each_as_they_are() -> None:
    prompts = [talk[0].prompt for talk in islice(FAMILIES["tags"](source(tasks=20)), 30)]
    assert len({prompt.partition("\n")[0] for prompt in prompts if "{stop}" in prompt}) == 20
    assert all("{stop}" not in prompt for prompt in prompts[20:])


def test_reasoning_is_asked_for_in_several_languages() -> None:
    text = " ".join(talk[0].prompt for talk in made("reasoning", 400))
    assert len(frames()["reasoning"]) >= 8
    assert all(mark in text for mark in ("Gedank", "razonamiento", "raisonnement", "推理", "推論", "рассуждение"))


def test_an_injected_instruction_is_a_fixed_end() -> None:
    ends = {talk[0].prompt.rpartition("\n\n")[2] for talk in made("tags", 50)}
    assert len(ends) == 1
    assert "<inner>" in ends.pop()


def test_trajectories_offer_their_tools_in_every_turn() -> None:
    for talk in made("tools", 40):
        assert 3 <= len(talk) <= 9
        assert len({turn.tools for turn in talk}) == 1
        assert 3 <= len(talk[0].tools) <= 8


def test_a_front_end_passes_conversations_on_as_they_are() -> None:
    own = source()
    spoken = {turn.prompt for pile in invent_populations(3, 400).values() for talk in pile for turn in talk}
    talks = list(islice(FAMILIES["forwarded"](own), 100))
    assert {turn.prompt for talk in talks for turn in talk} <= spoken
    assert 50 < sum(talk[0].system is not None for talk in talks) < 90
    assert own.talks.left() == 300


def test_a_search_tries_many_wordings_and_scales_up_one() -> None:
    attempts = [talk[0] for talk in islice(variants(source(), refused=0.9), 1000)]
    assert len({turn.prompt for turn in attempts}) > 990
    assert 860 < sum(turn.refused for turn in attempts) < 940
    chosen = wording(random.Random(1))
    wrapped = [with_wording(chosen, (Turn(f"task {n}", "s"), Turn("more"))) for n in range(3)]
    assert len({talk[0].prompt.replace(f"task {n}", "") for n, talk in enumerate(wrapped)}) == 1
    assert wrapped[0][0].system == "s"
    assert wrapped[0][1] == Turn("more")


def test_replayed_handles_were_issued_to_other_accounts() -> None:
    cover = Work((Turn("cover"),))
    accounts = [
        account(f"a{number}", [Work((Turn("x"), Turn("y")), harvest=True, campaign="camp"), cover] * 20)
        for number in range(5)
    ]
    present_handles(random.Random(1), Identifiers(1), accounts, "camp")
    issuers = []
    for who in accounts:
        for work in who.window:
            first, *rest = work.dialogue
            assert (first.handle is not None) == work.harvest
            assert all(turn.handle is None for turn in rest)
            if first.handle is not None:
                issuers.append(first.handle[1])
                assert first.handle[1] != who.account_id
    assert 0.05 < issuers.count(None) / len(issuers) < 0.4
