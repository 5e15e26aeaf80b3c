import json
import signal
import stat
import subprocess
import threading
from pathlib import Path

import pytest
from tests.enforcement.serving.process import Served, serving
from tests.processes import STILLWATCH, request

from stillwatch.enforcement.record.ledger import verify
from stillwatch.enforcement.serving.server import admin_token


def exchange(number: int) -> dict[str, object]:
    return {"exchange_id": f"e{number}", "ts": "2026-09-01T10:00:00Z", "account_id": "a", "model": "m"}


def test_kill_9_under_load_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    acknowledged: dict[str, list[int]] = {"verdicts": [], "exchanges": []}

    def post(served: Served) -> None:
        for number in range(10_000):
            try:
                served.set(f"a{number}", "block")
                acknowledged["verdicts"].append(number)
                assert served.admin("POST", "/v1/exchanges", [exchange(number)]).status == 202
                acknowledged["exchanges"].append(number)
                served.action(f"a{number}")
            except OSError:
                return

    with serving(tmp_path) as served:
        loading = threading.Thread(target=post, args=(served,))
        loading.start()
        while len(acknowledged["exchanges"]) < 30:
            assert loading.is_alive()
        served.process.send_signal(signal.SIGKILL)
        loading.join()
    with serving(tmp_path) as served:
        assert {served.action(f"a{number}") for number in acknowledged["verdicts"]} == {"block"}
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(20) == 0
    [kept] = [path.read_text().splitlines() for path in (tmp_path / "exchanges").iterdir()]
    ids = {json.loads(line)["exchange_id"] for line in kept}
    assert {f"e{number}" for number in acknowledged["exchanges"]} <= ids
    assert verify(tmp_path / "decisions").lines >= len(acknowledged["verdicts"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_told_and_writes_what_it_has(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path) as served:
        served.set("a", "block")
        assert served.action("a") == "block"
        served.process.send_signal(number)
        assert served.process.wait(20) == 0
    assert verify(tmp_path / "decisions").lines == 1
    assert (tmp_path / "snapshot.msgpack").exists()


def test_one_process_a_directory_and_a_port(tmp_path: Path) -> None:
    with serving(tmp_path / "one") as served:
        command = [STILLWATCH, "serve", "--data-dir"]
        second = subprocess.run(
            [*command, tmp_path / "one", "--port", "0", "--spop-port", "0", "--grpc-port", "0"],
            capture_output=True,
            text=True,
            check=False,
        )
        third = subprocess.run(
            [*command, tmp_path / "two", "--spop-port", "0", "--port", str(served.port)],
            capture_output=True,
            text=True,
            check=False,
        )
        fourth = subprocess.run(
            [*command, tmp_path / "two", "--port", "0", "--spop-port", "0", "--grpc-port", str(served.grpc_port)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert (second.returncode, third.returncode, fourth.returncode) == (2, 2, 2)
    assert "is in use by another process" in second.stderr
    assert f"port {served.port} is taken" in third.stderr
    told = [f"stillwatch: port {served.grpc_port} is taken", "  -> give another one with --grpc-port"]
    assert fourth.stderr.splitlines() == told


def test_files_beside_the_service(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text('{"AB12": "kim"}')
    (tmp_path / "accounts.jsonl").write_text('{"account_id": "kim", "plan": "team"}\n')
    (tmp_path / "registry.toml").write_text("")
    verdicts = tmp_path / "verdicts.jsonl"
    line = {"account_id": "kim", "action": "block", "reason_code": "r", "ttl_s": 600, "campaign_id": None}
    verdicts.write_text(json.dumps({**line, "template_bands": []}) + "\n")
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'id = "p"\nversion = "1"\n[[cohort]]\nid = "teams"\nplans = ["team"]\n[[rule]]\nid = "r"\naction = "watch"\n'
        'mode = "enforce"\nwhen = { verdict = ["block"], cohorts = ["teams"] }\n'
    )
    options = ["--keys", "keys.json", "--accounts", "accounts.jsonl", "--registry", "registry.toml"]
    given = [str(tmp_path / option) if "." in option else option for option in options]
    with serving(tmp_path / "data", *given, "--verdicts", str(verdicts), "--policy", str(policy)) as served:
        decision = request(served.port, "POST", "/v1/decide", {"key_id": "ab12"}).json
    assert (decision["action"], decision["policy_id"]) == ("watch", "p")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--mode", "strict"], "there is no mode 'strict'"),
        (["--keys", "absent.json"], "no key map"),
        (["--policy", "absent.toml"], "cannot be read"),
    ],
)
def test_wrong_starts_are_told_what_to_do(tmp_path: Path, options: list[str], said: str) -> None:
    ports = ["--port", "0", "--spop-port", "0", "--grpc-port", "0"]
    command = [STILLWATCH, "serve", "--data-dir", tmp_path, *ports, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "->" in done.stderr


def test_the_token_is_given_or_made_once(tmp_path: Path) -> None:
    assert admin_token(tmp_path, "given") == "given"
    made = admin_token(tmp_path, None)
    assert len(made) > 30
    assert admin_token(tmp_path, None) == made
    assert stat.S_IMODE((tmp_path / "admin-token").stat().st_mode) == 0o600
