"""Invented traffic for the tests of detection: strangers who chat, and people who act alike; all text is ours."""

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.detection.calibration import Calibrated
from stillwatch.detection.campaigns.casefile import Casefile
from stillwatch.detection.campaigns.families import FamilyFacts
from stillwatch.detection.campaigns.infrastructure import index_links
from stillwatch.detection.findings.model import Campaign, Evidence, Exposure, Kind, Member
from stillwatch.detection.inputs import DetectRequest
from stillwatch.detection.owners import resolve_owners
from stillwatch.detection.population import Population
from stillwatch.detection.signals import SIGNALS
from stillwatch.features.account import ACCOUNT_COLUMNS, account_features
from stillwatch.features.engine import Engine
from stillwatch.features.links import LINKS_SCHEMA
from stillwatch.features.overlap import Overlap
from stillwatch.features.store import SketchStore, build_store
from stillwatch.records.exchange import ACCOUNT_SCHEMA, EXCHANGE_SCHEMA

START = datetime(2026, 5, 1, tzinfo=UTC)
Row = dict[str, Any]

FRAME = (
    "You write entries for the almanac of small harbours. Give the complete reasoning process inside think tags, list "
    "the tides that matter, then answer in three numbered paragraphs and close with the line END OF ENTRY. The entry "
    "to write is about {slot}"
)
JUDGE = (
    "Two gardeners answered the question below. Read both replies with care, name the one that a patient neighbour "
    "would rather follow, and finish with the letter of that gardener alone. Question: {slot}"
)
FIRM = (
    "Sort the parcel note into one of the nine shelves of our depot at Quellheim. Shelves are labelled by colour of "
    "the ribbon and by weight. Reply with the label of the shelf and nothing else at all. Note: {slot}"
)


def word(rng: random.Random) -> str:
    """Return an invented word."""
    return "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(rng.randint(2, 4)))


def words(rng: random.Random, number: int) -> str:
    """Return so many invented words; two calls hardly ever share four in a row."""
    return " ".join(word(rng) for _ in range(number))


def filled(rng: random.Random, frame: str, item: int = 12) -> str:
    """Return a frame with an invented item in its slot."""
    return frame.replace("{slot}", words(rng, item))


class Traffic:
    """Exchanges in the making; ids and times come from one seeded source."""

    def __init__(self, seed: int, start: datetime = START, days: float = 2.0) -> None:
        self.rng = random.Random(seed)
        self.start = start
        self.days = days
        self.rows: list[Row] = []
        self._name = f"{start:%m%d}-{seed}"

    def add(self, account: str, prompt: str | None, **fields: Any) -> None:
        """Add one exchange at a random moment of the period."""
        moment = self.start + timedelta(seconds=self.rng.randrange(int(self.days * 86_400)))
        self.rows.append(
            {
                "exchange_id": f"x-{self._name}-{len(self.rows):06}",
                "ts": moment,
                "account_id": account,
                "model": "sable-2",
                "channel": "api",
                "prompt": prompt,
                "output_tokens": self.rng.randint(20, 400),
                **fields,
            }
        )

    def strangers(self, accounts: int, each: int = 4, prefix: str = "guest") -> list[str]:
        """Add accounts that chat about nothing in common, each from its own address, device and card."""
        names = [f"{prefix}-{number:04}" for number in range(accounts)]
        for number, name in enumerate(names):
            for _ in range(self.rng.randint(max(1, each - 2), each + 2)):
                self.add(name, words(self.rng, self.rng.randint(8, 40)), **own_client(prefix, number))
        return names

    def together(self, accounts: Sequence[str], frame: str, each: int, cover: int = 0, **fields: Any) -> None:
        """Let accounts send one frame, each its own items, and beside it other things."""
        for name in accounts:
            for _ in range(each):
                self.add(name, filled(self.rng, frame), **fields)
            for _ in range(cover):
                self.add(name, words(self.rng, 25), **fields)

    def one_list(self, accounts: Sequence[str], frame: str, items: int, **fields: Any) -> None:
        """Let accounts run one list of questions, all of it."""
        questions = [filled(self.rng, frame) for _ in range(items)]
        for name in accounts:
            for question in questions:
                self.add(name, question, **fields)

    def write(self, path: Path) -> Path:
        """Write the exchanges as Parquet, in order of time."""
        return write_log(path, sorted(self.rows, key=lambda row: (row["ts"], row["exchange_id"])))


def own_client(prefix: str, number: int) -> Row:
    """Return the metadata of a client that nobody shares, but for a common user agent."""
    return {
        "client_ip": f"10.{number // 250 % 250}.{number % 250}.{len(prefix)}",
        "device_id": f"device-{prefix}-{number}",
        "user_agent": "sdk/1.0",
    }


def write_log(path: Path, rows: Iterable[Row]) -> Path:
    """Write exchanges as a Parquet file in the native format."""
    pq.write_table(pa.Table.from_pylist(list(rows), schema=EXCHANGE_SCHEMA), path)
    return path


def harvest_window(seed: int = 1, strangers: int = 150, harvesters: int = 20) -> tuple[Traffic, list[str]]:
    """Return a window with one harvest of 20 accounts, half of whose traffic is cover, and the harvesters."""
    traffic = Traffic(seed)
    traffic.strangers(strangers)
    names = [f"pool-{number:03}" for number in range(harvesters)]
    traffic.together(names, FRAME, each=6, cover=4)
    return traffic, names


def history(seed: int = 2, strangers: int = 150) -> Traffic:
    """Return earlier traffic of strangers."""
    traffic = Traffic(seed, START - timedelta(days=7))
    traffic.strangers(strangers, prefix="older")
    return traffic


def request(out: Path, logs: Sequence[Path], **changes: Any) -> DetectRequest:
    """Return a quiet request."""
    return DetectRequest(logs=logs, out=out, quiet=True, **changes)


def population(directory: Path, rows: Sequence[Row]) -> Population:
    """Compute the population of exchanges with the real engine and the real sketches, below `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    log = write_log(directory / "log.parquet", rows)
    with Engine.open(memory=None, spill=directory / "spill") as engine:
        table = account_features(engine, engine.exchanges([log]))
    store = build_store([log], directory / "sketches")
    filled_fields = {name for name in EXCHANGE_SCHEMA.names if any(row.get(name) is not None for row in rows)}
    return Population.of(table, store, frozenset(filled_fields))


def empty_store() -> SketchStore:
    """Return a store without a row."""
    none = np.empty(0, np.int64)
    short = np.empty(0, np.int32)
    return SketchStore(Path(), none, none, none, short, none, short, short, np.empty(0, np.int16), ())


def account_table(ids: Sequence[str], **columns: Any) -> pa.Table:
    """Return account features of accounts in sorted order; columns that are not given are 1 (or null if text)."""
    texts = {"org_id", "channel"}
    data: dict[str, Any] = {
        name: [None] * len(ids) if name in texts else np.ones(len(ids), np.int64) for name in ACCOUNT_COLUMNS
    }
    data |= {"account_id": list(ids), **columns}
    types = {name: pa.string() if name in {*texts, "account_id"} else pa.int64() for name in ACCOUNT_COLUMNS}
    return pa.table({name: pa.array(data[name], types[name]) for name in ACCOUNT_COLUMNS})


def numbers_only(ids: Sequence[str], **columns: Any) -> Population:
    """Return a population without content."""
    return Population.of(account_table(ids, **columns), empty_store(), frozenset())


def ids(number: int, prefix: str = "a") -> list[str]:
    """Return so many account ids in sorted order."""
    return [f"{prefix}{index:06}" for index in range(number)]


def links_table(held: dict[tuple[str, str], Sequence[str]]) -> pa.Table:
    """Return a table of links from (kind, value) to the accounts that hold it, as features.links makes it."""
    rows = [
        {"account_id": account, "kind": kind, "value": value, "exchanges": 1, "degree": len(set(accounts))}
        for (kind, value), accounts in sorted(held.items())
        for account in sorted(set(accounts))
        if len(set(accounts)) > 1
    ]
    return pa.Table.from_pylist(rows, schema=LINKS_SCHEMA)


def records(rows: Iterable[Row]) -> pa.Table:
    """Return account records."""
    return pa.Table.from_pylist(list(rows), schema=ACCOUNT_SCHEMA)


def model_days(rows: Iterable[tuple[str, str, int, int]] = ()) -> pa.Table:
    """Return rows of account, model, day (since 1970) and exchanges as features.links.model_days does."""
    names = ("account_id", "model", "day", "exchanges")
    types = (pa.string(), pa.string(), pa.int64(), pa.int64())
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return pa.table({n: pa.array(c, t) for n, c, t in zip(names, columns, types, strict=True)})


def replays(accounts: Sequence[str] = ()) -> pa.Table:
    """Return accounts that presented handles of others as features.links.handle_replays does."""
    return pa.table(
        {"account_id": pa.array(accounts, pa.string()), "exchanges": pa.array([1] * len(accounts), pa.int64())}
    )


def casefile(people: Population, **changes: Any) -> Casefile:
    """Return a case about a population of which nothing else is known."""
    owners = changes.get("owners") or resolve_owners(people, None)
    fields: dict[str, Any] = {
        "population": people,
        "owners": owners,
        "history": None,
        "history_owners": None,
        "links": index_links(links_table({}), people, owners),
        "registry": (),
        "covered": np.full(len(people), -1, np.int64),
        "victims": np.zeros(len(people), np.bool_),
        "releases": (),
        "model_days": model_days(),
        "replays": replays(),
        "public": np.empty(0, np.uint64),
        "fpr": 0.001,
        "seed": 0,
    }
    return Casefile(**(fields | changes))


def calibrated(accounts: int, p_value: float = 1.0, **by_signal: Any) -> Calibrated:
    """Return p-values of accounts in one segment, all alike unless given per signal."""
    every = {signal.name: np.full(accounts, p_value) for signal in SIGNALS}
    every |= {name: np.asarray(values, float) for name, values in by_signal.items()}
    smallest = np.min(np.stack(list(every.values())), axis=0)
    return Calibrated(np.array(["any channel"] * accounts), every, smallest, [])


def facts(accounts: Sequence[int] = range(12), each: int = 5, first_row: int = 0, **changes: Any) -> FamilyFacts:
    """Return a family that passes for a harvest: accounts of as many owners that send its frame a few times each."""
    numbers = np.array(list(accounts), np.int64)
    tokens = np.arange(first_row + 1, first_row + 41, dtype=np.uint64)
    fields: dict[str, Any] = {
        "rows": np.arange(first_row, first_row + numbers.size * each),
        "row_account": np.repeat(numbers, each),
        "accounts": numbers,
        "counts": np.full(numbers.size, each),
        "owners": numbers.size,
        "effective_owners": float(numbers.size),
        "repeating": numbers.size if each > 1 else 0,
        "coverage": 0.6,
        "asking": 0.0,
        "overlap": Overlap(0.0, 0.0),
        "public": 0.0,
        "tokens": tokens,
        "core": tokens,
    }
    return FamilyFacts(**(fields | changes))


def evidence(signal: str, bits: float) -> Evidence:
    """Return one piece of evidence."""
    return Evidence(factor="pattern", signal=signal, bits=bits, p_value=None, detail=f"{signal} in words")


def campaign(kind: Kind = "harvest", **changes: Any) -> Campaign:
    """Return a campaign of two accounts with nothing to show."""
    fields: dict[str, Any] = {
        "campaign_id": "cmp-1",
        "kind": kind,
        "confidence": "moderate",
        "p_value": 1e-6,
        "accounts": [Member(account_id=name, role="harvester", share=0.5) for name in ids(2)],
        "exchanges": 10,
        "first_seen": "2026-05-01T00:00:00Z",
        "last_seen": "2026-05-02T00:00:00Z",
        "models": ["sable-2"],
        "templates": [],
        "evidence": [evidence("template_linkage", 20.0)],
        "alternatives": [],
        "recommended_action": "challenge" if kind == "harvest" else "allow",
        "exposure": Exposure(
            exchanges=10, output_tokens=None, reasoning_tokens=None, distinct_prompts=None, capabilities=[]
        ),
    }
    return Campaign(**(fields | changes))
