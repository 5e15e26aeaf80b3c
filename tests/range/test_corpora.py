import gzip
import json
from pathlib import Path

import pytest

from stillwatch.errors import UsageError
from stillwatch_range.corpora import read_corpora, read_pace


def write(directory: Path, stem: str, rows: list[dict[str, object]]) -> None:
    with gzip.open(directory / f"{stem}.jsonl.gz", "wt") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def timing(tmp_path: Path) -> Path:
    write(
        tmp_path,
        "timing_mooncake_conversation",
        [
            {"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": [0, 1, 2, 3]},
            {"timestamp": 500, "input_length": 1, "output_length": 1, "hash_ids": [0, 9, 8, 7]},
            {"timestamp": 9000, "input_length": 1, "output_length": 1, "hash_ids": [0, 1, 2, 4, 5]},
            {"timestamp": 20000, "input_length": 1, "output_length": 1, "hash_ids": [0, 1, 2, 4, 6]},
        ],
    )
    write(
        tmp_path,
        "timing_azure2023_conv",
        [
            {"TIMESTAMP": "2023-11-16 18:15:46.0000000", "ContextTokens": "6", "GeneratedTokens": "44"},
            {"TIMESTAMP": "2023-11-16 18:15:47.0000000", "ContextTokens": "7", "GeneratedTokens": "10"},
            {"TIMESTAMP": "2023-11-16 18:15:50.0000000", "ContextTokens": "900", "GeneratedTokens": "3"},
        ],
    )
    return tmp_path


def test_turn_gaps_are_those_of_requests_that_continue_an_earlier_one(timing: Path) -> None:
    assert read_pace(timing).turn_gaps == [9.0, 11.0]


def test_program_gaps_are_multiples_of_their_mean(timing: Path) -> None:
    assert read_pace(timing).program_gaps == [0.5, 1.5]


def test_answers_go_by_the_size_of_the_request(timing: Path) -> None:
    assert read_pace(timing).answers == {3: [44, 10], 10: [3]}


def test_without_timing_files_the_pace_is_invented(tmp_path: Path) -> None:
    assert len(read_pace(tmp_path).turn_gaps) > 100


def test_a_directory_without_ordinary_people_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "distil_x", [{"src": "x", "session": "0", "prompt": "p"}])
    with pytest.raises(UsageError, match=r"benign_\*\.jsonl\.gz is not in"):
        read_corpora(tmp_path)


def test_a_row_of_another_shape_is_placed(tmp_path: Path) -> None:
    write(tmp_path, "benign_own", [{"src": "x", "session": "0", "prompt": "p"}, {"text": "p"}])
    with pytest.raises(UsageError, match=r"jsonl\.gz:2: not a corpus row"):
        read_corpora(tmp_path)


def test_any_directory_of_the_row_format_will_do(tmp_path: Path) -> None:
    for role in ("benign", "distil", "hard"):
        write(
            tmp_path,
            f"{role}_own_set",
            [{"src": "x", "session": str(number // 2), "prompt": f"{role} {number}"} for number in range(6)],
        )
    material = read_corpora(tmp_path)
    assert [len(talks) for talks in material.populations["own_set"]] == [2, 2, 2]
    assert set(material.families) == set(material.workloads) == {"own_set"}
    assert material.tasks == []


@pytest.mark.corpora
def test_the_shared_corpora(corpora: Path) -> None:
    material = read_corpora(corpora)
    assert sum(map(len, material.populations.values())) > 5000
    assert {"selfinstruct", "evolinstruct", "rubric", "toolbench", "toolformer", "cot"} <= set(material.families)
    assert len(material.workloads["judge"]) == 4
    openings = [turn.prompt.casefold() for talks in material.populations.values() for talk in talks for turn in talk]
    long = [prompt for prompt in openings if len(prompt) >= 40]
    assert len(long) - len(set(long)) < len(long) / 100
    licensed = {talk[0].prompt for talk in material.workloads["licensed"][0]}
    assert not licensed & {talk[0].prompt for talk in material.families["codealpaca"]}
