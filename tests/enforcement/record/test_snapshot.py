from pathlib import Path

import msgspec
import pytest
from tests.enforcement.factories import NOW, policy, rule

from stillwatch.enforcement.record import snapshot
from stillwatch.enforcement.state.counters import Cost, Counters
from stillwatch.enforcement.state.handles import Birth, Handles
from stillwatch.errors import UsageError

LIMIT = '[[limit]]\nid = "l"\ncounts = "requests"\namount = 1\nper = "hour"\nburst = 1'
POLICY = policy(LIMIT, rule("r", "throttle", '{ limits = ["l"] }'))


def test_what_is_owed_and_born_outlives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    counters, handles = Counters(POLICY), Handles()
    counters.charge("a", "everybody", Cost(), NOW)
    handles.issue("h", Birth("a", None, "m"))
    path.write_bytes(snapshot.pack(counters, handles))
    counters, handles = Counters(POLICY), Handles()
    snapshot.restore(path, counters, handles)
    assert counters.exceeded("a", "everybody", Cost(), NOW)
    assert handles.is_foreign("h", Birth("a", None, "n"))
    snapshot.restore(tmp_path / "none", counters, handles)


def test_another_file_is_refused_and_another_version_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    path.write_bytes(b"text")
    with pytest.raises(UsageError, match="is no snapshot"):
        snapshot.restore(path, Counters(POLICY), Handles())
    path.write_bytes(msgspec.msgpack.encode({"version": 99, "owed": {}, "births": []}))
    snapshot.restore(path, Counters(POLICY), Handles())
