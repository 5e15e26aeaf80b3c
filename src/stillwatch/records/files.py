"""Which files a log path stands for."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from stillwatch.errors import UsageError

_TEXT_ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.zst")
_OWN_OUTPUTS = {"rejects.jsonl"}


def find_logs(paths: Sequence[Path]) -> list[Path]:
    """Return the files that the given paths stand for, in the order given, those of a directory sorted.

    A directory stands for the `*.parquet` files below it or, where there are none, for its JSON Lines files.
    Names that start with `.` or `_` are left out: they are another program's unfinished work.

    Raises:
        UsageError: a path does not exist, or a directory holds no log.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(_files_below(path))
            logs = [file for file in inside if file.suffix == ".parquet"]
            logs = logs or [file for file in inside if file.name.endswith(_TEXT_ENDINGS)]
            if not logs:
                raise UsageError(f"{path} holds no log", hint="a log directory holds *.parquet or *.jsonl files")
            found += logs
        elif path.is_file():
            found.append(path)
        else:
            raise UsageError(f"{path} does not exist", hint="give a log file, or a directory of log files")
    return found


def _files_below(directory: Path) -> Iterator[Path]:
    for path in directory.rglob("*"):
        parts = path.relative_to(directory).parts
        hidden = any(part.startswith((".", "_")) for part in parts)
        if not hidden and path.name not in _OWN_OUTPUTS and path.is_file():
            yield path
