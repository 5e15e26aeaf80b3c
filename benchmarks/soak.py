"""Whether a service that is sent nothing but odd input stays up, answers no server error and keeps its memory.

Run `python benchmarks/soak.py [--minutes 2] [--seed 1]`. A real `stillwatch serve` is sent, in turn: JSON that is
nearly what belongs there and bodies that are none, on every HTTP route; frames of HAProxy's protocol, cut, mixed up
and invented; bytes at random on the gRPC port. Accounts come from a small set: one that exists costs memory by design
(see decide.py).
"""

import argparse
import collections
import contextlib
import http.client
import json
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stillwatch.enforcement.serving import spop
from stillwatch.enforcement.serving.openapi import document

STILLWATCH = Path(sys.executable).with_name("stillwatch")
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_ODD = (None, True, -1, 2**70, 1.5e308, "", "a" * 5000, "\ud7ff\x00", [], {}, [[]] * 50, {"a": {"b": [1]}})


def main() -> None:
    """Send for the given time, print the memory as it goes and what was answered."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chance, answers = random.Random(arguments.seed), collections.Counter[str]()
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory)) as (process, ports):
        until, shown = time.monotonic() + arguments.minutes * 60, 0.0
        print("| seconds | sent | resident MiB |\n|---|---|---|")
        begun = time.monotonic()
        while time.monotonic() < until:
            answers.update(http_round(ports["port"], chance))
            answers.update(spop_round(ports["spop_port"], chance))
            answers.update(raw_round(ports["grpc_port"], chance, _PREFACE))
            answers.update(raw_round(ports["port"], chance, b"POST /v1/decide HTTP/1.1\r\nHost: x\r\n"))
            if time.monotonic() - shown > arguments.minutes * 6:
                shown = time.monotonic()
                print(f"| {shown - begun:.0f} | {answers.total():,} | {resident_mib(process.pid):.1f} |")
            if process.poll() is not None:
                sys.exit(f"the service ended with {process.returncode}")
        print(f"| {time.monotonic() - begun:.0f} | {answers.total():,} | {resident_mib(process.pid):.1f} |\n")
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", ports["port"], timeout=10)) as asking:
            asking.request("POST", "/v1/decide", b'{"account_id": "a"}')
            print("afterwards a good request is answered", asking.getresponse().status)
    print(", ".join(f"{name}: {count:,}" for name, count in sorted(answers.items())))
    if any(name.startswith("http 5") for name in answers):
        sys.exit("a server error was answered")


@contextlib.contextmanager
def serving(directory: Path):  # noqa: ANN201 - a process and its ports
    """Yield a service and its ports."""
    options = ["--port", "0", "--spop-port", "0", "--grpc-port", "0", "--mode", "enforce", "--json"]
    command = [str(STILLWATCH), "serve", "--data-dir", str(directory), *options]
    environment = {**os.environ, "STILLWATCH_ADMIN_TOKEN": "soak"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - asked for above
            yield process, json.loads(process.stdout.readline())
        finally:
            process.terminate()


def http_round(port: int, chance: random.Random) -> list[str]:
    """Send one odd request to every route, some with the admin token."""
    seen = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        for path, methods in document()["paths"].items():
            for method, call in methods.items():
                target = path.replace("{account_id}", "a").replace("{", "").replace("}", "")
                token = chance.choice(("soak", "wrong"))
                connection.request(method.upper(), target, odd_body(call, chance), {"Authorization": f"Bearer {token}"})
                answer = connection.getresponse()
                answer.read()
                seen.append(f"http {answer.status}")
    return seen


def odd_body(call: dict[str, object], chance: random.Random) -> bytes:
    """Return a body that is not, or not quite, what a route takes."""
    kind = chance.randrange(4)
    if kind == 0 or "requestBody" not in call:
        return chance.randbytes(chance.randrange(300))
    if kind == 1:
        return b"[" * chance.randrange(1, 100_000)
    fields = (
        "account_id",
        "prompt",
        "model",
        "max_tokens",
        "action",
        "reason",
        "author",
        "ttl_s",
        "decision_id",
        "text",
    )
    told = {name: chance.choice((*_ODD, "a", 5)) for name in chance.sample(fields, 6)}
    return json.dumps([told] * chance.randrange(1, 9) if kind == 2 else told).encode()


def spop_round(port: int, chance: random.Random) -> list[str]:
    """Send a handshake and frames, whole, cut or invented, on a connection of their own."""
    pairs = spop.write_pairs({"supported-versions": "2.0", "max-frame-size": 16380, "capabilities": "pipelining"})
    sent = spop.write_frame(spop.Frame(spop.HAPROXY_HELLO, spop.FINISHED, 0, 0, pairs))
    for stream in range(chance.randrange(20)):
        payload = spop.text("decide") + bytes([1]) + spop.write_pairs({"account": f"a{stream}"})
        frame = bytearray(spop.write_frame(spop.Frame(spop.NOTIFY, spop.FINISHED, stream, 1, payload)))
        if chance.random() < 0.3:
            frame[chance.randrange(len(frame))] ^= 1 << chance.randrange(8)
        sent += frame
    noise = chance.randbytes(chance.randrange(64))
    sent += struct.pack(">I", len(noise)) + noise
    return [f"spop {exchange(port, sent)}"]


def raw_round(port: int, chance: random.Random, begin: bytes) -> list[str]:
    """Send bytes that begin well and go on at random."""
    return [f"raw {exchange(port, begin + chance.randbytes(chance.randrange(2000)))}"]


def exchange(port: int, sent: bytes) -> str:
    """Send, and tell whether anything came back before the connection ended."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        try:
            peer.sendall(sent)
            peer.shutdown(socket.SHUT_WR)
            return "answered" if peer.recv(65_536) else "closed"
        except (ConnectionError, TimeoutError) as error:
            return type(error).__name__


def resident_mib(pid: int) -> float:
    """Return what a process holds of memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
