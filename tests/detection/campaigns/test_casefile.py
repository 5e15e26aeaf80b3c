from pathlib import Path

from tests.detection.factories import Traffic, casefile, numbers_only, population


def test_only_a_history_with_content_is_a_past_to_compare_with(tmp_path: Path) -> None:
    people = numbers_only(["a"])
    traffic = Traffic(1)
    traffic.strangers(5)
    told = population(tmp_path, traffic.rows)
    assert casefile(people).past is None
    assert casefile(people, history=numbers_only(["b"])).past is None
    assert casefile(people, history=told).past is told.store
