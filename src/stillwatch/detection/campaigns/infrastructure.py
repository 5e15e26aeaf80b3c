"""Rare values that accounts of different owners share in silence: payment, device, client, address.

A value held by d of N accounts is shared by chance all the more easily the larger d is; a university's address links
thousands of strangers, a card number links two. So each kind of value is tested by itself: among the m accounts of a
set, how many more hold a value together than m accounts drawn at random would (the values keep their degrees)?
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detection.findings.model import SharedKey
from stillwatch.detection.owners import Owners
from stillwatch.detection.population import Population
from stillwatch.identifiers import digest
from stillwatch.statistics import poisson_tail

Ints = npt.NDArray[np.int64]

MAX_SHOWN_KEYS = 50


@dataclass(frozen=True, slots=True)
class Links:
    """Which account holds which rare value: arrays of one length, one entry per account and value.

    Attributes:
        account: account number; `owner` its owner's number.
        kind: index into `kinds`.
        value: number of the value; its text is `values[number]`.
        degree: accounts of the population that hold the value.
    """

    account: Ints
    owner: Ints
    kind: Ints
    value: Ints
    degree: Ints
    kinds: tuple[str, ...]
    values: pa.Array
    population: int


@dataclass(frozen=True, slots=True)
class SharedInfrastructure:
    """What a set of accounts shares beyond chance.

    Attributes:
        p_value: of the most telling kind of value, times the number of kinds tried (Bonferroni).
        kinds: kinds whose own p-value is at most `telling`.
        accounts: numbers of the accounts of the set that hold a value together with another owner's.
        expected: how many such accounts chance would give, over all kinds.
    """

    p_value: float
    kinds: tuple[str, ...]
    accounts: Ints
    expected: float


def index_links(table: pa.Table, population: Population, owners: Owners) -> Links:
    """Number accounts, kinds and values of a table from features.links.account_links."""
    account = pc.index_in(table.column("account_id"), population.table.column("account_id").combine_chunks())
    number = np.asarray(account).astype(np.int64)
    kinds = table.column("kind").combine_chunks().dictionary_encode()
    joined = pc.binary_join_element_wise(table.column("kind"), table.column("value"), "\x1f")
    values = joined.combine_chunks().dictionary_encode()
    return Links(
        account=number,
        owner=owners.number[number],
        kind=np.asarray(kinds.indices).astype(np.int64),
        value=np.asarray(values.indices).astype(np.int64),
        degree=np.asarray(table.column("degree")).astype(np.int64),
        kinds=tuple(kinds.dictionary.to_pylist()),
        values=values.dictionary,
        population=len(population),
    )


def shared_infrastructure(links: Links, accounts: Ints, telling: float = 1e-3) -> SharedInfrastructure:
    """Test whether the accounts (numbers, ascending) share rare values beyond chance."""
    inside = np.isin(links.account, accounts)
    p_values: list[float] = []
    sharing: list[Ints] = []
    expected_all = 0.0
    for kind in range(len(links.kinds)):
        of_kind = links.kind == kind
        held, count = np.unique(links.value[inside & of_kind], return_counts=True)
        together = held[count > 1]
        ties = int((count - 1).sum()) - _within_owner(links, inside & of_kind)
        expected = _expected_ties(links, of_kind, accounts.size)
        p_values.append(poisson_tail(ties, expected) if ties > 0 else 1.0)
        expected_all += expected
        sharing.append(links.account[inside & of_kind & np.isin(links.value, together)])
    strong = tuple(name for name, p in zip(links.kinds, p_values, strict=True) if p <= telling)
    best = min(p_values, default=1.0)
    return SharedInfrastructure(
        p_value=min(1.0, best * max(1, len(p_values))),
        kinds=strong,
        accounts=np.unique(np.concatenate(sharing)) if sharing else np.empty(0, np.int64),
        expected=expected_all,
    )


def _within_owner(links: Links, chosen: npt.NDArray[np.bool_]) -> int:
    """Count ties among accounts of one declared owner: an organisation may share whatever it likes."""
    pairs, count = np.unique(np.stack([links.value[chosen], links.owner[chosen]]), axis=1, return_counts=True)
    del pairs
    return int((count - 1).sum())


def _expected_ties(links: Links, of_kind: npt.NDArray[np.bool_], size: int) -> float:
    """Return the ties that `size` random accounts would have: sum of E[(n - 1)+], n hypergeometric ~ binomial."""
    _, first = np.unique(links.value[of_kind], return_index=True)
    degree = links.degree[of_kind][first].astype(np.float64)
    part = min(1.0, size / links.population)
    return float((degree * part - 1 + (1 - part) ** degree).sum())


def shared_keys(links: Links, accounts: Ints, ids: list[str]) -> list[SharedKey]:
    """List the values that two or more of the accounts share, rarest first, as digests."""
    inside = np.flatnonzero(np.isin(links.account, accounts))
    held, where, count = np.unique(links.value[inside], return_inverse=True, return_counts=True)
    rank = sorted(
        (int(number) for number in np.flatnonzero(count > 1)),
        key=lambda number: (int(links.degree[inside[where == number][0]]) - int(count[number]), -int(count[number])),
    )
    found = []
    for number in rank[:MAX_SHOWN_KEYS]:
        rows = inside[where == number]
        kind, _, value = str(links.values[int(held[number])].as_py()).partition("\x1f")
        members = sorted(ids[account] for account in links.account[rows])
        found.append(SharedKey(key_kind=kind, digest=digest(value), accounts=members))
    return found
