"""How long a harvest goes on when the attacker adapts: share taken per round, for each kind of adaptation.

    .venv/bin/python benchmarks/adaptive.py --seed 1 --seed 2 --out out/adaptive

A round is a day. The attacker harvests through some of its accounts, sees which of its requests were refused, and
changes one thing (or several, joined by +) for the next day; see stillwatch_range.attacker and .adaptive. Without
--corpora the customers' and the attacker's texts are made by the range. Writes rounds.csv, rounds.json and rounds.svg.
"""

import argparse
import csv
import io
import sys
import tempfile
from html import escape
from pathlib import Path

import msgspec

from stillwatch_range.adaptive import Round, run_rounds
from stillwatch_range.attacker import ADAPTATIONS, find_adaptation
from stillwatch_range.corpora import read_corpora
from stillwatch_range.plan import Scenario
from stillwatch_range.text import ANALYST, invent_material

KINDS = (*ADAPTATIONS, "paraphrase+drop_refused", "split+drop_refused")
_TALKS = 6000
_COLOURS = (
    "#4477aa",
    "#66ccee",
    "#228833",
    "#ccbb44",
    "#ee6677",
    "#aa3377",
    "#777777",
    "#000000",
    "#cc7711",
    "#117755",
)
_WIDTH, _HEIGHT, _LEFT, _TOP, _LEGEND = 560, 320, 60, 30, 250

Rounds = dict[tuple[str, int], list[Round]]
"""The rounds of each kind of adaptation and seed."""


def main() -> None:
    """Run, write, print."""
    options = _options()
    found: Rounds = {}
    for seed in options.seed:
        material = read_corpora(options.corpora) if options.corpora else invent_material(seed, _TALKS)
        scenario = Scenario(
            name="adaptive",
            benign_accounts=options.customers,
            history_accounts=options.customers,
            days=options.rounds,
            hard_negatives="none",
        )
        for kind in options.kind or KINDS:
            adapt = find_adaptation(kind)
            with tempfile.TemporaryDirectory() as work:
                rounds = run_rounds(
                    material, scenario, options.family, adapt, seed, Path(work), step_hours=options.step_hours
                )
            found[kind, seed] = rounds
            shares = " ".join(f"{one.share:.2f}" for one in rounds)
            print(
                f"{kind}, seed {seed}: {shares}, accounts spent {rounds[-1].accounts_spent}",
                file=sys.stderr,
                flush=True,
            )
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "rounds.csv").write_text(_csv(found), "utf-8")
    records = [{"kind": kind, "seed": seed, "rounds": rounds} for (kind, seed), rounds in found.items()]
    (options.out / "rounds.json").write_bytes(msgspec.json.format(msgspec.json.encode(records), indent=1) + b"\n")
    (options.out / "rounds.svg").write_text(_picture(found), "utf-8")
    print(_table(found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, help="customers' and attacker's texts; default: made by the range")
    parser.add_argument("--family", default=ANALYST, help="what is harvested")
    parser.add_argument("--kind", action="append", help=f"repeatable; default: {', '.join(KINDS)}")
    parser.add_argument("--seed", type=int, action="append", required=True, help="repeatable")
    parser.add_argument("--rounds", type=int, default=6, help="days")
    parser.add_argument("--customers", type=int, default=400, help="ordinary accounts; as many before the window")
    parser.add_argument("--step-hours", type=float, default=6.0, help="between two runs of detection")
    parser.add_argument("--out", type=Path, required=True, help="directory to write into")
    return parser.parse_args()


def _csv(found: Rounds) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["kind", "seed", *Round.__struct_fields__])
    for (kind, seed), rounds in found.items():
        writer.writerows([kind, seed, *msgspec.structs.astuple(one)] for one in rounds)
    return text.getvalue()


def _mean_shares(found: Rounds) -> dict[str, list[float]]:
    """Return the mean over seeds of the share taken, per kind and round."""
    kinds: dict[str, list[list[Round]]] = {}
    for (kind, _), rounds in found.items():
        kinds.setdefault(kind, []).append(rounds)
    return {
        kind: [sum(one.share for one in day) / len(day) for day in zip(*runs, strict=True)]
        for kind, runs in kinds.items()
    }


def _table(found: Rounds) -> str:
    """Return what was taken and what it cost, over the seeds of a kind; days are at the last round's rate."""
    head = [
        "adaptation",
        "share taken per round",
        "taken of the first plan",
        "accounts spent",
        "days per 1,000",
        "others hit",
    ]
    rows = [head, ["---"] * len(head)]
    for kind, shares in _mean_shares(found).items():
        runs = [rounds for (name, _), rounds in found.items() if name == kind]
        kept = sum(one.kept for rounds in runs for one in rounds) / sum(map(len, runs))
        spent = sum(rounds[-1].accounts_spent for rounds in runs) / len(runs)
        rates = [rounds[-1].days_per_thousand for rounds in runs]
        days = "never" if None in rates else f"{sum(filter(None, rates)) / len(rates):.0f}"
        others = sum(one.innocents for rounds in runs for one in rounds)
        row = [kind, " ".join(f"{share:.2f}" for share in shares), f"{kept:.2f}", f"{spent:.0f}", days, str(others)]
        rows.append(row)
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _picture(found: Rounds) -> str:
    shares = _mean_shares(found)
    rounds = max(map(len, shares.values()))
    width, height = _LEFT + _WIDTH + _LEGEND, _TOP + _HEIGHT + 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-size="12">',
        "<title>Share of the harvest that is taken, per round, for each kind of adaptation</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for tenth in range(0, 11, 2):
        y = _y(tenth / 10)
        parts.append(f'<line x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{tenth / 10:.1f}</text>')
    parts += [
        f'<text x="{_x(place, rounds)}" y="{_TOP + _HEIGHT + 20}" text-anchor="middle">{place + 1}</text>'
        for place in range(rounds)
    ]
    parts.append(f'<text x="{_LEFT + _WIDTH / 2}" y="{height - 8}" text-anchor="middle">round (one day)</text>')
    for number, (kind, taken) in enumerate(shares.items()):
        colour, dash = _COLOURS[number % len(_COLOURS)], "6 3" if number % 2 else "none"
        points = " ".join(f"{_x(place, rounds)},{_y(share)}" for place, share in enumerate(taken))
        stroke = f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
        parts.append(f'<polyline points="{points}" fill="none" {stroke}/>')
        x, y = _LEFT + _WIDTH + 20, _TOP + 20 * number
        parts.append(f'<line x1="{x}" x2="{x + 24}" y1="{y}" y2="{y}" {stroke}/>')
        parts.append(f'<text x="{x + 30}" y="{y + 4}">{escape(kind.replace("_", " ").replace("+", " + "))}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _x(place: int, rounds: int) -> float:
    return round(_LEFT + _WIDTH * place / max(1, rounds - 1), 1)


def _y(share: float) -> float:
    return round(_TOP + _HEIGHT * (1 - share), 1)


if __name__ == "__main__":
    main()
