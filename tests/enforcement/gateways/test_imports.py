"""What runs inside a gateway must be light: it is loaded beside another's application, without our dependencies."""

import subprocess
import sys

LOADED = """
import sys
import stillwatch.enforcement.gateways.asgi, stillwatch.enforcement.gateways.litellm
print(*{name.partition(".")[0] for name in sys.modules})
"""
NEEDED = {"stillwatch", "msgspec", "aiohttp"}
ABSENT = {
    "duckdb", "fastapi", "google", "grpc", "httptools", "ibis", "igraph", "jinja2", "litellm", "numba", "numpy",
    "pandas", "prometheus_client", "pyarrow", "redis", "rich", "scipy", "starlette", "typer", "uvicorn", "uvloop",
    "zstandard",
}  # fmt: skip


def test_a_gateway_loads_little() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert loaded >= NEEDED
    assert not loaded & ABSENT
