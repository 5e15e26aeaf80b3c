import json
from pathlib import Path

import pytest
from click.testing import Result
from tests.transparency.logs import NOW, PUBLIC, written
from typer.testing import CliRunner

from stillwatch.cli.hub_audit import audit
from stillwatch.errors import PolicyRefusedError, StillwatchError, UsageError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(audit, ["verify", *map(str, arguments)])


def refused(*arguments: object) -> StillwatchError:
    error = run(*arguments).exception
    assert isinstance(error, StillwatchError)
    return error


@pytest.fixture
def log(tmp_path: Path) -> Path:
    written(tmp_path / "hub/log", 300)
    return tmp_path / "hub/log"


def test_a_log_that_holds(log: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(f"{PUBLIC.text}\n")
    kept = tmp_path / "kept"
    kept.write_bytes((log / "checkpoint").read_bytes())
    for given in (key, PUBLIC.text):
        said = run(log, "--key", given, "--checkpoint", kept, "--checkpoint", log / "checkpoint", "--json")
        assert said.exit_code == 0
        told = json.loads(said.stdout)
        assert (told["size"], told["time"], told["key"], told["checkpoints"]) == (300, NOW, PUBLIC.text, 2)
    assert f"300 entries of 300, unchanged; signed at {NOW:.0f}" in run(log.parent, "--key", key).stderr
    assert "no signature was checked" in run(log).stderr
    (tmp_path / "hub/log.pub").write_text(f"{PUBLIC.text}\n")
    assert "lies beside the log" in run(log.parent).stderr
    assert json.loads(run(log, "--json").stdout)["key"] == PUBLIC.text


def test_a_log_that_does_not_hold(log: Path, tmp_path: Path) -> None:
    other = written(tmp_path / "other", 200)
    (tmp_path / "kept").write_bytes(other.replace(b"\n200\n", b"\n201\n"))
    forked = refused(log, "--checkpoint", tmp_path / "kept")
    assert isinstance(forked, PolicyRefusedError)
    assert forked.exit_code == 5
    assert "kept: the log was changed or forked: its first 201 entries" in str(forked)
    tile = log / "tile/0/000"
    tile.write_bytes(tile.read_bytes()[:-1] + b"\x00")
    assert "tile/0/000 does not fit entry 255" in str(refused(log, "--json"))
    (log / "checkpoint").unlink()
    assert isinstance(refused(log), PolicyRefusedError)


def test_wrong_use(log: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "bytes").write_bytes(b"\xff")
    for arguments, fault in (
        ([tmp_path / "none"], "holds no audit log"),
        ([tmp_path / "absent"], "holds no audit log"),
        ([log, "--key", "no key"], "no public key"),
        ([log, "--key", "a\x00b"], "no public key"),
        ([log, "--key", tmp_path / "bytes"], "bytes: no public key"),
        ([log, "--checkpoint", tmp_path / "absent"], "absent: no such file"),
        ([log, "--checkpoint", tmp_path / "bytes"], "bytes: no signed checkpoint"),
        ([log, "--checkpoint", tmp_path / "none"], "none: no signed checkpoint"),
    ):
        error = refused(*arguments)
        assert isinstance(error, UsageError)
        assert error.exit_code == 2
        assert fault in str(error)
    assert run().exit_code == 2
