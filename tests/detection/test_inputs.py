import json
from pathlib import Path

import numpy as np
import pytest

from stillwatch.detection.inputs import DetectRequest, read_beside
from stillwatch.errors import UsageError
from stillwatch.features.templates import text_tokens


def request(tmp_path: Path, **beside: Path) -> DetectRequest:
    return DetectRequest(logs=(), out=tmp_path, **beside)  # type: ignore[arg-type]


def test_nothing_beside_the_logs(tmp_path: Path) -> None:
    beside = read_beside(request(tmp_path))
    assert beside.accounts is None
    assert (beside.registry, beside.releases, beside.public.size, beside.received) == ((), (), 0, ())


def test_public_templates_are_cut_at_their_slots(tmp_path: Path) -> None:
    path = tmp_path / "templates.jsonl"
    text = "Judge the two replies below with care {question} and name {{a|b} or c} the better one of both {rest"
    path.write_text(json.dumps({"name": "judge", "text": text}) + "\n")
    public = read_beside(request(tmp_path, public_templates=path)).public
    pieces = ["Judge the two replies below with care ", " and name ", " the better one of both "]
    assert set(text_tokens(pieces)) <= set(public)
    assert not np.isin(text_tokens(["care and name the"]), public).any()
    assert (np.diff(public.astype(np.float64)) > 0).all()


@pytest.mark.parametrize("what", ["accounts", "registry", "releases", "public_templates", "received"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, what: str) -> None:
    with pytest.raises(UsageError, match="absent"):
        read_beside(request(tmp_path, **{what: tmp_path / "absent"}))
