import json
from pathlib import Path

import pytest
from tests.enforcement.record.test_ledger import entry, written
from typer.testing import CliRunner

from stillwatch.cli.main import app
from stillwatch.errors import InputRejectedError, UsageError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    written(tmp_path / "decisions", [entry().ts, entry().ts + 1])
    return tmp_path


def test_an_unchanged_record(data: Path) -> None:
    said = CliRunner().invoke(app, ["decisions", "verify", str(data)])
    assert said.exit_code == 0
    assert "2 decisions, unchanged" in said.stderr
    told = json.loads(CliRunner().invoke(app, ["decisions", "verify", str(data), "--json"]).stdout)
    assert told["lines"] == 2
    assert told["chain"] in said.stderr


def test_a_changed_byte_and_a_directory_without_a_record(data: Path, tmp_path: Path) -> None:
    [path] = (data / "decisions").iterdir()
    path.write_bytes(path.read_bytes().replace(b"block", b"allow", 1))
    said = CliRunner().invoke(app, ["decisions", "verify", str(data)])
    assert isinstance(said.exception, InputRejectedError)
    assert f"{path}:1" in str(said.exception)
    absent = CliRunner().invoke(app, ["decisions", "verify", str(tmp_path / "none")])
    assert isinstance(absent.exception, UsageError)
