import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.sharing.clearance.factories import (
    MEMBER,
    NOW,
    OTHER,
    clearing_of,
    fact,
    harvest,
    item,
    of_account,
    outbox_in,
    sent_bytes,
)

from stillwatch.errors import InputRejectedError, PolicyRefusedError, UsageError
from stillwatch.sharing.clearance.events import ItemRuled, ObjectMade, Pushed
from stillwatch.sharing.clearance.outbox import Member, Outbox
from stillwatch.sharing.clearance.release import Cleared, read_cleared
from stillwatch.transparency.verify import verify_log

SOURCE = Path(__file__).parents[3] / "src" / "stillwatch"


class KilledError(BaseException):
    """The process ends here."""


def few() -> Any:
    return item(fact("cluster.accounts", 9), fact("sighting.seen", value=True))


def test_an_outbox_remembers_its_member(tmp_path: Path) -> None:
    with Outbox(tmp_path / "o") as outbox:
        made_up = outbox.member.member_id
    with Outbox(tmp_path / "o") as outbox:
        assert outbox.member.member_id == made_up
    with Outbox(tmp_path / "o", Member(member_id=made_up, name="Aster Labs")) as outbox:
        assert outbox.member.name == "Aster Labs"
    with pytest.raises(UsageError, match="is the outbox of"):
        Outbox(tmp_path / "o", Member(member_id=OTHER))
    with Outbox(tmp_path / "o"), pytest.raises(UsageError, match="held"):
        Outbox(tmp_path / "o")


def test_what_is_in_clear_is_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "outbox" / "items").mkdir(parents=True, mode=0o755)
    with outbox_in(tmp_path) as outbox:
        clearing_of(outbox).clear([harvest()])
        for name in ("items", "objects"):
            assert stat.S_IMODE((outbox.directory / name).stat().st_mode) == 0o700
        for name in (
            "secret.key",
            "signing.key",
            "log.key",
            *(f"items/{p.name}" for p in (outbox.directory / "items").iterdir()),
        ):
            assert stat.S_IMODE((outbox.directory / name).stat().st_mode) == 0o600, name


@pytest.mark.parametrize("name", ["member.json", "secret.key", "items/x.json"])
def test_a_damaged_outbox_says_so(tmp_path: Path, name: str) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing_of(outbox).clear([few()])
        path = outbox.directory / name
        path.write_bytes(b"{")
    with pytest.raises(UsageError), outbox_in(tmp_path) as outbox:
        list(outbox.kept())


def test_ids_follow_from_the_secret_and_from_nothing_else(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox, outbox_in(tmp_path / "other") as other:
        first = outbox.object_id(harvest(), "campaign", "campaign")
        assert first == outbox.object_id(harvest(), "campaign", "campaign")
        others = {
            outbox.object_id(harvest(), "template", "campaign"),
            outbox.object_id(harvest("C-2"), "campaign", "campaign"),
            other.object_id(harvest(), "campaign", "campaign"),
        }
        assert first not in others
        assert first[len("campaign--") + 14] == "4"


def test_no_name_reads_as_the_parts_of_another(tmp_path: Path) -> None:
    value = "see the shop"
    with outbox_in(tmp_path) as outbox:
        first = item(fact("tactic.description", value, account="attribution.company\0"), item_id="X")
        other = item(fact("attribution.company", value), item_id="X\0tactic.description")
        assert outbox.key_of(first, first.facts[0]) != outbox.key_of(other, other.facts[0])
        assert outbox.digest("a", "b\0c") != outbox.digest("a\0b", "c") != outbox.digest("a", "b", "c")


def test_ids_that_outboxes_gave_out_before_stay(tmp_path: Path) -> None:
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "secret.key").write_bytes(b"k" * 32)
    with outbox_in(tmp_path) as outbox:
        assert outbox.object_id(harvest(), "campaign", "campaign") == "campaign--842364c5-89e2-40f6-bd20-26aae888cb8a"


def test_the_log_tells_no_value_and_no_name_of_the_providers_own(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing_of(outbox).clear(
            [harvest("case-of-northwind"), item(fact("customer.name", "Northwind"), fact("Northwind", 1))]
        )
        told = sent_bytes(outbox)
        for secret in (b"northwind", b"Northwind", b"alice@example.com", b"acc-1", b"16342"):
            assert secret not in told


def test_equal_values_of_two_members_have_different_digests(tmp_path: Path) -> None:
    digests = []
    for name in ("a", "b"):
        with outbox_in(tmp_path / name) as outbox:
            clearing_of(outbox).clear([few()])
            digests.append(next(e for _, e in outbox._ledger if isinstance(e, ItemRuled)).fields[0].values)
    assert digests[0] != digests[1]


# Only what the log names


def test_cleared_is_made_by_clearance_alone(tmp_path: Path) -> None:
    with pytest.raises(PolicyRefusedError):
        Cleared(object(), b"{}", "campaign--x", "00")
    with outbox_in(tmp_path) as outbox:
        clearing_of(outbox).clear([few()])
        [one, *_] = clearing_of(outbox).ready()[0]
        for name in ("body", "sha256", "object_id"):
            with pytest.raises(PolicyRefusedError):
                setattr(one, name, b"other")
        _, [stray] = outbox.keep_objects([b'{"type":"campaign"}'])
        with pytest.raises(PolicyRefusedError, match="no entry"):
            read_cleared(outbox, stray)
        assert stray not in {one.sha256 for one in clearing_of(outbox).ready()[0]}


@pytest.mark.parametrize(
    ("made", "where"),
    [("Cleared(_KEY", {"release.py"}), ("ObjectMade(\n", {"clearing.py"}), ("check_egress(draft", {"drafting.py"})],
)
def test_only_these_modules_can_say_that_something_is_cleared(made: str, where: set[str]) -> None:
    found = {path.name for path in SOURCE.rglob("*.py") if made in path.read_text("utf-8")}
    assert found == where


def test_an_object_that_is_gone_is_refused(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing_of(outbox).clear([few()])
        outbox.object_file(next(iter(outbox.made.values()))).unlink()
        with pytest.raises(PolicyRefusedError, match="cannot be read"):
            clearing_of(outbox).ready()


def test_a_log_that_was_changed_is_found(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing_of(outbox).clear([item(fact("attribution.person", "x"), item_id=str(n)) for n in range(3)])
    log = tmp_path / "outbox" / "log"
    verify_log(log)
    changed = 0
    for path in sorted(log.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        if b'"never"' in content:
            path.write_bytes(content.replace(b'"never"', b'"share"', 1))
            changed += 1
    assert changed
    with pytest.raises(PolicyRefusedError):
        verify_log(log)
    with pytest.raises(PolicyRefusedError):
        outbox_in(tmp_path)


# Ended at any moment


def stop_at(number: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Raise at the n-th time that something waits for the disk or takes its place on it."""
    seen = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any, **named: Any) -> Any:
            nonlocal seen
            seen += 1
            if seen >= number:
                raise KilledError
            return call(*given, **named)

        return wrapped

    monkeypatch.setattr(os, "fsync", counted(os.fsync))
    monkeypatch.setattr(Path, "replace", counted(Path.replace))
    return lambda: seen


def offered(outbox: Outbox) -> dict[str, bytes]:
    return {one.sha256: one.body for one in clearing_of(outbox).ready()[0]}


def test_a_run_that_ends_anywhere_offers_only_what_the_log_names(tmp_path: Path) -> None:
    done, number = False, 0
    while not done:
        number += 1
        directory = tmp_path / str(number)
        with pytest.MonkeyPatch.context() as patch:
            seen = stop_at(number, patch)
            try:
                with outbox_in(directory) as outbox:
                    clearing_of(outbox).clear([few()])
                done = True
            except KilledError:
                pass
        assert done or seen() >= number
        with outbox_in(directory) as outbox:
            named = {event.sha256 for _, event in outbox._ledger if isinstance(event, ObjectMade)}
            assert set(offered(outbox)) <= named
            clearing_of(outbox).clear([few()])
            found = offered(outbox)
            assert sorted(json.loads(body)["type"] for body in found.values()) == ["campaign", "note"]
            made = [event.object_id for _, event in outbox._ledger if isinstance(event, ObjectMade)]
            assert len(made) == len(set(made))
            assert not list(outbox.directory.rglob("objects/.work-*"))
        verify_log(directory / "outbox" / "log")
    assert number > 15


PROGRAM = """\
import os, sys
from pathlib import Path
from stillwatch.transparency.durable import write_durably
from stillwatch.sharing.clearance import outbox as module
from tests.sharing.clearance.factories import clearing_of, harvest, outbox_in
after = sys.argv[2] == "after"
def counted(directory, files):
    if after:
        write_durably(directory, files)
    os.kill(os.getpid(), 9)
module.write_durably = counted
with outbox_in(Path(sys.argv[1])) as outbox:
    clearing_of(outbox).clear([harvest()])
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_that_is_killed_goes_on(tmp_path: Path, moment: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path, moment], cwd=SOURCE.parents[1], check=False, timeout=120
    )
    assert ended.returncode == -signal.SIGKILL
    with outbox_in(tmp_path) as outbox:
        assert offered(outbox) == {}
        clearing_of(outbox).clear([harvest()])
        assert len(offered(outbox)) == 8


def test_what_a_hub_acknowledged_is_known_to_the_next_run(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing_of(outbox).clear([few()])
        taken, refused, *_ = offered(outbox)
        outbox.record([Pushed(ts=NOW, sha256=taken, hub="h", accepted=True)], NOW)
        outbox.record([Pushed(ts=NOW, sha256=refused, hub="h", accepted=False, message="no")], NOW)
    with outbox_in(tmp_path) as outbox:
        assert taken not in offered(outbox)
        assert refused in offered(outbox)
        assert outbox.places.of(outbox.made[refused].object_id) == []
        assert outbox.member.member_id == MEMBER
        assert [kept.item_id for kept in outbox.items()] == ["C-1"]
        assert outbox.kept_item("nothing") is None


def test_an_entry_of_another_time_is_refused(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        outbox._ledger._log.append([b'{"type":"of-tomorrow"}'])
    with pytest.raises(InputRejectedError, match="no version that is known"):
        outbox_in(tmp_path)


def test_many_accounts_are_one_entry_and_one_write(tmp_path: Path) -> None:
    told = [
        one
        for n in range(300)
        for one in (
            of_account("account.id", f"a{n}", f"a{n}"),
            of_account("identity.email", f"u{n}@example.com", f"a{n}"),
        )
    ]
    with outbox_in(tmp_path) as outbox:
        clearing_of(outbox).clear([item(*told)])
        [ruled] = [event for _, event in outbox._ledger if isinstance(event, ItemRuled)]
        assert [(one.field, one.facts) for one in ruled.fields] == [("account.id", 300), ("identity.email", 300)]
        assert len(offered(outbox)) == 300
