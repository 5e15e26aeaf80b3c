"""The verb `hub trustee`: the other holder of a hub's key, without whom the hub can guess nobody's identifiers."""

import json
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.cli.urls import check_url

trustee = typer.Typer(help="Split a hub's key with a trustee, and be one.", no_args_is_help=True)


@trustee.callback()
def _group() -> None:
    """Split a hub's key with a trustee, and be one."""


@trustee.command("split")
def split(
    data_dir: Annotated[Path, typer.Option(help="Data directory of the hub, which is not running.")],
    out: Annotated[Path, typer.Option(help="Where the trustee's share goes: the data directory of the trustee.")],
    url: Annotated[str | None, typer.Option(help="Where the trustee will answer; members are told.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the epochs and their public keys as JSON.")] = False,
) -> None:
    """Split the key of a hub into two shares; tokens that members have stay what they are.

    Bring OUT to the trustee and delete it here: who has both shares has the key.

    Example: stillwatch hub trustee split --data-dir /var/lib/hub --out share --url https://trustee.example
    """
    import msgspec

    from stillwatch.data_dir import alone
    from stillwatch.hub.api.holder import split as divide

    if url is not None:
        check_url(url, "--url")
    with alone(data_dir):
        epochs = divide(data_dir, out, url)
    if as_json:
        typer.echo(msgspec.json.encode({"epochs": epochs}).decode())
    typer.echo(f"{len(epochs)} epochs are split; bring {out} to the trustee and delete it here.", err=True)


@trustee.command("serve")
def serve(
    data_dir: Annotated[Path, typer.Option(help="Directory with the trustee's share; one process.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="HTTP port; 0 = any.")] = 8382,
    host: Annotated[
        str, typer.Option(help="Address to listen on; put TLS in front of any but loopback.")
    ] = "127.0.0.1",
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as JSON when started.")] = False,
) -> None:
    """Serve the token service alone, with a share of a hub's key, its own members and its own quotas.

    Add the hub's members with `stillwatch hub member add NAME --data-dir DIR`.

    Example: stillwatch hub trustee serve --data-dir /var/lib/trustee
    """
    from stillwatch.hub.app import make_trustee_app
    from stillwatch.hub.server import Setup
    from stillwatch.hub.server import serve as run
    from stillwatch.listening import HOST

    if host != HOST:
        typer.echo("stillwatch: tokens travel in the clear without TLS in front of this address", err=True)

    def started(taken: int) -> None:
        if as_json:
            typer.echo(json.dumps({"host": host, "port": taken}))
        typer.echo(f"Answering for a share on http://{host}:{taken}; stop with Ctrl-C.", err=True)

    run(Setup(data_dir=data_dir, host=host, port=port), started, make_trustee_app)
