import json
import signal
import subprocess
from pathlib import Path

import pytest
from tests.deploy.gateways import dev_gateway
from tests.deploy.peers import ACTIONS, EVENTS, Gate, free_port, model
from tests.enforcement.serving.process import serving
from tests.processes import STILLWATCH


def test_the_client_sees_what_was_decided_and_a_lost_service_frees_nobody_who_was_refused(tmp_path: Path) -> None:
    with (
        model() as upstream,
        serving(tmp_path / "data") as served,
        dev_gateway(tmp_path / "gateway", served.port, upstream) as port,
    ):
        gate = Gate(served, port)
        for action, status in ACTIONS.items():
            if action != "allow":
                served.set(action, action)
            answer = gate.call(action)
            assert (answer.status, answer.body.count(b"data: ")) == (status, EVENTS if status == 200 else 0)
            assert answer.headers.get("x-seen-account", "") == ""
        for loss in (signal.SIGSTOP, signal.SIGKILL):
            served.process.send_signal(loss)
            accounts = ("allow", "never-seen", "block", "throttle")
            assert [gate.call(account).status for account in accounts] == [200, 200, 403, 429]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_stops_when_told(number: signal.Signals) -> None:
    command = [STILLWATCH, "dev-gateway", "--upstream", "http://127.0.0.1:9/v1", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            told = json.loads(process.stdout.readline())
            assert told.pop("port") > 0
            expected = {"host": "127.0.0.1", "upstream": "http://127.0.0.1:9/v1", "service": "http://127.0.0.1:8377"}
            assert told == expected
            process.send_signal(number)
            assert process.wait(20) == 0
            assert "Passing on http://127.0.0.1:" in process.stderr.read()
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--upstream", "localhost:8000"], "no address of the upstream"),
        (["--upstream", "http://127.0.0.1:1", "--service", "x"], "no address of the decision service"),
    ],
)
def test_wrong_starts_are_told_what_to_do(options: list[str], said: str) -> None:
    command = [STILLWATCH, "dev-gateway", "--port", str(free_port()), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "->" in done.stderr
