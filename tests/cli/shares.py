"""`stillwatch share` as people type it, on a finding to share."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from tests.sharing.hubs import BANDS
from typer.testing import CliRunner, Result

from stillwatch.cli.main import app
from stillwatch.detection.findings.model import Alternative, Campaign, Evidence, Exposure, Member, Template, Verdict

STILLWATCH = Path(sys.executable).with_name("stillwatch")
ADOPT = (
    "--until",
    (datetime.now(UTC) + timedelta(days=365)).date().isoformat(),
    "--by",
    "R. Ames",
    "--reason",
    "memo 12",
)
BASES = ("us-2014-statement", "eu-gdpr-6-1-f", "eu-horizontal-2023")


def evidence(signal: str, bits: float) -> Evidence:
    return Evidence(factor="multiple_accounts", signal=signal, bits=bits, p_value=1e-6, detail="")


def moment(*, days_ago: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()


def findings(directory: Path, *, circumvented: bool = True) -> Path:
    directory.mkdir()
    harvest = Campaign(
        campaign_id="cmp-1",
        kind="harvest",
        confidence="high",
        p_value=1e-9,
        accounts=[Member(account_id=f"acct-{number}", role="harvester", share=1.0) for number in range(30)]
        + ([Member(account_id="acct-victim", role="victim", share=0.1)] if circumvented else []),
        exchanges=1234,
        first_seen=moment(days_ago=9),
        last_seen=moment(days_ago=2),
        models=["secret-next-model"],
        templates=[Template(sketch=["00"], text="You grade answers. Answer: {…}", exchanges=1234, accounts=30)],
        evidence=[evidence("shared_identity", 20.0 if circumvented else 0.1)],
        alternatives=[Alternative(explanation="a prompt in fashion, copied from one source", kept=False, why="")],
        recommended_action="block",
        exposure=Exposure(
            exchanges=1234,
            output_tokens=99_887,
            reasoning_tokens=None,
            distinct_prompts=5,
            capabilities=["reasoning_elicitation"],
        ),
    )
    (directory / "campaigns.json").write_bytes(msgspec.json.encode({"campaigns": [harvest]}))
    verdict = Verdict(
        account_id="acct-0",
        action="block",
        reason_code="campaign_member",
        ttl_s=60,
        campaign_id="cmp-1",
        template_bands=list(BANDS),
    )
    (directory / "verdicts.jsonl").write_bytes(msgspec.json.encode(verdict) + b"\n")
    (directory / "run.json").write_text('{"configuration": {"releases": null}}')
    return directory


def holders(path: Path, *numbers: int) -> Path:
    rows = [{"account_id": f"acct-{number}", "email": f"buyer{number}@mail.example"} for number in numbers]
    rows.append({"account_id": "acct-victim", "email": "victim@shop.example"})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["share", *map(str, arguments)])


def told(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, (result.exception, result.stderr)
    return json.loads(result.stdout)


def states(cleared: Any) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for fact in cleared["items"][0]["facts"]:
        found.setdefault(fact["state"], set()).add(fact["field"])
    return found
