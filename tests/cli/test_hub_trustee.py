import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.hub.process import Served, add_member

from stillwatch.errors import UsageError
from stillwatch.hub.api.holder import Holder

TRUSTEE = [sys.executable, "-c", "import sys; from stillwatch.cli.hub_trustee import trustee; trustee(sys.argv[1:])"]
NOW = 1_795_000_000.0


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*TRUSTEE, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_a_key_is_split_once_and_the_trustee_answers_for_its_share(tmp_path: Path) -> None:
    hub, share = tmp_path / "hub", tmp_path / "share"
    hub.mkdir()
    (before,) = Holder(hub, {}, NOW).published(NOW)
    made = run("split", "--data-dir", hub, "--out", share, "--url", "https://trustee.example", "--json")
    assert made.returncode == 0, made.stderr
    (epoch,) = json.loads(made.stdout)["epochs"]
    assert len(epoch["public_keys"]) == 2
    assert before.public_keys[0] not in epoch["public_keys"]
    assert str(share) in made.stderr
    assert run("split", "--data-dir", hub, "--out", share).returncode != 0
    token = add_member(share, "ann")
    command = [*TRUSTEE, "serve", "--data-dir", str(share), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        served = Served(process, port)
        told = served.ask(token, "GET", "/v1/tokens/epochs").json
        assert served.ask("wrong", "GET", "/v1/tokens/epochs").status == 401
        assert served.ask(token, "GET", "/v1/members").status == 404
        process.terminate()
        process.communicate()
    assert told["epochs"][0]["public_keys"] == epoch["public_keys"][1:]


def test_no_hub_is_served_on_a_share(tmp_path: Path) -> None:
    hub, share = tmp_path / "hub", tmp_path / "share"
    hub.mkdir()
    Holder(hub, {}, NOW)
    assert run("split", "--data-dir", hub, "--out", share).returncode == 0
    with pytest.raises(UsageError, match="a trustee's share"):
        Holder(share, {}, NOW)
    Holder(share, {}, NOW, make=False)


def test_an_address_that_is_none_splits_nothing(tmp_path: Path) -> None:
    hub, share = tmp_path / "hub", tmp_path / "share"
    hub.mkdir()
    Holder(hub, {}, NOW)
    assert "--url is no URL" in run("split", "--data-dir", hub, "--out", share, "--url", "nonsense").stderr
    assert not share.exists()


def test_without_a_share_there_is_no_trustee(tmp_path: Path) -> None:
    made = run("serve", "--data-dir", tmp_path, "--port", "0")
    assert made.returncode != 0
