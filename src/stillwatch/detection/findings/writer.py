"""The files of one run (contract: cli.md), written so that a killed run leaves nothing that looks whole."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from stillwatch.detection.findings.canonical import (
    canonical_account,
    canonical_calibration,
    canonical_campaign,
    canonical_verdict,
)
from stillwatch.detection.findings.model import ACTIONS, Campaign, Findings
from stillwatch.detection.findings.ocsf import detection_finding
from stillwatch.detection.findings.report import render_report
from stillwatch.detection.findings.run import RunFacts
from stillwatch.files import replace_file, replacing

_encoder = msgspec.json.Encoder()


def write_findings(out: Path, findings: Findings, run: Mapping[str, object]) -> None:
    """Write all files of a run into `out`, which must exist; `run.json` comes last and marks the run as complete.

    The bytes depend on `findings` and `run` only; lists without an order of their own are sorted. Accounts are
    written line by line, so that beside `findings` itself memory stays bounded.

    Args:
        out: the directory; files of an earlier run are replaced one by one, its `run.json` goes first.
        findings: what was found, in any order.
        run: facts about the run for `run.json`, of the shape that `RunFacts` describes; more keys are kept.
            `calibration`, `notes` and `findings` (counts) are added from `findings`.

    Raises:
        ValueError: a number that JSON cannot carry (NaN, infinity).
        msgspec.ValidationError: `run` holds a known key with a value of another shape.
    """
    facts = RunFacts.of(run)
    (out / "run.json").unlink(missing_ok=True)
    findings = _in_order(findings)
    _write_lines(out / "accounts.jsonl", (canonical_account(account) for account in findings.accounts))
    _write_campaigns(out / "campaigns.json", findings.campaigns)
    _write_lines(out / "verdicts.jsonl", (canonical_verdict(verdict) for verdict in findings.verdicts))
    _write_lines(out / "findings.ocsf.jsonl", (detection_finding(campaign, facts) for campaign in findings.campaigns))
    replace_file(out / "report.html", render_report(findings, facts).encode())
    replace_file(out / "run.json", _run_record(findings, run))


def _in_order(findings: Findings) -> Findings:
    return Findings(
        accounts=sorted(findings.accounts, key=lambda account: account.account_id),
        campaigns=sorted(map(canonical_campaign, findings.campaigns), key=lambda campaign: campaign.campaign_id),
        verdicts=sorted(findings.verdicts, key=lambda verdict: (verdict.account_id, verdict.campaign_id or "")),
        calibration=sorted(map(canonical_calibration, findings.calibration), key=lambda row: row.segment),
        notes=findings.notes,
    )


def _write_lines(path: Path, records: Iterable[object]) -> None:
    buffer = bytearray()
    with replacing(path) as stream:
        for record in records:
            _encoder.encode_into(record, buffer, 0)
            buffer += b"\n"
            stream.write(buffer)


def _write_campaigns(path: Path, campaigns: list[Campaign]) -> None:
    with replacing(path) as stream:
        stream.write(b'{"campaigns":[')
        for index, campaign in enumerate(campaigns):
            stream.write(b",\n" if index else b"\n")
            stream.write(_encoder.encode(campaign))
        stream.write(b"\n]}\n")


def _run_record(findings: Findings, run: Mapping[str, object]) -> bytes:
    actions = Counter(account.action for account in findings.accounts)
    kinds = Counter(campaign.kind for campaign in findings.campaigns)
    record = {
        **run,
        "findings": {
            "accounts": len(findings.accounts),
            "actions": {action: actions[action] for action in ACTIONS},
            "campaigns": dict(sorted(kinds.items())),
        },
        "calibration": findings.calibration,
        "notes": findings.notes,
    }
    return msgspec.json.format(_encoder.encode(record), indent=2) + b"\n"
