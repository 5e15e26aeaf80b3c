"""The verb `serve`: the decision service."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from stillwatch.errors import Location, UsageError

TOKEN_VARIABLE = "STILLWATCH_ADMIN_TOKEN"  # noqa: S105 - the variable's name


def serve(
    data_dir: Annotated[Path, typer.Option(help="What must outlive the process; one process each.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="HTTP port on the loopback address; 0 = any.")] = 8377,
    spop_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of HAProxy's agent (SPOE); 0 = any.")] = 8379,
    verdicts: Annotated[Path | None, typer.Option(help="verdicts.jsonl that detect replaces.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy (TOML); without one, the standard policy.")] = None,
    mode: Annotated[str, typer.Option(help="shadow: decide and record only; enforce.")] = "shadow",
    keys: Annotated[Path | None, typer.Option(help="Accounts by SHA-256 of their API key (JSON).")] = None,
    accounts: Annotated[Path | None, typer.Option(help="Account records, for the policy's cohorts.")] = None,
    registry: Annotated[Path | None, typer.Option(help="Registry of authorised users (TOML).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as JSON when started.")] = False,
) -> None:
    """Decide on requests in front of a model, for the gateways that ask.

    Example: stillwatch serve --data-dir /var/lib/stillwatch --verdicts out/today/verdicts.jsonl --mode enforce
    """
    from stillwatch.enforcement.policy.load import load_policy, standard_policy
    from stillwatch.enforcement.service import Setup
    from stillwatch.enforcement.serving.server import HOST, Ports
    from stillwatch.enforcement.serving.server import serve as run
    from stillwatch.records.registry import load_registry

    if mode not in {"shadow", "enforce"}:
        raise UsageError(f"there is no mode {mode!r}", hint="--mode shadow or --mode enforce")
    setup = Setup(
        data_dir=data_dir,
        policy=standard_policy() if policy is None else load_policy(policy),
        mode="enforce" if mode == "enforce" else "shadow",
        verdicts=verdicts,
        key_accounts={} if keys is None else read_keys(keys),
        accounts={} if accounts is None else _accounts(accounts),
        registry=() if registry is None else load_registry(registry),
    )

    def started(taken: Ports) -> None:
        if as_json:
            typer.echo(json.dumps({"host": HOST, "port": taken.http, "spop_port": taken.spop, "mode": mode}))
        typer.echo(
            f"Deciding on http://{HOST}:{taken.http} (SPOP {taken.spop}), mode {mode}; stop with Ctrl-C.", err=True
        )

    run(setup, Ports(port, spop_port), os.environ.get(TOKEN_VARIABLE), started)


def read_keys(path: Path) -> dict[str, str]:
    """Read a key map, a JSON object of account ids by the SHA-256 (hex) of API keys.

    Raises:
        UsageError: the file is absent or holds something else.
    """
    try:
        held = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no key map: {error}", where=Location(str(path)), hint="a JSON object: hash → account"
        ) from error
    if not isinstance(held, dict) or not all(isinstance(account, str) for account in held.values()):
        raise UsageError(
            "no key map", where=Location(str(path)), hint='a JSON object: {"<SHA-256 of a key>": "account"}'
        )
    return {key.lower(): account for key, account in held.items()}


def _accounts(path: Path) -> dict[str, dict[str, Any]]:
    from stillwatch.records.accounts import read_accounts

    return {row["account_id"]: row for row in read_accounts(path).to_pylist()}
