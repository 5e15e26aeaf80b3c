from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from stillwatch.errors import UsageError
from stillwatch.records.registry import load_registry, load_releases

ENTRY = '[[entry]]\nid = "e1"\nkind = "distillation"\nholder = "A lab"\norg_id = "org-1"\n'


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "file.toml"
    path.write_text(text)
    return path


def test_registry(tmp_path: Path) -> None:
    more = 'account_ids = ["a"]\nmodels = ["m"]\nmax_exchanges_per_day = 5\n'
    more += "valid_from = 2026-01-01\nvalid_to = 2026-12-31\n"
    [entry] = load_registry(write(tmp_path, ENTRY + more))
    assert (entry.id, entry.kind, entry.account_ids, entry.models) == ("e1", "distillation", ("a",), ("m",))
    assert (entry.valid_from, entry.valid_to) == (date(2026, 1, 1), date(2026, 12, 31))
    assert load_registry(write(tmp_path, ENTRY))[0].models == ("*",)
    assert load_registry(write(tmp_path, "")) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ENTRY.replace("distillation", "friend"), "kind"),
        (ENTRY.replace('org_id = "org-1"\n', ""), "covers nobody"),
        (ENTRY + ENTRY, "taken"),
        (ENTRY + "valid_from = 2026-02-01\nvalid_to = 2026-01-01\n", "ends before"),
        (ENTRY + "max_exchanges_per_day = 0\n", "max_exchanges_per_day"),
        (ENTRY.replace("[[entry]]", "[entry]"), "two brackets"),
        (ENTRY.replace("entry", "entries"), "entries"),
        ("[[entry", "TOML"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_registry(write(tmp_path, text))
    assert said in str(caught.value)
    assert "file.toml" in str(caught.value)
    assert caught.value.hint is not None


def test_a_field_of_a_later_version_is_no_error(tmp_path: Path) -> None:
    assert load_registry(write(tmp_path, ENTRY + 'added_later = "x"\n')) == load_registry(write(tmp_path, ENTRY))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-05-01", datetime(2026, 5, 1, tzinfo=UTC)),
        ('"2026-05-01"', datetime(2026, 5, 1, tzinfo=UTC)),
        ("2026-05-01T12:00:00", datetime(2026, 5, 1, 12, tzinfo=UTC)),
        ("2026-05-01T12:00:00+02:00", datetime(2026, 5, 1, 10, tzinfo=UTC)),
    ],
)
def test_releases(tmp_path: Path, value: str, expected: datetime) -> None:
    [release] = load_releases(write(tmp_path, f'[[release]]\nmodel = "m"\nreleased_at = {value}\n'))
    assert release.released_at == expected


@pytest.mark.parametrize("value", ['"soon"', "5"])
def test_wrong_release(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError, match="released_at"):
        load_releases(write(tmp_path, f'[[release]]\nmodel = "m"\nreleased_at = {value}\n'))


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_registry(tmp_path / "none.toml")
    (tmp_path / "file.toml").write_bytes(b"\xff")
    with pytest.raises(UsageError, match="UTF-8"):
        load_releases(tmp_path / "file.toml")
