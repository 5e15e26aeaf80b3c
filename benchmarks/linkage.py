"""Linkage of accounts on their metadata alone, by Splink: Fellegi-Sunter weights, term frequencies, clusters."""

import logging
import warnings
from pathlib import Path

import duckdb
import splink.comparison_library as comparisons
from splink import Linker, SettingsCreator, block_on
from splink.backends.duckdb import DuckDBAPI

_SENT = ("client_ip", "device_id", "tls_fingerprint", "asn")
_COMPARED = ("payment_id", "email_domain", *_SENT)
_BLOCKED_ON = ("payment_id", "client_ip", "device_id")
_TRAINED_ON = ("client_ip", "payment_id")
_PAIRS = 1e6
_SAME_HAND = 0.95
"""Probability from which two accounts are taken for one hand's."""


def cluster_sizes(logs: Path) -> dict[str, int]:
    """Return, for each account of history and window, how many accounts its cluster has, itself included.

    Empty where the log carries no metadata.
    """
    logging.getLogger("splink").setLevel(logging.ERROR)
    connection = duckdb.connect()
    accounts = connection.read_json(str(logs / "accounts.jsonl"))
    if "payment_id" not in accounts.columns:
        return {}
    exchanges = connection.read_parquet([str(logs / part / "*.parquet") for part in ("history", "window")])
    usual = ", ".join(f"mode({name})::varchar as {name}" for name in _SENT)
    seen = exchanges.aggregate(f"account_id, {usual}", "account_id")
    table = (
        seen.join(accounts, "account_id").project(f"account_id as unique_id, {', '.join(_COMPARED)}").to_arrow_table()
    )
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[comparisons.ExactMatch(name).configure(term_frequency_adjustments=True) for name in _COMPARED],
        blocking_rules_to_generate_predictions=[block_on(name) for name in _BLOCKED_ON],
    )
    backend = DuckDBAPI(connection)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        linker = Linker(backend.register(table), settings, log_level=logging.ERROR)
        linker.training.estimate_u_using_random_sampling(max_pairs=_PAIRS, seed=1)
        for name in _TRAINED_ON:
            linker.training.estimate_parameters_using_expectation_maximisation(block_on(name))
        pairs = linker.inference.predict(threshold_match_probability=_SAME_HAND)
        clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(pairs, _SAME_HAND)
    found = clusters.as_pyarrow_table().select(["unique_id", "cluster_id"]).to_pydict()
    sizes: dict[str, int] = {}
    for cluster in found["cluster_id"]:
        sizes[cluster] = sizes.get(cluster, 0) + 1
    return {name: sizes[cluster] for name, cluster in zip(found["unique_id"], found["cluster_id"], strict=True)}
