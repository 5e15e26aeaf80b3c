"""Writes the tables of clearance.md from the rules, bases and conditions themselves: `make docs`."""

import sys
from collections.abc import Iterator
from pathlib import Path

from stillwatch.sharing.clearance.basis import standard_bases
from stillwatch.sharing.clearance.conditions import CONDITIONS
from stillwatch.sharing.clearance.load import standard_rules
from stillwatch.sharing.clearance.model import DataClass, Rule
from stillwatch.sharing.clearance.transform import TRANSFORMATIONS

PAGE = Path(__file__).with_name("clearance.md")
BEGIN, END = "<!-- made by clearance.py -->", "<!-- end -->"


def page(text: str) -> str:
    """Return the page with its tables made anew."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{chr(10).join(_tables())}\n{END}{tail}"


def _tables() -> Iterator[str]:
    rules = standard_rules()
    yield f"\nRules of version `{rules.version}`.\n"
    yield "| # | class | field | outcome | conditions | reason | source | bases |"
    yield "|---|---|---|---|---|---|---|---|"
    for one in rules.classes:
        for field in one.fields:
            yield _row(one, field)
    yield "\n## Legal bases\n"
    yield "| name | where | in force | what | source | caveat |"
    yield "|---|---|---|---|---|---|"
    for basis in standard_bases().known.values():
        days = "; ".join(f"{one.start} to {one.end or 'now'}" for one in basis.periods)
        told = (f"`{basis.id}`", basis.jurisdiction, days, basis.title, basis.source, basis.caveat)
        yield f"| {' | '.join(told)} |"
    yield f"\nConditions: {', '.join(f'`{name}`' for name in CONDITIONS)}."
    yield f"\nTransformations: {', '.join(f'`{name}`' for name in TRANSFORMATIONS)}."


def _row(one: DataClass, field: str) -> str:
    rules = [rule for rule in one.rule if field in rule.fields]
    outcomes = " else ".join(map(_outcome, rules)) or "never"
    conditions = "; ".join(", ".join(f"`{name}`" for name in rule.when) or "none" for rule in rules)
    title = (
        one.title + (" (one incident)" if one.incident else "") + ("" if one.channel == "hub" else f" ({one.channel})")
    )
    bases = ", ".join(f"`{name}`" for name in one.bases) if rules else ""
    told = (str(one.number), title, f"`{field}`", outcomes, conditions, one.reason, one.source, bases)
    return f"| {' | '.join(told)} |"


def _outcome(rule: Rule) -> str:
    return f"{rule.decision} as `{rule.transformation}`"


if __name__ == "__main__":
    sys.stdout.write(f"{PAGE.name}\n")
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
