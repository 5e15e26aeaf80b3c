"""What a decision costs at each gateway, beside the same gateway without one, in the same minute.

Run `python benchmarks/gateways.py [--seconds 4] [--rounds 2] [--only nginx,haproxy]`. The shipped files run on the real
gateways (nginx, HAProxy, Envoy, LiteLLM, `dev-gateway`) in front of a model that answers at once. Gateway and decision
service are bound to one processor, the load (wrk) and the model to another. Two views: CPU time of every process of the
gateway and the service per request at 32 connections, and the latency of one connection, when nothing else waits. Plain
and decided runs take turns; the best of the rounds stands. One account in a thousand is refused.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from load import LOAD_CPU, Loaded, cpu_s, pin, wrk

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY))

from tests.deploy import gateways  # noqa: E402 - found from here on
from tests.deploy.peers import free_port, wait_for  # noqa: E402
from tests.enforcement.serving.process import Served, serving  # noqa: E402

_ACCOUNTS, _REFUSED = 1000, 1
_PROMPT = " ".join(f"word{number}" for number in range(300))  # about 2 kB
_MODEL = """
worker_processes 1; daemon off; pid {directory}/model.pid; error_log {directory}/model.log; user root;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {directory}/b; proxy_temp_path {directory}/p; fastcgi_temp_path {directory}/f;
  uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s; keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 200 '{answer}'; }} }}
}}
"""
_ANSWER = '{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"4"}}]}'
_NGINX = """
worker_processes auto; daemon off; pid {directory}/pid; error_log {directory}/log; user root;
events {{}}
http {{
  access_log off; client_body_temp_path {directory}/b; proxy_temp_path {directory}/p; fastcgi_temp_path {directory}/f;
  uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  upstream model {{ server 127.0.0.1:{model}; keepalive 32; }}
  server {{ listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""
_HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 10m
    timeout server 10m
frontend api
    bind 127.0.0.1:{port}
    default_backend model
backend model
    server model 127.0.0.1:{model}
"""
_ENVOY = """
static_resources:
  listeners:
    - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": {types}.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: api
                route_config:
                  virtual_hosts:
                    - name: api
                      domains: ["*"]
                      routes: [{{ match: {{ prefix: / }}, route: {{ cluster: model, timeout: 0s }} }}]
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: {{ "@type": {types}.http.router.v3.Router }}
  clusters:
    - name: model
      type: STATIC
      load_assignment:
        cluster_name: model
        endpoints:
          - lb_endpoints:
              - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {model} }} }} }}
"""
_ENVOY_TYPES = "type.googleapis.com/envoy.extensions.filters"
_LOAD = """
local n = 0
local body = '{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"%s"}]}'
request = function()
  n = n + 1
  return wrk.format("POST", "%s", {["Content-Type"]="application/json", ["Authorization"]="Bearer k",
    ["X-Account"]="account-" .. (n %% %d)}, body)
end
"""


class Way(NamedTuple):
    """A gateway: what it is beside, how it is started, and how much longer it must be measured."""

    name: str
    plain: str
    start: Callable[[Path, Served, int], contextlib.AbstractContextManager[int]]
    slower: float = 1.0


class Figures(NamedTuple):
    """CPU time per request at 32 connections, and latency at one, in microseconds."""

    cpu_us: float
    p50_us: float
    p99_us: float


def main() -> None:
    """Measure each way in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    wanted = [way for way in WAYS if not arguments.only or way.plain in arguments.only.split(",")]
    found: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory() as name, model(Path(name)) as upstream:
        for number in range(arguments.rounds):
            for way in wanted:
                figures = measured(
                    way, Path(name) / f"{way.name.replace(' ', '-')}-{number}", upstream, arguments.seconds * way.slower
                )
                before = found.get(way.name, figures)
                found[way.name] = Figures(*(min(pair) for pair in zip(before, figures, strict=True)))
    print(table(wanted, found))
    if arguments.json:
        arguments.json.write_text(json.dumps({name: figures._asdict() for name, figures in found.items()}, indent=1))


def table(ways: Sequence[Way], found: dict[str, Figures]) -> str:
    """Return the figures with their ratios to the plain gateway."""
    lines = ["| way | CPU us | x plain | p50 us | x plain | p99 us |", "|---|---|---|---|---|---|"]
    for way in ways:
        ours, plain = found[way.name], found.get(way.plain)
        ratios = (
            ["", ""]
            if plain is None or plain == ours
            else [f"{o / p:.2f}" for o, p in zip(ours, plain, strict=True)][:2]
        )
        cells = (way.name, f"{ours.cpu_us:.0f}", ratios[0], f"{ours.p50_us:.0f}", ratios[1], f"{ours.p99_us:.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def measured(way: Way, directory: Path, upstream: int, seconds: float) -> Figures:
    """Start a gateway and its service, load it both ways, and stop both."""
    directory.mkdir()
    with serving(directory / "data") as served:
        served.set("account-0", "block")
        before = descendants()
        with way.start(directory / "gateway", served, upstream) as port:
            ours = (descendants() - before) | {served.process.pid}
            pin(ours)
            load(port, directory, 4, min(1.0, seconds))
            begun = cpu_s(ours)
            cpu_us = 1e6 / load(port, directory, 32, seconds).requests
            cpu_us *= cpu_s(ours) - begun
            alone = load(port, directory, 1, seconds)
    return Figures(cpu_us, alone.p50_us, alone.p99_us)


def load(port: int, directory: Path, connections: int, seconds: float) -> Loaded:
    """Send chat requests of 1,000 accounts; exits where other requests are refused than those of the one."""
    script = _LOAD % (_PROMPT, "/v1/chat/completions", _ACCOUNTS)
    loaded = wrk(port, script, directory, connections, seconds)
    if loaded.refused > loaded.requests * 2 * _REFUSED / _ACCOUNTS + 10:
        sys.exit(f"{loaded.refused} of {loaded.requests} requests were not answered as they should be")
    return loaded


def descendants() -> set[int]:
    """Return the processes below this one."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(fields[1])
    found, size = {os.getpid()}, 0
    while len(found) > size:
        size = len(found)
        found |= {pid for pid, parent in parents.items() if parent in found}
    return found - {os.getpid()}


@contextlib.contextmanager
def model(directory: Path) -> Iterator[int]:
    """Yield the port of a model that answers at once, on the processor of the load."""
    port = free_port()
    (directory / "model.conf").write_text(_MODEL.format(directory=directory, port=port, answer=_ANSWER))
    command = [
        "taskset",
        "-c",
        str(LOAD_CPU),
        str(gateways.NGINX),
        "-c",
        str(directory / "model.conf"),
        "-p",
        str(directory),
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port)
            yield port
        finally:
            process.terminate()


@contextlib.contextmanager
def plain(directory: Path, text: str, command: Sequence[str], upstream: int) -> Iterator[int]:
    """Yield the port of a gateway that asks nobody; `{file}` and `{directory}` in the command are put in."""
    port = free_port()
    directory.mkdir()
    file = directory / "plain.yaml"
    file.write_text(text.format(directory=directory, port=port, model=upstream, types=_ENVOY_TYPES))
    with gateways.running([part.format(file=file, directory=directory) for part in command], directory):
        wait_for(port)
        yield port


def _plain(text: str, *command: str) -> Callable[[Path, Served, int], contextlib.AbstractContextManager[int]]:
    return lambda directory, _, upstream: plain(directory, text, command, upstream)


def _envoy(file: str) -> Callable[[Path, Served, int], contextlib.AbstractContextManager[int]]:
    return lambda directory, served, upstream: gateways.envoy(directory, served, upstream, file)


WAYS = [
    Way("nginx", "nginx", _plain(_NGINX, str(gateways.NGINX), "-c", "{file}", "-p", "{directory}")),
    Way("nginx, auth_request", "nginx", lambda at, served, model: gateways.nginx(at, served.port, model)),
    Way("haproxy", "haproxy", _plain(_HAPROXY, str(gateways.HAPROXY), "-db", "-f", "{file}")),
    Way("haproxy, SPOE", "haproxy", lambda at, served, model: gateways.haproxy(at, served.spop_port, model)),
    Way(
        "envoy",
        "envoy",
        _plain(_ENVOY, str(gateways.ENVOY), "-c", "{file}", "--concurrency", "1", "--use-dynamic-base-id"),
    ),
    Way("envoy, ext_authz HTTP", "envoy", _envoy("ext-authz-http.yaml")),
    Way("envoy, ext_authz gRPC", "envoy", _envoy("ext-authz-grpc.yaml")),
    Way("envoy, ext_proc", "envoy", _envoy("ext-proc.yaml")),
    Way("litellm", "litellm", lambda at, served, model: gateways.litellm(at, served.port, model, asking=False), 5),
    Way("litellm, hook", "litellm", lambda at, served, model: gateways.litellm(at, served.port, model), 5),
]

if __name__ == "__main__":
    if not shutil.which("wrk"):
        sys.exit("this needs wrk")
    begun = time.monotonic()
    main()
    print(f"\n{time.monotonic() - begun:.0f} s")
