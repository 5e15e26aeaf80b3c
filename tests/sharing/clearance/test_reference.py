import runpy
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def test_the_reference_is_made_from_the_rules() -> None:
    text = (DOCS / "reference" / "clearance.md").read_text("utf-8")
    assert runpy.run_path(str(DOCS / "reference" / "clearance.py"))["page"](text) == text, "make docs"
