import re
from pathlib import Path

import msgspec
import pytest

from stillwatch.enforcement.backtest.outcome import Hits, Outcome

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "policy.md").read_text("utf-8")


@pytest.mark.parametrize("struct", [Outcome, Hits], ids=lambda struct: struct.__name__)
def test_every_field_is_documented(struct: type[msgspec.Struct]) -> None:
    rows = [row.split("|")[1] for row in PAGE.splitlines() if row.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    assert {field.encode_name for field in msgspec.structs.fields(struct)} <= documented
