"""Stored exchanges and what lies beside them, as tests of the replay need them."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from tests.enforcement.factories import verdict

from stillwatch.detection.findings.model import Action
from stillwatch.enforcement.backtest.outcome import Hits, Outcome
from stillwatch.enforcement.backtest.run import BacktestRequest, backtest
from stillwatch.features.sketch import text_bands

START = 1_748_736_000
"""A midnight, UTC."""
Row = dict[str, Any]


def exchange(number: int, account: str, at_s: float, **more: Any) -> Row:
    """Return a stored exchange, `at_s` seconds after the start."""
    ts = datetime.fromtimestamp(START + at_s, UTC).isoformat()
    return {"exchange_id": f"e{number:04}", "ts": ts, "account_id": account, "model": "m", **more}


def write_exchanges(path: Path, rows: Iterable[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_verdicts(path: Path, accounts: dict[str, Action], text: str | None = None) -> Path:
    """Write a verdict for each account; all name the bands of a text, if one is given."""
    bands = [] if text is None else [f"{int(band):016x}" for band in text_bands(None, text)[0]]
    lines = [verdict(account, action, template_bands=bands) for account, action in accounts.items()]
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return path


def write_policy(path: Path, *tables: str) -> Path:
    path.write_text("\n".join(['id = "p"', 'version = "1"', *tables]))
    return path


def outcome_of(policy: Path, on: Path, **beside: Path) -> Outcome:
    return backtest(BacktestRequest(policy=policy, on=on, quiet=True, **beside)).outcome


def requests(hits: Hits) -> tuple[int, int]:
    """Return the requests hit and refused."""
    return hits.hit.requests, hits.refused.requests


def accounts(hits: Hits) -> tuple[int, int]:
    """Return the accounts hit and refused."""
    return hits.hit.accounts, hits.refused.accounts
