"""What the relational features cost: CPU seconds and peak memory of a whole process, each beside a bare read.

    python benchmarks/engine.py --rows 5_000_000 [--memory 4GB] [--dir DIR] [--rows-per-account 25]

Every line is a process of its own: start-up, imports and collection of the result are in its CPU seconds. `x read`
is a multiple of the process that only reads the columns the job needs (DuckDB, max of each).
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import duckdb

_CLIENT = ["client_ip", "asn", "user_agent", "tls_fingerprint", "device_id", "key_id"]
_COLUMNS = {
    "account features": [
        *("account_id", "ts", "model", "org_id", "key_id", "end_user_id", "session_id", "turn", "channel"),
        *("operation", "client_ip", "asn", "user_agent", "temperature", "tool_count", "logprobs", "stream"),
        *("status", "error_code", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens"),
    ],
    "account links": ["account_id", *_CLIENT],
    "model days": ["account_id", "model", "ts"],
    "window counts": ["account_id", "ts"],
}


def main() -> None:
    """Generate the data, run each job in a process of its own and print the table."""
    options = _options()
    if options.job:
        print(json.dumps(_measured(options)))
        return
    with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as temporary:
        directory = options.dir or Path(temporary)
        if not list(directory.glob("*.parquet")):
            _started("generate", options, directory)
        print(f"{'job':<18} {'rows':>12} {'CPU s':>7} {'rows/s/core':>12} {'x read':>7} {'peak MiB':>9}  result")
        for job in _COLUMNS:
            read = _started(f"read {job}", options, directory)
            done = _started(job, options, directory)
            for name, found in (("  read", read), (job, done)):
                print(
                    f"{name:<18} {options.rows:>12,} {found['cpu_s']:>7.1f} {options.rows / found['cpu_s']:>12,.0f} "
                    f"{found['cpu_s'] / read['cpu_s']:>7.1f} {found['peak_mib']:>9,.0f}  {found['result']:,} rows"
                )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rows-per-account", type=float, default=25)
    parser.add_argument("--memory", help="limit for the whole process, such as 4GB")
    parser.add_argument("--dir", type=Path, help="keep the data here, or use what is here")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    return parser.parse_args()


def _started(job: str, options: argparse.Namespace, directory: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--job", job, "--dir", str(directory), "--rows", str(options.rows)]
    command += ["--rows-per-account", str(options.rows_per_account)]
    command += ["--memory", options.memory] if options.memory else []
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def _measured(options: argparse.Namespace) -> dict[str, float]:
    result = _run(options.job, options)
    used = resource.getrusage(resource.RUSAGE_SELF)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {"cpu_s": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / unit, "result": result}


def _run(job: str, options: argparse.Namespace) -> int:
    if job == "generate":
        from metadata import write_metadata  # noqa: PLC0415 - a measured process imports only what its job needs

        return len(write_metadata(options.dir, options.rows, rows_per_account=options.rows_per_account))
    if job.startswith("read "):
        return _read(_COLUMNS[job.removeprefix("read ")], options.dir)
    return _features(job, options)


def _read(columns: list[str], directory: Path) -> int:
    largest = ", ".join(f"CAST(max({column}) AS VARCHAR)" for column in columns)
    files = str(directory / "*.parquet").replace("'", "''")
    return len(duckdb.sql(f"SELECT {largest} FROM read_parquet('{files}')").fetchall())  # noqa: S608 - our own names


def _features(job: str, options: argparse.Namespace) -> int:
    from stillwatch.features import account, links, window  # noqa: PLC0415 - as above
    from stillwatch.features.engine import Engine  # noqa: PLC0415 - as above

    with (
        tempfile.TemporaryDirectory(prefix="stillwatch-bench-spill-") as spill,
        Engine.open(memory=options.memory, spill=Path(spill)) as engine,
    ):
        exchanges = engine.exchanges(sorted(options.dir.glob("*.parquet")))

        def features() -> int:
            table = account.account_features(engine, exchanges)
            return len(account.account_ratios(table)["hour_entropy"])

        jobs: dict[str, Callable[[], int]] = {
            "account features": features,
            "account links": lambda: links.account_links(engine, exchanges, None).num_rows,
            "model days": lambda: engine.to_arrow(links.model_days(exchanges)).num_rows,
            "window counts": lambda: engine.to_arrow(window.window_counts(exchanges, 3_600_000_000)).num_rows,
        }
        return jobs[job]()


if __name__ == "__main__":
    main()
