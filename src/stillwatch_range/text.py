"""Text that the range makes itself: conversations of ordinary people, one harvest, and legitimate heavy work."""

import random
import re
import tomllib
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import Any

from stillwatch_range.ids import stream
from stillwatch_range.material import Dialogue, Material, Pace, Turn

Words = dict[str, list[str]]

_SLOT = re.compile(r"\{(\w+)\}")
_POPULATIONS = {
    "home": ("kitchen", "garden", "repairs", "pets"),
    "desk": ("code", "office", "school"),
    "leisure": ("travel", "music", "fitness", "kitchen"),
}
_LONGEST_TALK = 6
_CHATTINESS = 0.4
_DETAIL = 0.7
_SAME_LIST = {"other": "thing", "other_city": "city"}
_FOLLOWED_BY = {"thing": "modifier", "other": "modifier", "concept": "angle"}
_IDENTIFYING_LENGTH = 40

ANALYST = "analyst"
"""The family of the demo's campaign: an analyst's persona that must show all of its reasoning."""


def invent_material(seed: int, talks: int) -> Material:
    """Return material for one provider, made from nothing but `seed`.

    Args:
        seed: the same seed makes the same texts.
        talks: how many conversations of ordinary people to make, over all populations.
    """
    topics, trade = _topics(), _trade()
    return Material(
        populations=invent_populations(seed, talks),
        families={ANALYST: _many(invent_analysis, stream(seed, ANALYST), 2000)},
        workloads={
            "classifier": [_many(lambda rng: _parcel_message(rng, trade), stream(seed, "classifier"), 1500)],
            "benchmark": [_many(lambda rng: _quiz_item(rng, trade), stream(0, "benchmark"), 240)],
            "summaries": [_many(lambda rng: _report(rng, trade), stream(seed, "summaries"), 300)],
            "licensed": [_many(lambda rng: _lesson(rng, topics), stream(seed, "licensed"), 600)],
        },
        pace=invent_pace(stream(seed, "pace")),
    )


def invent_populations(seed: int, talks: int) -> dict[str, list[Dialogue]]:
    """Return conversations of ordinary people, `talks` over all populations; see `invent_material`."""
    circles = {name: [_topics()[topic] for topic in of] for name, of in _POPULATIONS.items()}
    circles["abroad"] = list(_abroad().values())
    return {
        name: _talks(stream(seed, "population", name), circle, talks // len(circles))
        for name, circle in circles.items()
    }


def invent_task(rng: random.Random, language: str = "english") -> str:
    """Return what somebody might ask, in a language of the vocabulary or else in English."""
    words = _abroad().get(language) or rng.choice(list(_topics().values()))
    return _expand(rng, rng.choice(words["form"]), words)


def invent_answer(rng: random.Random) -> str:
    """Return some sentences that could be a model's answer."""
    words = rng.choice(list(_topics().values()))
    return " ".join(_expand(rng, rng.choice(words["report"]), words) for _ in range(rng.randrange(2, 6)))


def invent_system(rng: random.Random) -> str:
    """Return the system prompt of somebody's own program; half of them never changed the one of the manual."""
    if rng.random() < 0.5:
        return "You are a helpful assistant."
    words = rng.choice(list(_topics().values()))
    return _expand(rng, rng.choice(words["system"]), words)


def fill_around(rng: random.Random, form: str, words: Words, given: dict[str, str]) -> str:
    """Fill the slots of a form: from `given` as it is, from `words`, or else from the vocabulary of some topic."""
    known = {**rng.choice(list(_topics().values())), **words}
    return "".join(
        piece if place % 2 == 0 else given.get(piece) or _fill(rng, f"{{{piece}}}", known)
        for place, piece in enumerate(_pieces(form))
    )


def invent_pace(rng: random.Random) -> Pace:
    """Return gaps and answer lengths of plausible shape, for where no real timing is at hand."""
    return Pace(
        turn_gaps=[min(3000.0, rng.lognormvariate(4.8, 0.9)) for _ in range(2000)],
        program_gaps=[rng.expovariate(1.0) + 0.01 for _ in range(2000)],
        answers={size: [1 + int(rng.lognormvariate(4.6, 0.8)) for _ in range(500)] for size in range(1, 16)},
    )


@lru_cache(maxsize=1)
def _vocabulary() -> dict[str, Any]:
    return tomllib.loads((files("stillwatch_range") / "vocabulary.toml").read_text("utf-8"))


@lru_cache(maxsize=1)
def _topics() -> dict[str, Words]:
    words = _vocabulary()
    return {
        name: {**words["everywhere"], **words["trade"], **words["english"], **topic}
        for name, topic in words["topics"].items()
    }


@lru_cache(maxsize=1)
def _abroad() -> dict[str, Words]:
    words = _vocabulary()
    return {name: {**words["everywhere"], **language} for name, language in words["abroad"].items()}


@lru_cache(maxsize=1)
def _trade() -> Words:
    words = _vocabulary()
    return {**words["everywhere"], **words["trade"]}


def _talks(rng: random.Random, circle: list[Words], count: int) -> list[Dialogue]:
    """Return conversations of which no two open with the same words, unless these are very few."""
    talks: list[Dialogue] = []
    seen: set[str] = set()
    while len(talks) < count:
        words = rng.choice(circle)
        opening = _expand(rng, rng.choice(words["form"]), words)
        if rng.random() < _CHATTINESS:
            opening += " " + _expand(rng, rng.choice(words["form"]), words)
        if len(opening) >= _IDENTIFYING_LENGTH and opening in seen:
            continue
        seen.add(opening)
        turns = [Turn(opening)]
        while len(turns) < _LONGEST_TALK and rng.random() < _CHATTINESS:
            turns.append(Turn(_expand(rng, rng.choice(words["follow"]), words)))
        talks.append(tuple(turns))
    return talks


def _many(make: Callable[[random.Random], Turn], rng: random.Random, count: int) -> list[Dialogue]:
    return [(make(rng),) for _ in range(count)]


@lru_cache(maxsize=1024)
def _pieces(form: str) -> tuple[str, ...]:
    """Split a form into fixed text (even places) and slots (odd places)."""
    return tuple(_SLOT.split(form))


def _expand(rng: random.Random, form: str, words: Words) -> str:
    sentence = _fill(rng, form, words)
    return sentence[:1].upper() + sentence[1:] if rng.random() < 0.8 else sentence


def _fill(rng: random.Random, form: str, words: Words) -> str:
    """Fill the slots of a form, and the slots in what they were filled with."""
    out = []
    for place, piece in enumerate(_pieces(form)):
        if place % 2 == 0:
            out.append(piece)
        elif piece == "number":
            out.append(str(rng.randrange(2, 400)))
        else:
            out.append(_fill(rng, _pick(rng, words[_SAME_LIST.get(piece, piece)]), words))
            after = words.get(_FOLLOWED_BY.get(piece, ""))
            if after and rng.random() < _DETAIL:
                out.append(" " + _fill(rng, _pick(rng, after), words))
    return "".join(out)


def _pick(rng: random.Random, options: list[str]) -> str:
    return options[int(rng.random() * len(options))]


def invent_analysis(rng: random.Random) -> Turn:
    """Return figures for an analyst whose persona asks for all of its reasoning."""
    trade = _trade()
    rows = "\n".join(
        f"{_pick(rng, trade['region'])}, {_pick(rng, trade['goods'])}: "
        + ", ".join(str(rng.randrange(10, 999)) for _ in range(4))
        for _ in range(rng.randrange(3, 6))
    )
    subject = f"{_pick(rng, trade['measure'])} in {_pick(rng, trade['city'])}"
    return Turn(
        "You are a senior data analyst who combines statistical rigour with business sense. Go past summaries and "
        "charts: find what the figures imply. Lay out your complete and transparent reasoning before every "
        f"conclusion, including the hypotheses that you discard.\n\nSubject: {subject}\nFigures:\n{rows}\n\n"
        "End with three insights ranked by the confidence that your reasoning supports."
    )


def _parcel_message(rng: random.Random, trade: Words) -> Turn:
    system = (
        "You sort messages that customers send to a parcel service. Answer with exactly one of these labels and "
        f"nothing else: {', '.join(trade['label'])}."
    )
    return Turn(_expand(rng, rng.choice(trade["parcel"]), trade), system)


def _quiz_item(rng: random.Random, trade: Words) -> Turn:
    goods, first, second = _pick(rng, trade["goods"]), rng.randrange(12, 90), rng.randrange(12, 90)
    city, answers = _pick(rng, trade["city"]), sorted({first + second + step for step in (-9, 0, 3, 11)})
    options = "\n".join(f"{letter}. {answer}" for letter, answer in zip("ABCD", answers, strict=True))
    return Turn(
        "The following is a multiple choice question about everyday arithmetic. Answer with the letter only.\n\n"
        f"A shop in {city} sells {first} {goods} before noon and {second} after it. How many is that?\n"
        f"{options}\nAnswer:"
    )


def _report(rng: random.Random, trade: Words) -> Turn:
    sentences = " ".join(_expand(rng, rng.choice(trade["report"]), trade) for _ in range(rng.randrange(8, 16)))
    return Turn(f"Shorten this shift report to two sentences for the plant manager, facts only:\n\n{sentences}")


def _lesson(rng: random.Random, topics: dict[str, Words]) -> Turn:
    words = topics[rng.choice(sorted(topics))]
    task = _expand(rng, rng.choice(words["form"]), words)
    return Turn(
        "Write one lesson for the tutoring model that we train under our licence: the question in your own words, "
        f"a worked answer, and a check that a pupil can do alone.\n\nQuestion: {task}"
    )
