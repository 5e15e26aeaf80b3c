"""The verb `dev-gateway`: a gateway for trials."""

import json
from typing import Annotated

import typer


def dev_gateway(
    upstream: Annotated[str, typer.Option(help="URL of the model's API that requests are passed on to.")],
    service: Annotated[str, typer.Option(help="URL of the decision service.")] = "http://127.0.0.1:8377",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on the loopback address; 0 = any.")] = 8382,
    account_header: Annotated[
        str | None, typer.Option(help="Header that names the account; without one, the API key is looked up.")
    ] = None,
    deadline_ms: Annotated[
        int, typer.Option(min=1, max=10_000, help="The longest that a request waits for a decision.")
    ] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as JSON when started.")] = False,
) -> None:
    """Put decisions in front of a model without a gateway of your own: for trials, not for production.

    Whoever calls may claim any account in the header that names it.

    Example: stillwatch dev-gateway --upstream http://127.0.0.1:8000 --account-header x-account
    """
    from stillwatch.enforcement.gateways.client import Client
    from stillwatch.enforcement.gateways.dev_gateway import run
    from stillwatch.enforcement.gateways.upstream import Upstream
    from stillwatch.listening import HOST

    def started(taken: int) -> None:
        if as_json:
            typer.echo(json.dumps({"host": HOST, "port": taken, "upstream": upstream, "service": service}))
        typer.echo(f"Passing on http://{HOST}:{taken} to {upstream}, as {service} decides; stop with Ctrl-C.", err=True)

    client = Client(service, adapter="dev-gateway", deadline_s=deadline_ms / 1000)
    run(Upstream(upstream), client, account_header, port, started)
