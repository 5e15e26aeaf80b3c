"""What is known of accounts by other means: the range's truth.json, or a list of labelled accounts."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from stillwatch.errors import Location, UsageError

Label = Literal["campaign", "benign", "hard_negative"]
LABELS: tuple[Label, ...] = ("campaign", "benign", "hard_negative")
HONEST: tuple[Label, ...] = ("benign", "hard_negative")
"""Whoever of these is hit is collateral."""

_HINT = "truth.json of the range, or JSON Lines or CSV of account_id and label: " + ", ".join(LABELS)


class _Labelled(msgspec.Struct):
    account_id: Annotated[str, msgspec.Meta(min_length=1)]
    label: Label


class _Labels(msgspec.Struct):
    label: Label


class _Truth(msgspec.Struct):
    accounts: dict[str, _Labels]


def read_labels(path: Path) -> dict[str, Label]:
    """Return the label of each account.

    Raises:
        UsageError: the file cannot be read, is of another form, or labels an account twice; says where.
    """
    if path.suffix == ".json":
        return {account: one.label for account, one in _truth(path).accounts.items()}
    labels: dict[str, Label] = {}
    number = 0
    try:
        for number, row in _csv_rows(path) if path.suffix == ".csv" else _json_rows(path):
            if row.account_id in labels:
                raise _wrong(path, f"the account {row.account_id!r} is labelled twice", number)
            labels[row.account_id] = row.label
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint=_HINT) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, csv.Error, RecursionError) as error:
        raise _wrong(path, f"no label: {error}", number + 1) from error
    return labels


def _truth(path: Path) -> _Truth:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Truth)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint=_HINT) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(path, f"no truth.json: {error}", None) from error


def _json_rows(path: Path) -> Iterator[tuple[int, _Labelled]]:
    decode = msgspec.json.Decoder(_Labelled).decode
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            yield number, decode(line)


def _csv_rows(path: Path) -> Iterator[tuple[int, _Labelled]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows: Any = csv.DictReader(stream, strict=True)
        for row in rows:
            yield rows.line_num, msgspec.convert({name: row.get(name) for name in ("account_id", "label")}, _Labelled)


def _wrong(path: Path, message: str, line: int | None) -> UsageError:
    return UsageError(message, where=Location(str(path), line=line), hint=_HINT)
