"""The registry of authorised large users, and the dates on which models were released (TOML, contract: cli.md)."""

import tomllib
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from stillwatch.errors import Location, UsageError

_Text = Annotated[str, msgspec.Meta(min_length=1)]
T = TypeVar("T", bound=msgspec.Struct)


class RegistryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One party that may do what would otherwise look like a harvest.

    Attributes:
        id: name of the entry, unique in the file.
        org_id: the organisation it covers; `account_ids` the accounts. At least one of the two is given.
        models: models it may use; `*` stands for all.
        max_exchanges_per_day: what was agreed, over all its accounts together.
        valid_from: first day; `valid_to` the last one, inclusive.
    """

    id: _Text
    kind: Literal["distillation", "researcher", "evaluator"]
    holder: _Text
    org_id: _Text | None = None
    account_ids: tuple[_Text, ...] = ()
    scope: str | None = None
    models: tuple[_Text, ...] = ("*",)
    max_exchanges_per_day: Annotated[int, msgspec.Meta(ge=1)] | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    contact: str | None = None


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """When a model became available; a date alone means its first moment in UTC."""

    model: _Text
    released_at: datetime


def load_registry(path: Path) -> tuple[RegistryEntry, ...]:
    """Read the `[[entry]]` tables of a registry.

    Raises:
        UsageError: the file is not there or wrong; says which entry and key.
    """
    entries = _load(path, "entry", RegistryEntry)
    seen: set[str] = set()
    for number, entry in enumerate(entries, 1):
        if entry.org_id is None and not entry.account_ids:
            raise _wrong(path, f"entry {number} ({entry.id}) covers nobody", "give it org_id or account_ids")
        if entry.valid_from and entry.valid_to and entry.valid_to < entry.valid_from:
            raise _wrong(path, f"entry {number} ({entry.id}) ends before it begins", "check the two dates")
        if entry.id in seen:
            raise _wrong(path, f"entry {number}: the id {entry.id!r} is taken", "give each entry its own id")
        seen.add(entry.id)
    return entries


def load_releases(path: Path) -> tuple[Release, ...]:
    """Read the `[[release]]` tables of a file of release dates.

    Raises:
        UsageError: the file is not there or wrong; says which release and key.
    """
    return _load(path, "release", Release)


def _load(path: Path, table: str, kind: type[T]) -> tuple[T, ...]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="give a TOML file") from error
    except UnicodeDecodeError as error:
        raise _wrong(path, "the file is not UTF-8", "save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise _wrong(path, f"no valid TOML: {error}", f"the file is a list of [[{table}]] tables") from error
    if document and table not in document:
        raise _wrong(path, f"no [[{table}]] table, but {min(document)!r}", f"the file lists [[{table}]] tables")
    rows = document.get(table, [])
    if not isinstance(rows, list):
        raise _wrong(path, f"{table!r} is one table, not a list", f"write [[{table}]] with two brackets")
    return tuple(_convert(row, kind, path, f"{table} {number}") for number, row in enumerate(rows, 1))


def _convert(row: dict[str, Any], kind: type[T], path: Path, name: str) -> T:
    try:
        return msgspec.convert({key: _moment(key, value) for key, value in row.items()}, kind)
    except msgspec.ValidationError as error:
        keys = ", ".join(field.name for field in msgspec.structs.fields(kind))
        raise _wrong(path, f"{name}: {error}", f"the keys of [[{name.split(maxsplit=1)[0]}]] are {keys}") from error


def _moment(key: str, value: object) -> object:
    """Make the first moment of a day, or a moment without a zone, one in UTC where a moment is wanted."""
    if key != "released_at":
        return value
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time.min)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def _wrong(path: Path, message: str, hint: str) -> UsageError:
    return UsageError(message, where=Location(str(path)), hint=hint)
