"""Harvests that the range writes itself, one file for each that needs code of its own.

A family is a function that yields tasks without end (`base.Family`). To add one of a single turn, add its wordings
to `frames.toml` and its name below; to add one of another shape, add a file.
"""

from stillwatch_range.families.analyst import analyst
from stillwatch_range.families.base import Family
from stillwatch_range.families.forwarded import forwarded
from stillwatch_range.families.framed import framed
from stillwatch_range.families.trajectories import trajectories

REPLAY = "replay"
"""The family whose requests present foreign reasoning handles."""

FAMILIES: dict[str, Family] = {
    "reasoning": framed("reasoning"),
    "tags": framed("tags"),
    "grading": framed("grading"),
    "tasks": framed("tasks"),
    "cleaning": framed("cleaning"),
    "alignment": framed("alignment"),
    REPLAY: framed(REPLAY),
    "tools": trajectories,
    "forwarded": forwarded,
    "analyst": analyst,
}
