"""What a run of detection has written, read back."""

import json
from pathlib import Path
from typing import Any

DECIDING = ("accounts.jsonl", "campaigns.json", "verdicts.jsonl")
WHOLE = (*DECIDING, "report.html", "findings.ocsf.jsonl", "rejects.jsonl", "run.json")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def campaigns(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((out / "campaigns.json").read_text("utf-8"))["campaigns"]
    return found


def deciding_bytes(out: Path) -> list[bytes]:
    return [(out / name).read_bytes() for name in DECIDING]


def check_whole(out: Path) -> None:
    """Check that a directory holds a whole run: every file is there, can be read to its end, and nothing is beside."""
    assert sorted(path.name for path in out.iterdir()) == sorted(WHOLE)
    check_readable(out)


def check_readable(out: Path) -> None:
    for path in out.glob("[!.]*"):
        text = path.read_text("utf-8")
        if path.name.endswith(".jsonl"):
            lines(path)
        elif path.suffix == ".json":
            json.loads(text)
        else:
            assert text.rstrip().endswith("</html>")
