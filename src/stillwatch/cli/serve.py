"""The verb `serve`: the decision service."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.errors import Location, UsageError

if TYPE_CHECKING:
    from stillwatch.enforcement.policy.model import Policy

TOKEN_VARIABLE = "STILLWATCH_ADMIN_TOKEN"  # noqa: S105 - the variable's name


def serve(
    data_dir: Annotated[Path, typer.Option(help="What must outlive the process; one process each.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="HTTP port on the loopback address; 0 = any.")] = 8377,
    spop_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of HAProxy's agent (SPOE); 0 = any.")] = 8379,
    grpc_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of Envoy's protocols (gRPC); 0 = any.")] = 8378,
    verdicts: Annotated[Path | None, typer.Option(help="verdicts.jsonl that detect replaces.")] = None,
    received: Annotated[Path | None, typer.Option(help="received.jsonl that `share pull` replaces.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy (TOML); without one, the standard policy.")] = None,
    mode: Annotated[str, typer.Option(help="shadow: decide and record only; enforce.")] = "shadow",
    keys: Annotated[Path | None, typer.Option(help="Accounts by SHA-256 of their API key (JSON).")] = None,
    accounts: Annotated[Path | None, typer.Option(help="Account records, for the policy's cohorts.")] = None,
    registry: Annotated[Path | None, typer.Option(help="Registry of authorised users (TOML).")] = None,
    redis_url: Annotated[str | None, typer.Option(help="Redis or Valkey that replicas share; none = alone.")] = None,
    redis_deadline_ms: Annotated[
        int, typer.Option(min=1, max=10_000, help="The longest that a request waits for it.")
    ] = 10,
    require_backtest: Annotated[
        bool, typer.Option("--require-backtest", help="Refuse a policy with an enforcing rule that was not replayed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as JSON when started.")] = False,
) -> None:
    """Decide on requests in front of a model, for the gateways that ask.

    Example: stillwatch serve --data-dir /var/lib/stillwatch --verdicts out/today/verdicts.jsonl --mode enforce
    """
    from stillwatch.enforcement.policy.load import load_policy, standard_policy
    from stillwatch.enforcement.service import Setup, SharedStore
    from stillwatch.enforcement.serving.server import Ports
    from stillwatch.enforcement.serving.server import serve as run
    from stillwatch.listening import HOST
    from stillwatch.records.registry import load_registry

    if mode not in {"shadow", "enforce"}:
        raise UsageError(f"there is no mode {mode!r}", hint="--mode shadow or --mode enforce")
    loaded = standard_policy() if policy is None else load_policy(policy)
    if mode == "enforce" and policy is not None:
        _check_replayed(loaded, policy, required=require_backtest)
    setup = Setup(
        data_dir=data_dir,
        policy=loaded,
        mode="enforce" if mode == "enforce" else "shadow",
        verdicts=verdicts,
        received=received,
        key_accounts={} if keys is None else read_keys(keys),
        accounts={} if accounts is None else _accounts(accounts),
        registry=() if registry is None else load_registry(registry),
        shared=None if redis_url is None else SharedStore(redis_url, redis_deadline_ms / 1000),
    )

    def started(taken: Ports) -> None:
        if as_json:
            ports = {"port": taken.http, "spop_port": taken.spop, "grpc_port": taken.grpc}
            typer.echo(json.dumps({"host": HOST, **ports, "mode": mode}))
        typer.echo(
            f"Deciding on http://{HOST}:{taken.http} (gRPC {taken.grpc}, SPOP {taken.spop}), mode {mode}; "
            "stop with Ctrl-C.",
            err=True,
        )

    run(setup, Ports(port, spop_port, grpc_port), os.environ.get(TOKEN_VARIABLE), started)


def _check_replayed(policy: "Policy", file: Path, *, required: bool) -> None:
    """Warn of each rule that enforces without having been replayed, or refuse them all.

    Raises:
        UsageError: there is one, and replays are required.
    """
    from stillwatch.enforcement.backtest.gate import untried_rules

    untried = [f'rule "{name}" enforces untried: {why}' for name, why in untried_rules(policy, file).items()]
    hint = f'stillwatch policy backtest {file} --on DIR, with the files that it names; or mode = "shadow"'
    if untried and required:
        raise UsageError("\n".join(untried), where=Location(str(file)), hint=hint)
    for line in untried:
        typer.echo(f"stillwatch: {file}: {line}", err=True)
    if untried:
        typer.echo(f"  -> {hint}", err=True)


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
