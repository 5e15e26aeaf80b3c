"""Each import contract of pyproject.toml fails on a planted violation: a contract that cannot fail proves nothing."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
CONTRACTS = {
    contract["id"]
    for contract in tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
}
PLANTED = [
    ("flow", "stillwatch/records/row.py", "import stillwatch.features.window"),
    ("flow", "stillwatch/errors.py", "import stillwatch.files"),
    ("flow", "stillwatch/gossip.py", "NEW_PACKAGE_WITHOUT_A_PLACE = True"),
    ("range", "stillwatch/records/secrets.py", "import stillwatch_range.ids"),
    ("detection", "stillwatch/detection/signals/intent.py", "import stillwatch.detection.campaigns.kind"),
    ("detection", "stillwatch/detection/population.py", "import stillwatch.detection.calibration"),
    ("enforcement", "stillwatch/enforcement/decide.py", "import stillwatch.enforcement.state.counters"),
    ("enforcement", "stillwatch/enforcement/state/counters.py", "import stillwatch.enforcement.decider"),
    ("gateways", "stillwatch/enforcement/gateways/asgi.py", "import starlette.requests"),
    (
        "gateways",
        "stillwatch/enforcement/gateways/client.py",
        "import stillwatch.hashing",
    ),
    ("sharing", "stillwatch/sharing/objects/tlp.py", "import stillwatch.sharing.matching.epochs"),
    ("sharing", "stillwatch/sharing/received.py", "import stillwatch.sharing.exchange"),
    ("inside-hub", "stillwatch/hub/visibility.py", "import stillwatch.hub.taxii.query"),
    ("hub", "stillwatch/hub/visibility.py", "import stillwatch.records.exchange"),
    ("hub", "stillwatch/hub/intake.py", "import stillwatch.sharing.clearance.model"),
    ("hub", "stillwatch/sharing/signing.py", "import stillwatch.features.window"),
    ("wire", "stillwatch/cli/decisions.py", "import stillwatch.sharing.wire.taxii"),
    ("wire", "stillwatch/sharing/overlap.py", "import stillwatch.sharing.wire.connection"),
    ("release", "stillwatch/sharing/exchange.py", "import stillwatch.sharing.clearance.release"),
    ("producers", "stillwatch/sharing/clearance/build.py", "import stillwatch.detection.findings.model"),
    ("network", "stillwatch/sharing/clearance/outbox.py", "import urllib3"),
    ("network", "stillwatch_range/show.py", "import starlette"),
    ("signals", "stillwatch/detection/signals/intent.py", "import stillwatch.detection.signals.novelty"),
    ("signals", "stillwatch/detection/signals/intent.py", "from stillwatch.detection.signals import SIGNALS"),
    ("engine", "stillwatch/detection/owners.py", "import duckdb"),
    ("engine", "stillwatch/statistics.py", "import ibis.expr"),
    ("engine", "stillwatch_range/truth.py", "import ibis"),
    ("network", "stillwatch/records/lines.py", "import urllib.request"),
    ("cycles", "stillwatch/detection/campaigns/kind.py", "import stillwatch.detection.campaigns.build"),
    ("cycles", "stillwatch_range/ids.py", "import stillwatch_range.scenario"),
]


def lint(source: Path, contract: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            LINT_IMPORTS,
            "--config",
            REPOSITORY / "pyproject.toml",
            "--contract",
            contract,
            "--cache-dir",
            source.parent / "cache",
            "--no-logo",
        ],
        env=os.environ | {"PYTHONPATH": str(source)},
        cwd=source.parent,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    copy = tmp_path / "src"
    shutil.copytree(REPOSITORY / "src", copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_every_contract_has_a_planted_violation() -> None:
    assert {contract for contract, _, _ in PLANTED} == CONTRACTS


@pytest.mark.parametrize(("contract", "module", "line"), PLANTED)
def test_planted_violation_breaks_the_contract(source: Path, contract: str, module: str, line: str) -> None:
    with (source / module).open("a", encoding="utf-8") as stream:
        stream.write(f"\n{line}\n")

    result = lint(source, contract)

    assert result.returncode == 1, result.stdout + result.stderr
    assert "Contracts: 0 kept, 1 broken." in result.stdout
    assert Path(module).stem in result.stdout.partition("Broken contracts")[2]
