"""The range's commands: `stillwatch range build|score` and `stillwatch demo`."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="range",
    help="Make labelled traffic and score detection on it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def build(
    scenario: Annotated[str, typer.Argument(help="evolinstruct-20, combined, tags-20+cloud, ...; or a TOML file.")],
    out: Annotated[Path, typer.Option(help="Directory to write into.")],
    corpora: Annotated[
        Path | None, typer.Option(help="Directory of corpora in the shared row format; without it, invented text.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed makes the same bytes.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was planted as JSON.")] = False,
) -> None:
    """Make history, window and truth of a scenario.

    Example: stillwatch range build evolinstruct-20 --corpora DIR --seed 3 --out out/window
    """
    import msgspec

    from stillwatch_range.catalogue import find_scenario
    from stillwatch_range.scenario import build_labelled_window

    truth = build_labelled_window(corpora, out, find_scenario(scenario), seed)
    if as_json:
        typer.echo(msgspec.json.encode(truth.campaigns, order="sorted").decode())
        return
    typer.echo(f"{len(truth.accounts)} accounts in the window of {out}", err=True)
    for name, campaign in sorted(truth.campaigns.items()):
        typer.echo(
            f"  {name}  {campaign.family} over {campaign.accounts} accounts: {campaign.exchanges} exchanges, "
            f"{campaign.share:.1%} of the window",
            err=True,
        )


@app.command(name="score")
def score_run(
    truth: Annotated[Path, typer.Option(help="truth.json of the window.")],
    run: Annotated[Path, typer.Option(help="Directory that `stillwatch detect` wrote.")],
    step_hours: Annotated[float, typer.Option(help="Hours between two runs of detection in the replay.")] = 6.0,
    received: Annotated[
        Path | None,
        typer.Option(help="received.jsonl, or another provider's verdicts.jsonl: replay also with it known."),
    ] = None,
    no_replay: Annotated[
        bool, typer.Option("--no-replay", help="Score the run alone, not how much is harvested before containment.")
    ] = False,
) -> None:
    """Print the metrics of one run as JSON.

    Its window is replayed in time order, with detection on what has arrived by then, to see how much of the harvest
    its verdicts would have held back.

    Example: stillwatch range score --truth out/window/truth.json --run out/run --step-hours 3
    """
    from stillwatch_range.containment import score_replay
    from stillwatch_range.scoring import score

    metrics = score(truth, run) | {"harvested_before_containment": None}
    if not no_replay and (run / "run.json").is_file():
        metrics |= score_replay(truth, run, step_hours=step_hours, received=received)
    elif not no_replay:
        typer.echo(f"Not replayed: {run} has no run.json that says what the run looked at.", err=True)
    typer.echo(json.dumps(metrics, indent=1))


def demo(
    out: Annotated[Path, typer.Option(help="Directory to write into.")] = Path("out/demo"),
    seed: Annotated[int, typer.Option(help="The same seed makes the same logs.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Show the whole story on two simulated providers: one detects, clears and shares, the other is warned.

    Example: stillwatch demo --seed 11 --out out/demo
    """
    import msgspec
    from rich.console import Console

    from stillwatch_range.demo import run_demo
    from stillwatch_range.show import outcome_table, sharing_table, way_of

    story = run_demo(out, seed)
    if as_json:
        typer.echo(msgspec.json.encode(story).decode())
        return
    console = Console()
    console.print(
        "Two simulated providers. One campaign harvests both through many accounts, half of whose traffic is "
        "cover; the others are innocent, though some look like it.\n"
    )
    for outcome in story.providers:
        console.print(outcome_table(outcome))
        console.print(f"Report: [bold]{outcome.report}[/bold]\n", soft_wrap=True)
    console.print(way_of(story) + "\n")
    console.print(sharing_table(story))
    console.print("All of it was simulated; nothing left this machine. On your own logs:")
    console.print("  stillwatch detect LOGS --history EARLIER_LOGS --out out/run", style="bold")
