import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[4] / "src"
PACKAGE = Path("stillwatch/enforcement/serving/envoy")
PROTOCOLS = sorted((SOURCE / PACKAGE).glob("*.proto"))


def test_the_messages_are_those_of_the_proto_files(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "grpc_tools.protoc", "--proto_path=.", f"--python_out={tmp_path}"]
    subprocess.run(
        [*command, f"--pyi_out={tmp_path}", *(PACKAGE / protocol.name for protocol in PROTOCOLS)],
        cwd=SOURCE,
        check=True,
    )
    for protocol in PROTOCOLS:
        for name in (f"{protocol.stem}_pb2.py", f"{protocol.stem}_pb2.pyi"):
            written, committed = (place / PACKAGE / name for place in (tmp_path, SOURCE))
            if release(written.read_text()) != release(committed.read_text()):
                pytest.skip(f"NOT COMPARED: grpcio-tools {version('grpcio-tools')} is not what wrote {name}")
            assert written.read_text() == committed.read_text(), "make protocols"


def release(text: str) -> str | None:
    """Return the release of the compiler that wrote a file."""
    found = re.search(r"^# Protobuf Python Version: (\S+)$", text, re.MULTILINE)
    return None if found is None else found[1]


def test_every_committed_module_has_its_proto_file() -> None:
    modules = {path.name.removesuffix("_pb2.py") for path in (SOURCE / PACKAGE).glob("*_pb2.py")}
    assert modules == {path.stem for path in PROTOCOLS}
