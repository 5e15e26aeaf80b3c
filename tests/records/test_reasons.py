import re
from pathlib import Path

from stillwatch.records.reasons import REASONS

ROOT = Path(__file__).parents[2]


def test_the_reference_lists_every_code_and_no_other() -> None:
    text = (ROOT / "docs/reference/reject-reasons.md").read_text("utf-8")
    table = text.partition("| code |")[2]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(REASONS)


def test_every_code_is_raised_somewhere() -> None:
    code = "\n".join(
        path.read_text("utf-8") for path in (ROOT / "src/stillwatch/records").rglob("*.py") if path.name != "reasons.py"
    )
    assert [reason for reason in REASONS if f'"{reason}"' not in code] == []
