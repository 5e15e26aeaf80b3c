from collections import Counter

from stillwatch_range.material import Material
from stillwatch_range.text import ANALYST, invent_material


def shingles(text: str, words: int = 6) -> set[tuple[str, ...]]:
    parts = text.lower().split()
    return {tuple(parts[at : at + words]) for at in range(len(parts) - words + 1)}


def test_the_same_seed_writes_the_same_text(material: Material) -> None:
    assert invent_material(5, 1400) == material
    assert invent_material(6, 1400).populations != material.populations


def test_people_rarely_use_the_same_six_words(material: Material) -> None:
    talks = [talk for pile in material.populations.values() for talk in pile]
    counts = Counter(shingle for talk in talks for shingle in shingles(talk[0].prompt))
    assert max(counts.values()) < 0.03 * len(talks)


def test_no_two_long_openings_are_alike(material: Material) -> None:
    openings = [talk[0].prompt for pile in material.populations.values() for talk in pile]
    long = [opening for opening in openings if len(opening) >= 40]
    assert len(long) > 1000
    assert len(set(long)) == len(long)


def test_no_slot_is_left_open(material: Material) -> None:
    piles = [*material.populations.values(), *material.families.values()]
    piles += [items for variants in material.workloads.values() for items in variants]
    texts = [turn.prompt for pile in piles for talk in pile for turn in talk]
    assert not [text for text in texts if "{" in text or not text.strip()]


def test_several_languages_are_spoken(material: Material) -> None:
    text = " ".join(turn.prompt for talk in material.populations["abroad"] for turn in talk)
    assert all(mark in text for mark in ("ä", "¿", "ç"))


def test_every_harvest_prompt_is_one_template(material: Material) -> None:
    prompts = [talk[0].prompt for talk in material.families[ANALYST]]
    common = set.intersection(*(shingles(prompt) for prompt in prompts))
    assert len(common) > 30
    assert len(set(prompts)) == len(prompts)


def test_a_benchmark_is_the_same_everywhere() -> None:
    assert invent_material(1, 40).workloads["benchmark"] == invent_material(2, 40).workloads["benchmark"]
