"""Fixtures of the commands of `share`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.shares import ADOPT, BASES, told
from tests.sharing.hubs import Site, running_hub


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """An outbox whose counsel has adopted all that the rules rest on."""
    path = tmp_path / "outbox"
    for basis in BASES:
        told("bases", path, "--adopt", basis, *ADOPT)
    return path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running_hub(tmp_path / "hub", "heron", "osprey") as site:
        yield site
