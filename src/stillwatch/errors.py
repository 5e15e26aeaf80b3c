"""The errors that a user can meet: one shallow family, each saying where it happened and what to do next."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Location:
    """A place in an input: file, and line (JSON Lines, CSV, TOML) or row (Parquet), both counted from 1."""

    file: str
    line: int | None = None
    row: int | None = None
    offset: int | None = None

    def __str__(self) -> str:
        place = self.line if self.line is not None else self.row
        return self.file if place is None else f"{self.file}:{place}"


class StillwatchError(Exception):
    """Base of all errors that stillwatch raises on purpose.

    Attributes:
        exit_code: exit status of a command that ends with this error (contract: cli.md).
        where: the place in the input, if there is one.
        hint: what the reader can do next.
    """

    exit_code = 1

    def __init__(self, message: str, *, where: Location | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = self.message if self.where is None else f"{self.where}: {self.message}"
        return text if self.hint is None else f"{text}\n  -> {self.hint}"


class UsageError(StillwatchError):
    """Wrong use of a command, a file that is not there, or wrong configuration."""

    exit_code = 2


class InputRejectedError(StillwatchError):
    """More of the input was rejected than the limit allows; what was accepted has been written."""

    exit_code = 3


class RemoteError(StillwatchError):
    """Another party refused or could not be reached."""

    exit_code = 4


class PolicyRefusedError(StillwatchError):
    """A rule (clearance, audit, permission) forbids what was asked."""

    exit_code = 5


class RecordError(StillwatchError):
    """One record that cannot become an exchange. It is written to `rejects.jsonl` and never stops a run.

    Attributes:
        reason: code from the closed list in docs/reference/reject-reasons.md.
    """

    exit_code = 3

    def __init__(self, reason: str, message: str, *, where: Location | None = None) -> None:
        super().__init__(message, where=where)
        self.reason = reason
