import subprocess
import sys

import pytest
from tests.sharing.objects.factories import campaign

from stillwatch.errors import UsageError
from stillwatch.sharing.objects import standard as module
from stillwatch.sharing.objects.standard import Standard, standard


def test_all_types_of_the_standard_are_known() -> None:
    known = standard().by_type.keys()
    assert {"campaign", "indicator", "sighting", "relationship", "user-account", "marking-definition"} <= known
    assert not {"core", "bundle", "identifier"} & known
    assert len(known) == 42


@pytest.mark.parametrize(
    "moment",
    [
        "2026-02-30T00:00:00.000Z",
        "2026-13-01T00:00:00.000Z",
        "0000-01-01T00:00:00.000Z",
        "2016-12-31T23:59:60.000Z",
        "2026-01-01T00:00:00.000+00:00",
        7,
    ],
)
def test_times_that_stop_a_reader_are_refused(moment: object) -> None:
    schema = standard().by_type["campaign"]
    assert schema.is_valid(campaign())
    assert not schema.is_valid(campaign() | {"first_seen": moment})


def test_long_hostile_values_are_answered() -> None:
    assert not standard().cores[0].is_valid(campaign() | {"type": "a" * 200_000 + "!"})


def test_values_stay_out_of_messages() -> None:
    bad = campaign() | {"confidence": "jane@example.org", "labels": "jane@example.org"}
    messages = [error.message for error in standard().by_type["campaign"].iter_errors(bad)]
    assert messages
    assert not any("jane" in message for message in messages)


def test_the_code_of_the_schemas_package_stays_out() -> None:
    code = "import sys; from stillwatch.sharing.objects.standard import standard; standard(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"stix2validator", "securesystemslib", "numpy", "pyarrow", "stillwatch.hashing"} & set(loaded)


def test_missing_schemas_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match="missing"):
        Standard()
