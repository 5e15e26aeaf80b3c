"""The verb `hub`: the server that members share through, and its members."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stillwatch.cli.urls import check_url
from stillwatch.errors import UsageError

if TYPE_CHECKING:
    from stillwatch.hub.oidc import Provider

hub = typer.Typer(help="Run a hub that members share through.", no_args_is_help=True)
member = typer.Typer(help="Add, list and remove the members of a hub.", no_args_is_help=True)
hub.add_typer(member, name="member")

DataDir = Annotated[Path, typer.Option(help="What the hub keeps; one process each.")]
DatabaseUrl = Annotated[str | None, typer.Option(help="postgresql://…; without it, SQLite in the data directory.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
_ROOT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)
_TAKEN = {"v1", "taxii2"}
_OVERLAP_H = 24.0
_MOST_OVERLAP_H = 366 * 24
_MOST_DAYS = 36_500
_CERTIFICATE = re.compile(r"[A-Za-z0-9_-]{43}=?", re.ASCII)


@hub.callback()
def _group() -> None:
    """Run a hub that members share through."""


@member.callback()
def _members() -> None:
    """Add, list and remove the members of a hub."""


@hub.command("serve")
def serve(
    data_dir: DataDir,
    port: Annotated[int, typer.Option(min=0, max=65535, help="HTTP port; 0 = any.")] = 8380,
    host: Annotated[
        str, typer.Option(help="Address to listen on; put TLS in front of any but loopback.")
    ] = "127.0.0.1",
    database_url: DatabaseUrl = None,
    public_url: Annotated[str | None, typer.Option(help="How members reach the hub, as https://hub.example.")] = None,
    api_root: Annotated[str, typer.Option(help="Name of the TAXII API root.")] = "exchange",
    max_page: Annotated[int, typer.Option(min=1, max=10_000, help="The most objects of a page.")] = 1000,
    max_body: Annotated[int, typer.Option(min=1024, max=2**30, help="The longest body in bytes.")] = 10 * 2**20,
    oidc_issuer: Annotated[str | None, typer.Option(help="OIDC provider whose tokens are taken.")] = None,
    oidc_audience: Annotated[str | None, typer.Option(help="Audience that its tokens must name.")] = None,
    oidc_jwks: Annotated[Path | None, typer.Option(help="File with its public keys (JWKS).")] = None,
    certificate_header: Annotated[
        str | None, typer.Option(help="Header in which a proxy gives the SHA-256 of the client certificate.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as JSON when started.")] = False,
) -> None:
    """Serve TAXII 2.1 and the member API.

    Example: stillwatch hub serve --data-dir /var/lib/stillwatch-hub --public-url https://hub.example
    """
    from stillwatch.hub.hub import Limits
    from stillwatch.hub.server import Setup
    from stillwatch.hub.server import serve as run
    from stillwatch.listening import HOST

    if _ROOT.fullmatch(api_root) is None or api_root in _TAKEN:
        raise UsageError(f"{api_root!r} cannot name an API root", hint="--api-root with small letters and digits")
    if public_url is not None:
        check_url(public_url, "--public-url")
    setup = Setup(
        data_dir=data_dir,
        database_url=database_url,
        host=host,
        port=port,
        root=api_root,
        public_url=public_url,
        provider=_provider(oidc_issuer, oidc_audience, oidc_jwks),
        certificate_header=certificate_header,
        limits=Limits(max_body, max_page),
    )
    if host != HOST:
        typer.echo("stillwatch: tokens travel in the clear without TLS in front of this address", err=True)

    def started(taken: int) -> None:
        if as_json:
            typer.echo(json.dumps({"host": host, "port": taken, "api_root": api_root}))
        typer.echo(f"Hub on http://{host}:{taken}/taxii2/; stop with Ctrl-C.", err=True)

    run(setup, started)


def _provider(issuer: str | None, audience: str | None, jwks: Path | None) -> "Provider | None":
    from stillwatch.hub.oidc import Provider

    if issuer is None and audience is None and jwks is None:
        return None
    if issuer is None or audience is None or jwks is None:
        raise UsageError("an OIDC provider is not whole", hint="--oidc-issuer, --oidc-audience and --oidc-jwks")
    return Provider(issuer, audience, jwks)


@member.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Name of the member.")],
    data_dir: DataDir,
    database_url: DatabaseUrl = None,
    role: Annotated[str, typer.Option(help="reader, contributor (writes only), member or steward.")] = "member",
    days: Annotated[float | None, typer.Option(min=0, help="Days that the token is good for; none = no end.")] = None,
    certificate: Annotated[
        str | None, typer.Option(help="SHA-256 (base64url) of the client certificate that the token is bound to.")
    ] = None,
    oidc_subject: Annotated[str | None, typer.Option(help="How the OIDC provider knows the member.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add a member and print its token, which is kept nowhere else.

    Example: stillwatch hub member add "Lab North" --data-dir /var/lib/stillwatch-hub
    """
    from stillwatch.hub.hub import open_storage
    from stillwatch.hub.members import ROLES, add_member, make_token

    known = next((one for one in ROLES if one == role), None)
    if known is None:
        raise UsageError(f"there is no role {role!r}", hint="--role " + ", ".join(ROLES))
    valid_s = _seconds(days)
    _check_certificate(certificate)
    with open_storage(data_dir, database_url) as storage, storage.writing() as db:
        made = add_member(db, name, known, storage.now(), subject=oidc_subject)
        token = make_token(db, made, storage.now(), valid_s=valid_s, certificate=certificate)
        storage.audit(db, "member.added")
    _print_token(made.member_id, token, as_json=as_json)


@member.command("list")
def list_all(data_dir: DataDir, database_url: DatabaseUrl = None, as_json: AsJson = False) -> None:
    """List the members.

    Example: stillwatch hub member list --data-dir /var/lib/stillwatch-hub --json
    """
    from stillwatch.hub.hub import check_hub, open_storage
    from stillwatch.hub.members import HUB, list_members

    check_hub(data_dir, database_url)
    with open_storage(data_dir, database_url) as storage, storage.reading() as db:
        found = [one for one in list_members(db) if one.name != HUB]
    if as_json:
        shown = [{"member_id": one.member_id, "name": one.name, "role": one.role, "added": one.added} for one in found]
        typer.echo(json.dumps({"members": shown}))
        return
    for one in found:
        typer.echo(f"{one.member_id}  {one.role:<11}  {one.name}")


@member.command("rotate")
def rotate(
    name: Annotated[str, typer.Argument(help="Name or id of the member.")],
    data_dir: DataDir,
    database_url: DatabaseUrl = None,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=_MOST_OVERLAP_H, help="Hours for which the old tokens stay good.")
    ] = _OVERLAP_H,
    days: Annotated[float | None, typer.Option(min=0, help="Days that the token is good for; none = no end.")] = None,
    certificate: Annotated[
        str | None, typer.Option(help="SHA-256 (base64url) of the client certificate that the token is bound to.")
    ] = None,
    unbound: Annotated[bool, typer.Option("--unbound", help="Bind it to no certificate, as the old one was.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print a new token for a member, and let the old ones end. It stays bound to the certificate of the old one.

    Example: stillwatch hub member rotate "Lab North" --data-dir /var/lib/stillwatch-hub --overlap-hours 1
    """
    from stillwatch.hub.hub import check_hub, open_storage
    from stillwatch.hub.members import binding_of, end_tokens, make_token, named_member

    valid_s = _seconds(days)
    _check_certificate(certificate)
    if unbound and certificate is not None:
        raise UsageError("--unbound and --certificate contradict one another", hint="give one of them")
    check_hub(data_dir, database_url)
    with open_storage(data_dir, database_url) as storage, storage.writing() as db:
        found = named_member(db, name)
        if certificate is None and not unbound:
            certificate = binding_of(db, found)
        end_tokens(db, found, storage.now() + overlap_hours * 3600)
        token = make_token(db, found, storage.now(), valid_s=valid_s, certificate=certificate)
        storage.audit(db, "member.rotated")
    _print_token(found.member_id, token, as_json=as_json)


@member.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="Name or id of the member.")],
    data_dir: DataDir,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Remove a member at once. What it shared stays.

    Example: stillwatch hub member remove "Lab North" --data-dir /var/lib/stillwatch-hub
    """
    from stillwatch.hub.hub import check_hub, open_storage
    from stillwatch.hub.members import named_member, remove_member

    check_hub(data_dir, database_url)
    with open_storage(data_dir, database_url) as storage, storage.writing() as db:
        found = named_member(db, name)
        remove_member(db, found, storage.now())
        storage.audit(db, "member.removed")
    if as_json:
        typer.echo(json.dumps({"member_id": found.member_id}))
    typer.echo(f"Removed {found.name}.", err=True)


def _seconds(days: float | None) -> float | None:
    if days is not None and not 0 < days <= _MOST_DAYS:
        raise UsageError("a token is good for some time", hint=f"--days, more than 0 and at most {_MOST_DAYS}")
    return None if days is None else days * 86_400


def _check_certificate(certificate: str | None) -> None:
    if certificate is not None and _CERTIFICATE.fullmatch(certificate) is None:
        raise UsageError("--certificate is no SHA-256 in base64url", hint="43 characters, as x5t#S256 of RFC 8705")


def _print_token(member_id: str, token: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"member_id": member_id, "token": token}))
    else:
        typer.echo(token)
        typer.echo(f"{member_id}: this token is shown once and kept nowhere.", err=True)
