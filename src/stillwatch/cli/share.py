"""The verb `share`: what was found, told to others as far as the rules and counsel let it."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.cli.outboxes import BASES, open_clearing, open_or_make_outbox, open_outbox
from stillwatch.cli.share_hub import add_hub_commands, ask_who_hides
from stillwatch.cli.share_overlap import add_overlap_commands
from stillwatch.cli.share_tables import clearers, note_expired, outcomes_as_json, print_held, print_outcomes, trace
from stillwatch.errors import UsageError

if TYPE_CHECKING:
    from stillwatch.sharing.clearance.clearing import Clearing
    from stillwatch.sharing.clearance.model import Item

share = typer.Typer(
    help="Clear findings, have counsel review them, and exchange them with a hub.", no_args_is_help=True
)
add_hub_commands(share)
add_overlap_commands(share)

OutboxArgument = Annotated[Path, typer.Argument(metavar="OUTBOX", help="Directory that `share clear` wrote.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
RulesFile = Annotated[
    Path | None,
    typer.Option("--rules", help="Rule table (TOML) instead of the one that ships; `standard` is that one."),
]
BasesFile = Annotated[
    Path | None, typer.Option("--bases", help="Counsel's adoptions (TOML); by default bases.toml in the outbox.")
]
By = Annotated[str, typer.Option("--by", help="Who says so.")]
Why = Annotated[str, typer.Option("--reason", help="Why; it goes to the clearance log.")]


@share.callback()
def _group() -> None:
    """Clear findings, have counsel review them, and exchange them with a hub."""


@share.command("clear")
def clear(
    run: Annotated[Path, typer.Argument(metavar="DIR", help="Directory that `stillwatch detect --out` wrote.")],
    out: Annotated[Path, typer.Option(metavar="OUTBOX", help="Outbox to write into; made where there is none.")],
    identifiers: Annotated[
        Path | None, typer.Option(help="E-mail, payment, phone, device by account (JSON Lines); only tokens leave.")
    ] = None,
    facts: Annotated[Path | None, typer.Option(help="Further facts that analysts state (JSON Lines).")] = None,
    rules: RulesFile = None,
    bases: BasesFile = None,
    hub: Annotated[str | None, typer.Option(help="Hub whose token service makes the tokens.")] = None,
    trustee: Annotated[str | None, typer.Option(help="Holder of the other share of a split key.")] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="STILLWATCH_HUB_TOKEN", help="Token for the hub; better not on the command line."),
    ] = None,
    member: Annotated[str | None, typer.Option(help="This member's id, as the hub gave it.")] = None,
    tlp: Annotated[str, typer.Option(help="clear, green, amber, amber+strict or red.")] = "amber+strict",
    recipient: Annotated[list[str] | None, typer.Option(help="Member that may have it; may be given again.")] = None,
    correlate: Annotated[
        bool, typer.Option("--correlate", help="Let the hub compare it with what other members share.")
    ] = False,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Have the hub named by --hub hide who contributed it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Rule on each fact of each harvest: it leaves, waits for counsel, or stays. Nothing is sent.

    Example: stillwatch share clear out/today --out outbox
    """
    from stillwatch.sharing.clearance.clearing import Terms
    from stillwatch.sharing.producers import read_facts, read_findings, read_identifiers, with_facts

    terms = Terms(tlp=_tlp(tlp), recipients=_members(recipient or ()), correlate=correlate, anonymous=anonymous)
    items = read_findings(run, read_identifiers(identifiers) if identifiers else {})
    items = with_facts(items, read_facts(facts) if facts else {})
    if identifiers is not None and hub is None:
        typer.echo(
            "Note: no tokens are made, so no identifier leaves; --hub names the service that makes them", err=True
        )
    if hub is not None:
        items = _with_tokens(items, hub, trustee, token)
    nobody = ask_who_hides(hub, token) if anonymous and hub is not None else ""
    with open_or_make_outbox(out, member) as outbox:
        clearing = open_clearing(outbox, rules, bases, terms)
        outcomes = clearing.clear(items, nobody)
        held = len(clearing.held())
        names = {name for outcome in outcomes for name in outcome.objects}
        late = clearing.expired(names)
    note_expired(late)
    if as_json:
        typer.echo(json.dumps(outcomes_as_json(outcomes, held, late)))
    else:
        print_outcomes(outcomes, held, out)


@share.command("review")
def review(
    outbox_dir: OutboxArgument,
    release: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Release a fact by its key, or all of an item by its name.")
    ] = None,
    refuse: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Refuse a fact by its key, or all of an item by its name.")
    ] = None,
    by: By = "",
    reason: Why = "",
    rules: RulesFile = None,
    bases: BasesFile = None,
    as_json: Json = False,
) -> None:
    """List what waits for counsel, or say what becomes of it. Two different persons release, one refuses.

    Example: stillwatch share review outbox --release 3f9c21d07a55e1b4 --by "R. Ames" --reason "no customer is named"
    """
    with open_outbox(outbox_dir) as outbox:
        clearing = open_clearing(outbox, rules, bases)
        for verdict, names in (("refuse", refuse or ()), ("release", release or ())):
            for name in names:
                _review(clearing, name, verdict, by, reason)
        held = clearing.held()
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(held).decode())
    else:
        print_held(held)


@share.command("opine")
def opine(
    outbox_dir: OutboxArgument,
    by: By,
    reason: Why,
    number: Annotated[int, typer.Option("--class", help="Number of the class that the opinion speaks of.")] = 0,
    until: Annotated[str, typer.Option(help="Last day of the opinion, YYYY-MM-DD, at most a year away.")] = "",
    field: Annotated[list[str] | None, typer.Option(help="Field of the class; by default all.")] = None,
    end: Annotated[str | None, typer.Option(metavar="OPINION", help="End this opinion instead.")] = None,
    rules: RulesFile = None,
    bases: BasesFile = None,
    as_json: Json = False,
) -> None:
    """Give a standing opinion: facts of a class leave without being asked. It stands once two persons gave it.

    Example: stillwatch share opine outbox --class 2 --until 2027-03-31 --by "R. Ames" --reason "frames of tools only"
    """
    from stillwatch.sharing.clearance.events import OpinionGiven
    from stillwatch.sharing.clearance.opining import end_opinion

    with open_outbox(outbox_dir) as outbox:
        if end is not None:  # whatever the rules: an end loosens nothing
            end_opinion(outbox, end, by=by, reason=reason, now_s=outbox.moment(time.time()))
            name, stands = end, False
        else:
            name = outbox.digest("opinion", str(number), until, *sorted(field or ()))[:16]
            given = OpinionGiven(
                ts=time.time(),
                opinion=name,
                number=number,
                fields=tuple(field or ()),
                until_s=_end_of(until),
                by=by,
                reason=reason,
            )
            stands = open_clearing(outbox, rules, bases).give_opinion(given)
    if as_json:
        typer.echo(json.dumps({"opinion": name, "stands": stands}))
    else:
        typer.echo(
            f"Opinion {name} " + ("stands" if stands else "ended" if end else "waits for a second person"), err=True
        )


@share.command("bases")
def bases(
    outbox_dir: OutboxArgument,
    adopt: Annotated[str | None, typer.Option(metavar="BASIS", help="Rely on this legal basis.")] = None,
    until: Annotated[str, typer.Option(help="Last day of the adoption, YYYY-MM-DD, at most a year away.")] = "",
    by: By = "",
    reason: Why = "",
    as_json: Json = False,
) -> None:
    """Show the legal bases and which are in force for this member, or adopt one. The default is none.

    Example: stillwatch share bases outbox --adopt us-2014-statement --until 2027-06-30 --by "R. Ames" --reason memo-12
    """
    from stillwatch.sharing.clearance.adopt import adopt_basis
    from stillwatch.sharing.clearance.basis import load_adoptions, standard_bases

    file = outbox_dir / BASES
    if adopt is not None:
        adopt_basis(file, adopt, until=until, by=by, reason=reason, now_s=time.time())
    known = standard_bases(load_adoptions(file) if file.exists() else None)
    shown = [
        {"id": name, "title": basis.title, "why_not": known.why_not(name, time.time()), "caveat": basis.caveat}
        for name, basis in known.known.items()
    ]
    if as_json:
        typer.echo(json.dumps(shown))
        return
    for one in shown:
        typer.echo(f"{one['id']}: {one['why_not'] or 'in force'}\n  {one['title']} ({one['caveat']})", err=True)


@share.command("status")
def status(outbox_dir: OutboxArgument, as_json: Json = False) -> None:
    """Trace each object: under which rules, bases and opinions it was cleared, who released it, and if a hub has it.

    Example: stillwatch share status outbox
    """
    with open_outbox(outbox_dir) as outbox:
        rows = [trace(outbox, made) for made in outbox.latest().values()]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        typer.echo(f"{row['object_id']}: {row['state']}; rules {row['rules_version']}, by {clearers(row)}", err=True)


@share.command("withdraw")
def withdraw(outbox_dir: OutboxArgument, object_id: str, by: By, reason: Why, as_json: Json = False) -> None:
    """Take an object back from everybody who has it; `share push` to each place that has it tells it there.

    Example: stillwatch share withdraw outbox campaign--0d2c… --by "R. Ames" --reason "the account was taken over"
    """
    from stillwatch.sharing.clearance.withdrawal import withdraw as take_back

    with open_outbox(outbox_dir) as outbox:
        made = take_back(outbox, object_id, by=by, reason=reason, now_s=outbox.moment(time.time()))
        places = outbox.places.of(object_id)
    if as_json:
        at = [list(place) for place in places]
        typer.echo(json.dumps({"object_id": made.object_id, "sha256": made.sha256, "still_at": at}))
        return
    typer.echo(f"{made.object_id} is offered no more" + ("" if places else "; no hub has it"), err=True)
    for place in places:
        typer.echo(f"  it is still at {place}: the next push there takes it back", err=True)


def _review(clearing: "Clearing", name: str, verdict: Any, by: str, reason: str) -> None:
    from stillwatch.sharing.clearance.events import Reviewed

    keys = [held.key for held in clearing.held() if name in (held.key, held.item_id)]
    if not keys:
        raise UsageError(f"nothing is held under {name}", hint="`share review OUTBOX` lists what is held")
    clearing.review(*(Reviewed.word(key, verdict, by=by, reason=reason) for key in keys))


def _with_tokens(items: list["Item"], hub: str, trustee: str | None, token: str | None) -> list["Item"]:
    from stillwatch.cli.share_hub import token_service
    from stillwatch.sharing.tokens import with_tokens

    with token_service(hub, trustee, token) as tokenise:
        return with_tokens(items, tokenise)


def _members(names: Sequence[str]) -> tuple[str, ...]:
    from stillwatch.sharing.objects.build import is_member_id

    for name in names:
        if not is_member_id(name):
            raise UsageError(f"{name!r} is no id of a member", hint="--recipient takes identity--…, as the hub gave it")
    return tuple(names)


def _tlp(word: str) -> Any:
    from stillwatch.sharing.objects.tlp import Tlp

    known = {level.label.removeprefix("TLP:").lower(): level for level in Tlp}
    found = known.get(word.lower().removeprefix("tlp:"))
    if found is None:
        raise UsageError(f"there is no TLP label {word!r}", hint=f"one of {', '.join(known)}")
    return found


def _end_of(day: str) -> float:
    from datetime import UTC, datetime, timedelta

    try:
        return (datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)).timestamp()
    except ValueError as error:
        raise UsageError(f"{day!r} is no day", hint="write it as 2027-03-31") from error
