"""Real gateways with the shipped files: only addresses, deadlines, and how the account is known are changed.

Each yields the port that clients call; the account is the header `X-Account`.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.deploy.peers import free_port, wait_for
from tests.enforcement.serving.process import Served
from tests.processes import STILLWATCH

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "deploy"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
ENVOY = REPOSITORY / ".peers" / "envoy" / "bin" / "envoy"
LITELLM = REPOSITORY / ".peers" / "litellm" / "bin" / "litellm"
PATIENT_MS = 1000
"""A busy test machine must not turn a refusal into a pass."""

CUSTOM_AUTH = """
from litellm.proxy._types import UserAPIKeyAuth


async def user_api_key_auth(request, api_key):
    return UserAPIKeyAuth(api_key=api_key, user_id=request.headers.get("x-account"))
"""
MODEL_A = """
  - model_name: a
    litellm_params:
      model: anthropic/a
      api_base: http://127.0.0.1:9000
      api_key: k
"""
BUG = """
from stillwatch.enforcement.gateways import litellm

asking = litellm.ask


def ask(headers, path, body):
    if headers.get("x-sw-account-id") == "bug":
        raise ValueError("what nobody may see")
    return asking(headers, path, body)


litellm.ask = ask
"""


@contextlib.contextmanager
def nginx(directory: Path, service: int, upstream: int) -> Iterator[int]:
    port = free_port()
    (directory / "logs").mkdir(parents=True)
    for file in (DEPLOY / "nginx").glob("*.conf"):
        text = file.read_text().replace("127.0.0.1:8377", f"127.0.0.1:{service}")
        text = text.replace("127.0.0.1:9000", f"127.0.0.1:{upstream}").replace("127.0.0.1:8080", f"127.0.0.1:{port}")
        text = text.replace("20ms", f"{PATIENT_MS}ms")
        text = text.replace("/var/cache/nginx/stillwatch", str(directory / "cache"))
        text = text.replace(
            'map $request_uri $stillwatch_account {\n    default "";',
            "map $http_x_account $stillwatch_account {\n    default $http_x_account;",
        )
        (directory / file.name).write_text(text)
    settings = (
        f"pid {directory}/pid; daemon off; user root;"
        if Path("/root").owner() == "root"
        else f"pid {directory}/pid; daemon off;"
    )
    command = [NGINX, "-p", directory, "-c", directory / "example.conf", "-e", directory / "error.log", "-g", settings]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            wait_for(port)
            yield port
        finally:
            process.terminate()


@contextlib.contextmanager
def haproxy(directory: Path, agent: int, upstream: int) -> Iterator[int]:
    port = free_port()
    directory.mkdir()
    for file in (DEPLOY / "haproxy").glob("*.cfg"):
        text = file.read_text().replace("127.0.0.1:8379", f"127.0.0.1:{agent}")
        text = text.replace("127.0.0.1:9000", f"127.0.0.1:{upstream}").replace("127.0.0.1:8080", f"127.0.0.1:{port}")
        text = text.replace('set-var(txn.account) str("")', "set-var(txn.account) req.hdr(x-account)")
        text = text.replace("processing 20ms", f"processing {PATIENT_MS}ms")
        (directory / file.name).write_text(text)
    with running([HAPROXY, "-db", "-f", "example.cfg"], directory):
        wait_for(port)
        yield port


@contextlib.contextmanager
def envoy(directory: Path, served: Served, upstream: int, file: str, *edits: tuple[str, str]) -> Iterator[int]:
    """One worker, so that one memory; where its administration listens is in the file `admin`."""
    port = free_port()
    directory.mkdir()
    text = (DEPLOY / "envoy" / file).read_text()
    addresses = {"8377": served.port, "8378": served.grpc_port, "9000": upstream, "8080": port, "9901": 0}
    for shipped, taken in addresses.items():
        text = text.replace(f"port_value: {shipped}", f"port_value: {taken}")
    text = text.replace(" 0.02s", f" {PATIENT_MS / 1000}s").replace("/etc/envoy/stillwatch.lua", "stillwatch.lua")
    text = text.replace("%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:sub)%", "%REQ(x-account)%")
    script = (DEPLOY / "envoy" / "stillwatch.lua").read_text()
    for shipped, wanted in edits:
        assert shipped in text + script
        text, script = text.replace(shipped, wanted), script.replace(shipped, wanted)
    (directory / file).write_text(text)
    (directory / "stillwatch.lua").write_text(script)
    command = [ENVOY, "-c", file, "--concurrency", "1", "--use-dynamic-base-id", "--admin-address-path", "admin"]
    with running([*command, "--file-flush-interval-msec", "10"], directory):
        wait_for(port)
        yield port


@contextlib.contextmanager
def dev_gateway(directory: Path, service: int, upstream: int) -> Iterator[int]:
    directory.mkdir()
    command = [
        STILLWATCH, "dev-gateway", "--upstream", f"http://127.0.0.1:{upstream}", "--port", "0", "--json",
        "--service", f"http://127.0.0.1:{service}", "--account-header", "X-Account", "--deadline-ms", str(PATIENT_MS),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["port"]
        finally:
            process.terminate()


@contextlib.contextmanager
def asgi(directory: Path, service: int, _upstream: int) -> Iterator[int]:
    """The host is its own model."""
    port = free_port()
    directory.mkdir()
    text = (DEPLOY / "asgi" / "app.py").read_text().replace("127.0.0.1:8377", f"127.0.0.1:{service}")
    text = text.replace("deadline_s=0.02", f"deadline_s={PATIENT_MS / 1000}")
    text = text.replace(
        'user = scope.get("user")\n    return',
        'return dict(scope["headers"]).get(b"x-account", b"").decode()\n    return',
    )
    text = text.replace("from host import app", "from tests.deploy.host import app")
    (directory / "app.py").write_text(text)
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port), "--log-level", "error"]
    with running(command, directory, {"PYTHONPATH": str(REPOSITORY)}):
        wait_for(port)
        yield port


@contextlib.contextmanager
def litellm(
    directory: Path, service: int, upstream: int, file: str = "config.yaml", *, asking: bool = True
) -> Iterator[int]:
    """The models `m` and `a` are the same upstream, by the one API and by the other; `asking`: with what we ship."""
    port = free_port()
    directory.mkdir()
    text = (DEPLOY / "litellm" / file).read_text().replace("large-1", "m")
    text = text.replace("model_list:\n", f"model_list:{MODEL_A}")
    text = text.replace("127.0.0.1:9000", f"127.0.0.1:{upstream}").replace("127.0.0.1:8377", f"127.0.0.1:{service}")
    if not asking:
        text = text.partition("litellm_settings:")[0]
    text += "\ngeneral_settings:\n  custom_auth: custom_auth.user_api_key_auth\n"
    (directory / file).write_text(text)
    hook = (DEPLOY / "litellm" / "stillwatch_hook.py").read_text().replace("127.0.0.1:8377", f"127.0.0.1:{service}")
    (directory / "stillwatch_hook.py").write_text(
        hook.replace("deadline_s=0.02", f"deadline_s={PATIENT_MS / 1000}") + BUG
    )
    (directory / "custom_auth.py").write_text(CUSTOM_AUTH)
    command = [LITELLM, "--config", file, "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    local = ("MODEL_COST_MAP", "ANTHROPIC_BETA_HEADERS", "AUTOROUTER_PRESETS", "BLOG_POSTS", "POLICY_TEMPLATES")
    settings = {f"LITELLM_LOCAL_{name}": "True" for name in local} | {"MODEL_API_KEY": "k"}
    with running(command, directory, settings):
        wait_for(port)
        yield port


@contextlib.contextmanager
def running(command: Sequence[object], directory: Path, settings: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run a command for as long as it is needed; what it says is in the file `log`."""
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            [str(one) for one in command], cwd=directory, env=os.environ | dict(settings or {}), stdout=log, stderr=log
        )
        with process:
            try:
                yield
            finally:
                process.terminate()  # a killed nginx leaves its workers behind
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(3)
                process.kill()
