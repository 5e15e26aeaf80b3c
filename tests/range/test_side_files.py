import random
import tomllib
from datetime import UTC, datetime
from pathlib import Path

from stillwatch.records.registry import load_registry
from stillwatch_range.ids import Identifiers
from stillwatch_range.metadata import World
from stillwatch_range.populations import Account, Licence
from stillwatch_range.side_files import write_side_files

OPENING = datetime(2026, 3, 2, tzinfo=UTC)


def licensed(*kinds: Licence | None) -> list[Account]:
    world = World(random.Random(1), Identifiers(1), 0, 500)
    return [
        Account(f"acct_{number}", world.person(), "hard_negative", "x", licence=kind)
        for number, kind in enumerate(kinds)
    ]


def test_each_holder_has_an_entry_of_its_kind(tmp_path: Path) -> None:
    accounts = licensed("distillation", None, "researcher", "researcher")
    write_side_files(tmp_path, accounts, OPENING, ("larch", 1_772_409_600_000_000), metadata=True)
    entries = tomllib.loads((tmp_path / "registry.toml").read_text())["entry"]
    assert (entries[0]["kind"], entries[0]["account_ids"]) == ("distillation", ["acct_0"])
    assert sorted(entry["account_ids"] for entry in entries[1:]) == [["acct_2"], ["acct_3"]]
    assert len({entry["id"] for entry in entries}) == 3
    assert len(load_registry(tmp_path / "registry.toml")) == 3


def test_a_registry_may_be_empty(tmp_path: Path) -> None:
    write_side_files(tmp_path, licensed(None), OPENING, ("larch", 1_772_409_600_000_000), metadata=False)
    assert tomllib.loads((tmp_path / "registry.toml").read_text()) == {}
    (release,) = tomllib.loads((tmp_path / "releases.toml").read_text())["release"]
    assert release == {"model": "larch", "released_at": datetime(2026, 3, 2, tzinfo=UTC)}
