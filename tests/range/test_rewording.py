from stillwatch_range.material import Turn
from stillwatch_range.rewording import reword, reword_dialogue

TEXT = "Please write the answer to each question, and explain the steps for Copenhagen's 37 ferries."


def test_a_wording_is_the_same_every_time_and_another_one_is_not() -> None:
    wordings = {reword(TEXT, number) for number in range(1, 30)}
    assert len(wordings) == 29
    assert reword(TEXT, 4) == reword(TEXT, 4)


def test_it_leaves_alone_what_the_request_is_about() -> None:
    assert all("Copenhagen's 37 ferries." in reword(TEXT, number) for number in range(1, 30))


def test_a_template_stays_a_template() -> None:
    first, second = (reword(f"Explain the steps that {what} must take.", 6) for what in ("bakers", "sailors"))
    assert first != "Explain the steps that bakers must take."
    assert first.replace("bakers", "sailors") == second


def test_a_large_letter_stays_large() -> None:
    assert {reword("Write", number) for number in range(1, 60)} == {"Write", "Compose", "Draft", "Put down"}


def test_every_turn_and_its_system_prompt_are_reworded() -> None:
    talk = (Turn("write it", "explain the task", tools=("read_file",)), Turn("please write more"))
    changed = next(
        other for number in range(1, 99) if (other := reword_dialogue(talk, number))[0].system != talk[0].system
    )
    assert changed[0].tools == ("read_file",)
    assert changed[1].system is None
    assert any(reword_dialogue(talk, number)[1].prompt != talk[1].prompt for number in range(1, 99))
    assert reword_dialogue(talk, 0) is talk
