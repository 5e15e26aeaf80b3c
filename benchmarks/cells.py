"""Which scenarios the tables of detection and containment hold, section by section (docs/reference/scenarios.md)."""

from typing import NamedTuple

from stillwatch_range.catalogue import SPLITS, TEMPLATED, UNTEMPLATED

PLAINEST = "alpaca"
"""The plainest instruction data."""
ELSEWHERE = "second provider: "
"""Before a scenario's name: its campaign works at two providers, of which the second is warned by the first."""


class Section(NamedTuple):
    """Scenarios of one kind, and what they have in common."""

    title: str
    about: str
    cells: tuple[str, ...]


FRAMED = Section(
    "One template, half of the traffic cover",
    "Six work queues, each under one template, over 200, 20 and 6 accounts.",
    tuple(f"{family}-{accounts}" for family in TEMPLATED for accounts in SPLITS),
)
MIXED = Section(
    "One template, no cover and four fifths of it",
    "The same over 20 accounts.",
    tuple(f"{family}-20+mix{percent}" for percent in (0, 80) for family in TEMPLATED),
)
UNFRAMED = Section(
    "No template",
    "Prompts that have nothing but their purpose in common; `+share4`: 4 % of the window is harvest, else as much as "
    "the conversations left for cover allow.",
    tuple(f"{family}-{size}" for size in ("60+share4", "200", "20", "60+mix80") for family in UNTEMPLATED),
)
SMALL = Section(
    "From a tenth to a thousandth of the window",
    "60 accounts; 6 for a thousandth, which is 9 exchanges.",
    tuple(
        f"{family}-{size}"
        for family in ("evolinstruct", "codealpaca", "math")
        for size in ("60+share10", "60+share5", "60+share1", "6+share0.1")
    ),
)
KINDS = Section(
    "Other kinds of harvest, which the range words itself",
    "60 accounts, half of their traffic cover.",
    (
        *(f"{family}-60" for family in ("reasoning", "tags", "grading", "tasks", "cleaning")),
        *(f"{family}-60" for family in ("alignment", "replay", "tools")),
        "forwarded-60+share4",
    ),
)
CONDUCT = Section(
    "How a campaign is run",
    "From one account to 20,000, from two requests an account and day to 860, and what operators do besides. "
    "`+talksN` adds conversations that the range writes, where the corpora hold too few.",
    (
        *("evolinstruct-1", "alpaca-1", "tags-1", "tasks-2000+talks4000", "tasks-2000+swarm", "tasks-20000+swarm"),
        "tags-20000+pace0.5+benign20000+talks200000",
        *("tags-60+pace2", "tags-6+pace860+talks20000", "tags-60+search", "tasks-60+pivot"),
        *("evolinstruct-60+failover", "math-60+share4+failover", "reasoning-60+pool", "rubric-60+stolen"),
        *("evolinstruct-60+cloud", "selfinstruct-20+first", "selfinstruct-20+second"),
        *("evolinstruct-20+homes", "evolinstruct-20+apart", "math-60+share4+homes", "math-60+share4+apart"),
        *("tags-60+profiles", "alpaca-60+share4+profiles", "math-60+share4+profiles"),
    ),
)
COMBINED = Section(
    "Six campaigns at once",
    "All templated work queues in one window, over 200, 20 and 6 accounts in turn.",
    tuple(
        f"combined{suffix}"
        for suffix in (
            *("", "+apart", "+bare", "+known", "+keys", "+drift", "+profiles"),
            *("+everyday+talks4000", "+everyday+profiles+talks4000"),
        )
    ),
)
FREE = Section(
    "No campaign",
    "Whatever is flagged here is innocent. `+everyday` adds eighteen further heavy uses; with the usual ones they have "
    "170 accounts.",
    (
        *("quiet", "quiet+known", "quiet+drift", "quiet+profiles"),
        *("quiet+everyday+talks4000", "quiet+everyday+known+talks4000", "quiet+everyday+profiles+talks4000"),
    ),
)
DETECTION = (FRAMED, MIXED, UNFRAMED, SMALL, KINDS, CONDUCT, COMBINED, FREE)

FRAMED_REPLAY = Section(
    "One template",
    "Half of the traffic cover; one size for each work queue, and all three for two of them.",
    (
        *("selfinstruct-200", "selfinstruct-20", "selfinstruct-6", "evolinstruct-200", "evolinstruct-20"),
        *("evolinstruct-6", "rubric-20", "toolbench-200", "toolformer-6", "cot-20"),
    ),
)
UNFRAMED_REPLAY = Section(
    "No template",
    "Half of the traffic cover; `+share4`: 4 % of the window is harvest.",
    tuple(f"{family}-{size}" for size in ("200", "60+share4", "20") for family in UNTEMPLATED),
)
SINGLE_REPLAY = Section(
    "A single account", "Half of its traffic cover.", tuple(f"{name}-1" for name in ("evolinstruct", "cot", "alpaca"))
)
BANNED_REPLAY = Section(
    "A ban in the middle of the window",
    "A pool half as large, until then silent, goes on with the queue.",
    ("evolinstruct-60+failover", "rubric-20+failover", "tags-60+failover", "math-60+share4+failover"),
)
TWO_PROVIDERS = Section(
    "The same campaign at two providers",
    "Half of one work queue each, other customers, other accounts; the second provider on its own, and where it knows "
    "the bands of the first one's verdicts from the start.",
    tuple(f"{ELSEWHERE}{family}-20" for family in TEMPLATED),
)
CONTAINMENT = (FRAMED_REPLAY, UNFRAMED_REPLAY, SINGLE_REPLAY, BANNED_REPLAY, TWO_PROVIDERS)


def cells_of(sections: tuple[Section, ...]) -> list[str]:
    """Return all cells, in order."""
    return [cell for section in sections for cell in section.cells]
