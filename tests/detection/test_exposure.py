from pathlib import Path

import numpy as np
from tests.detection.factories import Traffic, population

from stillwatch.detection.exposure import exposure_of


def test_what_was_taken_is_counted(tmp_path: Path) -> None:
    traffic = Traffic(1)
    for prompt, output, reasoning in (("one", 10, None), ("one", 5, None), ("two", None, None), ("not taken", 99, 7)):
        traffic.add("a", prompt, output_tokens=output, reasoning_tokens=reasoning)
    store = population(tmp_path, traffic.rows).store
    found = exposure_of(store, np.arange(3), ["rubric_grading"])
    assert (found.exchanges, found.output_tokens, found.reasoning_tokens) == (3, 15, None)
    assert found.distinct_prompts == 2
    assert found.capabilities == ["rubric_grading"]
    assert exposure_of(store, np.arange(4), []).reasoning_tokens == 7


def test_tokens_beyond_32_bits_are_added_up(tmp_path: Path) -> None:
    traffic = Traffic(2)
    for number in range(4):
        traffic.add("a", f"prompt {number}", output_tokens=2**31 - 1)
    assert exposure_of(population(tmp_path, traffic.rows).store, np.arange(4), []).output_tokens == 4 * (2**31 - 1)
