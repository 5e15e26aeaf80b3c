"""What a whole run of `stillwatch detect` costs, stage by stage, in a process of its own.

    python benchmarks/whole.py --metadata 20_000_000 --memory 4GB
    python benchmarks/whole.py --prompts 1_000_000 --memory 4GB

Stages overlap nothing, so their CPU seconds add up to the process's less start-up and imports.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from metadata import write_metadata
from sketch import write_prompts


def main() -> None:
    """Generate the log, run detection on it and print a Markdown table of its stages."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as name:
        logs = Path(name) / "logs"
        if options.prompts:
            write_prompts(logs, options.prompts, 140)
        else:
            write_metadata(logs, options.metadata)
        command = [sys.executable, "-m", "stillwatch", "detect", str(logs), "--out", str(Path(name) / "out"), "--json"]
        command += ["--memory", options.memory] if options.memory else []
        summary, usage = _run(command)
    rows = options.prompts or options.metadata
    print(f"{rows:,} {'prompts' if options.prompts else 'metadata rows'}, --memory {options.memory}\n")
    print("| stage | rows | CPU s | rows/s/core | peak MiB |\n|---|---|---|---|---|")
    for stage in summary["stages"]:
        rate = f"{stage['rows'] / stage['cpu_s']:,.0f}" if stage["rows"] and stage["cpu_s"] else "-"
        print(f"| {stage['name']} | {stage['rows']:,} | {stage['cpu_s']:.1f} | {rate} | {stage['peak_mib']:,} |")
    cpu = usage.ru_utime + usage.ru_stime
    print(f"| whole process | {rows:,} | {cpu:.1f} | {rows / cpu:,.0f} | {usage.ru_maxrss / 1024:,.0f} |")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--metadata", type=int, default=5_000_000, help="rows without content")
    parser.add_argument("--prompts", type=int, help="rows with prompts of 800 characters instead")
    parser.add_argument("--memory", help="limit for the whole process, such as 4GB")
    return parser.parse_args()


def _run(command: list[str]) -> tuple[dict[str, Any], Any]:
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"detection ended with status {process.returncode}")
        output.seek(0)
        summary: dict[str, Any] = json.load(output)
        return summary, usage


if __name__ == "__main__":
    main()
