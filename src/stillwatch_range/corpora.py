"""Reads a directory of corpora in the shared row format, `{src, session, turn, system, prompt, output}`."""

import gzip
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import msgspec

from stillwatch.errors import Location, UsageError
from stillwatch_range.ids import stream
from stillwatch_range.material import Dialogue, Material, Pace, Turn
from stillwatch_range.text import invent_pace

_NAMES = {
    "benign_arena_hard_v2.0": "arena",
    "benign_awesome_prompts": "library",
    "benign_hh_harmless_test": "chat",
    "benign_openassistant_seed": "volunteers",
    "distil_selfinstruct_template": "selfinstruct",
    "distil_evolinstruct_template": "evolinstruct",
    "distil_rubric_ultrafeedback_template": "rubric",
    "distil_toolbench_gpt35": "toolbench",
    "distil_gpteacher_toolformer": "toolformer",
    "distil_alpaca5000": "alpaca",
    "distil_codealpaca_new": "codealpaca",
    "distil_math_questions": "math",
    "hard_banking77_classifier": "classifier",
    "hard_alpacaeval_judge_run": "judge",
    "hard_mmlu_eval_run": "benchmark",
    "hard_t0_summ": "summaries",
    "hard_agentless_swebench": "agent",
}
"""Short names of known corpora; another is called as its file, without the role before the first `_`."""
_SUFFIX = ".jsonl.gz"
_TASKS = ("alpaca", "math")
"""Families whose requests are bare tasks, from which harvests of other kinds can be made."""
_PEOPLE_TIMING = "timing_mooncake_conversation"
_PROGRAM_TIMING = "timing_azure2023_conv"
_LICENSED_TASKS = 1500
_IDENTIFYING_LENGTH = 40
"""From this many characters on, the same prompt in two conversations would tie their accounts together."""


_R = TypeVar("_R", bound=msgspec.Struct)


class _Row(msgspec.Struct):
    src: str
    session: str
    prompt: str
    system: str | None = None


class _PeopleTiming(msgspec.Struct):
    timestamp: int
    hash_ids: list[int]


class _ProgramTiming(msgspec.Struct):
    at: str = msgspec.field(name="TIMESTAMP")
    asked: str = msgspec.field(name="ContextTokens")
    answered: str = msgspec.field(name="GeneratedTokens")


def read_corpora(directory: Path) -> Material:
    """Read a directory of corpora: `benign_*`, `distil_*`, `hard_*` and, where they are there, the timing files.

    Raises:
        UsageError: there is no conversation of ordinary people, or a file is not in the row format.
    """
    populations = _by_name(directory, "benign")
    if not populations:
        raise UsageError(f"corpus benign_*{_SUFFIX} is not in {directory}", hint="name the directory with --corpora")
    families = {
        name: [talk for talks in _dialogues(directory, stem).values() for talk in talks]
        for name, stem in _by_name(directory, "distil").items()
    }
    hard = _by_name(directory, "hard").items()
    workloads = {name: list(_dialogues(directory, stem).values()) for name, stem in hard}
    if "math" in families:
        families["cot"] = [(_elicit_reasoning(talk[0]),) for talk in families["math"]]
    if "codealpaca" in families:
        coding = families["codealpaca"]
        families["codealpaca"] = coding[_LICENSED_TASKS:]
        workloads["licensed"] = [[(_ask_for_exercise(talk[0]),) for talk in coding[:_LICENSED_TASKS]]]
    tasks = [talk[0].prompt for name in _TASKS for talk in families.get(name, [])]
    return Material(_populations(directory, populations), families, workloads, read_pace(directory), tasks)


def read_pace(directory: Path) -> Pace:
    """Read real gaps and answer lengths from the two timing files; invented ones where they are absent."""
    pace = invent_pace(stream(0, "pace"))
    if _path(directory, _PROGRAM_TIMING).is_file():
        arrivals = list(_read(directory, _PROGRAM_TIMING, _ProgramTiming))
        at = [datetime.fromisoformat(row.at[:26]).timestamp() for row in arrivals]
        gaps = [later - earlier for earlier, later in pairwise(at) if later > earlier]
        mean = sum(gaps) / len(gaps)
        answers: dict[int, list[int]] = {}
        for row in arrivals:
            answers.setdefault(int(row.asked).bit_length(), []).append(int(row.answered))
        pace = replace(pace, program_gaps=[gap / mean for gap in gaps], answers=answers)
    if _path(directory, _PEOPLE_TIMING).is_file():
        pace = replace(pace, turn_gaps=_turn_gaps(_read(directory, _PEOPLE_TIMING, _PeopleTiming)))
    return pace


def _by_name(directory: Path, role: str) -> dict[str, str]:
    """Return the stems of one role's files by the corpora's names, known ones first."""
    stems = [path.name.removesuffix(_SUFFIX) for path in sorted(directory.glob(f"{role}_*{_SUFFIX}"))]
    order = list(_NAMES)
    stems.sort(key=lambda stem: order.index(stem) if stem in _NAMES else len(order))
    return {_NAMES.get(stem, stem.removeprefix(f"{role}_")): stem for stem in stems}


def _path(directory: Path, stem: str) -> Path:
    return directory / f"{stem}{_SUFFIX}"


def _turn_gaps(rows: Iterator[_PeopleTiming]) -> list[float]:
    """Return seconds between turns: a request that repeats all full blocks of an earlier one continues it."""
    open_talks: dict[tuple[int, ...], int] = {}
    gaps = []
    for row in rows:
        blocks = row.hash_ids
        for length in range(len(blocks) - 1, 1, -1):
            earlier = open_talks.pop(tuple(blocks[:length]), None)
            if earlier is not None:
                if row.timestamp > earlier:
                    gaps.append((row.timestamp - earlier) / 1000)
                break
        open_talks[tuple(blocks[:-1])] = row.timestamp
    return gaps


def _populations(directory: Path, stems: dict[str, str]) -> dict[str, list[Dialogue]]:
    seen: set[str] = set()
    populations = {}
    for name, stem in stems.items():
        talks = [talk for group in _dialogues(directory, stem).values() for talk in group]
        populations[name] = [talk for talk in talks if _is_new(talk, seen)]
    return populations


def _is_new(talk: Dialogue, seen: set[str]) -> bool:
    marks = {turn.prompt.casefold() for turn in talk if len(turn.prompt) >= _IDENTIFYING_LENGTH}
    if marks & seen:
        return False
    seen |= marks
    return True


def _dialogues(directory: Path, stem: str) -> dict[str, list[Dialogue]]:
    """Return the conversations of one corpus, by the variant (`src`) that they belong to."""
    talks: dict[tuple[str, str], list[Turn]] = {}
    for row in _read(directory, stem, _Row):
        if row.prompt.strip():
            talks.setdefault((row.src, row.session), []).append(Turn(row.prompt, row.system or None))
    variants: dict[str, list[Dialogue]] = {}
    for (src, _), turns in talks.items():
        variants.setdefault(src, []).append(tuple(turns))
    return variants


def _read(directory: Path, stem: str, row_type: type[_R]) -> Iterator[_R]:
    path = _path(directory, stem)
    decoder = msgspec.json.Decoder(row_type)
    with gzip.open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield decoder.decode(line)
            except msgspec.DecodeError as error:
                raise UsageError(f"not a corpus row: {error}", where=Location(str(path), line=number)) from error


def _elicit_reasoning(task: Turn) -> Turn:
    return Turn(
        "Work through the task below and keep nothing back. Number every step, say why you chose it and "
        "which alternatives you rejected, mark each place where you corrected yourself, and close with the "
        f"final answer on a line of its own.\n\nTask:\n{task.prompt}\n\n"
        "Begin with the first thought that you had about it.",
    )


def _ask_for_exercise(task: Turn) -> Turn:
    return Turn(
        "Turn the assignment below into a self-contained exercise for our licensed tutoring model: a worked "
        "solution with comments, two hints of rising strength and three checks that a program could run.\n\n"
        f"Assignment: {task.prompt}",
    )
