"""From log files to the populations and tables that detection works on."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.detection.inputs import DetectRequest
from stillwatch.detection.population import Population
from stillwatch.features.account import account_features
from stillwatch.features.engine import Engine, Relation
from stillwatch.features.links import account_links, handle_replays, model_days
from stillwatch.features.store import build_store
from stillwatch.progress import StageClock
from stillwatch.records.dataset import Dataset, read_logs
from stillwatch.records.exchange import EXCHANGE_SCHEMA
from stillwatch.records.rejects import reject_log

REJECTS = "rejects.jsonl"


@dataclass(frozen=True, slots=True)
class Logs:
    """The window's exchanges and those of history (None where none was given), valid and distinct."""

    window: Dataset
    history: Dataset | None


@dataclass(frozen=True, slots=True)
class Tables:
    """Relational features of the window: see features.links for their columns."""

    links: pa.Table
    model_days: pa.Table
    replays: pa.Table


def read_periods(request: DetectRequest, work: Path, clock: StageClock) -> Logs:
    """Read the logs of both periods; bad records of either go to one file, REJECTS, in the work directory."""
    with reject_log(work / REJECTS, work) as rejects:

        def read(name: str, paths: list[Path]) -> Dataset:
            with clock.stage(f"read {name}") as ticker:
                return read_logs(paths, work, log_format=request.log_format, rejects=rejects, ticker=ticker)

        window = read("window", list(request.logs))
        history = read("history", list(request.history)) if request.history else None
    return Logs(window, history)


def exchanges_of(engine: Engine, dataset: Dataset, work: Path) -> Relation:
    """Return the exchanges of a dataset; an empty one has all columns and no row."""
    if dataset.files:
        return engine.exchanges(dataset.files)
    empty = work / "empty.parquet"
    pq.write_table(EXCHANGE_SCHEMA.empty_table(), empty)
    return engine.exchanges([empty])


def load_population(engine: Engine, dataset: Dataset, work: Path, clock: StageClock, name: str) -> Population:
    """Compute account features and sketches of one period."""
    with clock.stage(f"account features, {name}") as ticker:
        table = account_features(engine, exchanges_of(engine, dataset, work))
        ticker.advance(dataset.counts.accepted)
    with clock.stage(f"sketches, {name}", total=dataset.counts.accepted) as ticker:
        has_content = bool(dataset.fields & {"system", "prompt", "sketch"})
        store = build_store(dataset.files if has_content else (), work / f"sketches-{name}", ticker)
    return Population.of(table, store, dataset.fields)


def load_tables(engine: Engine, dataset: Dataset, accounts: pa.Table | None, work: Path, clock: StageClock) -> Tables:
    """Compute the tables that tie accounts to each other, to models and to handles."""
    exchanges = exchanges_of(engine, dataset, work)
    with clock.stage("links") as ticker:
        tables = Tables(
            links=account_links(engine, exchanges, accounts),
            model_days=engine.to_arrow(model_days(exchanges)),
            replays=engine.to_arrow(handle_replays(exchanges)),
        )
        ticker.advance(dataset.counts.accepted)
    return tables
