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
from scipy import sparse

from stillwatch.detection.findings.model import SharedKey
from stillwatch.detection.owners import Owners
from stillwatch.detection.population import Population
from stillwatch.identifiers import digest
from stillwatch.statistics import overdispersed_tail

Ints = npt.NDArray[np.int64]

IDENTITY_KINDS = frozenset({"payment", "phone", "email", "device", "key"})
"""Values that belong to one hand; sharing them across owners is a kind of evidence of its own."""
ADDRESS_KINDS = frozenset({"ip", "subnet", "client", "asn_client"})
"""Values that a place or a program gives to everybody in it: a class on one campus shares them and is innocent."""
TELLING = 1e-3
ONE_PAYER = 0.5
"""From this part of the accounts on, their common payment is that of one open payer."""
_DISPERSION = 1.4
"""Variance over mean of (n - 1)+ for n Poisson, at its largest (n of mean 2)."""
MAX_SHOWN_KEYS = 50


@dataclass(frozen=True, slots=True)
class Links:
    """Which account holds which rare value: arrays of one length, one entry per account and value.

    Attributes:
        account: account number; `owner` its owner's number.
        kind: index into `kinds`.
        value: number of the value; its text is `values[number]`.
        degree: accounts of the population that hold the value.
        start: where the entries of each account begin (they are sorted by account), and the end.
        degrees: for each kind, the degrees of its values and how many values have each.
    """

    account: Ints
    owner: Ints
    kind: Ints
    value: Ints
    degree: Ints
    kinds: tuple[str, ...]
    values: pa.Array
    start: Ints
    degrees: tuple[tuple[Ints, Ints], ...]

    @property
    def population(self) -> int:
        """Number of accounts, with or without a link."""
        return self.start.size - 1

    def of(self, accounts: Ints) -> Ints:
        """Return the entries (indices) of the given accounts."""
        first, size = self.start[accounts], self.start[accounts + 1] - self.start[accounts]
        skipped = np.repeat(np.cumsum(size) - size, size)
        entries: Ints = np.repeat(first, size) + np.arange(int(size.sum())) - skipped
        return entries


@dataclass(frozen=True, slots=True)
class SharedValues:
    """What a set of accounts shares, of certain kinds of values, against chance.

    Attributes:
        p_value: of the most telling kind, times the number of kinds tried (Bonferroni); 1 where there is none.
        kinds: kinds whose own p-value is at most TELLING.
        ties: how many owners sharing adds to groups of owners, added up over the telling kinds (over all, where none
            tells).
        expected: how many ties chance would give there at most.
        accounts: numbers of the accounts of the set that hold such a value together with another owner's.
    """

    p_value: float
    kinds: tuple[str, ...]
    ties: int
    expected: float
    accounts: Ints


def index_links(table: pa.Table, population: Population, owners: Owners) -> Links:
    """Number accounts, kinds and values of a table from features.links.account_links."""
    place = pc.index_in(table.column("account_id"), population.table.column("account_id").combine_chunks())
    order = np.argsort(np.asarray(place), kind="stable")
    account = np.asarray(place).astype(np.int64)[order]
    kinds = table.column("kind").combine_chunks().dictionary_encode()
    joined = pc.binary_join_element_wise(table.column("kind"), table.column("value"), "\x1f")
    values = joined.combine_chunks().dictionary_encode()
    kind = np.asarray(kinds.indices).astype(np.int64)[order]
    value = np.asarray(values.indices).astype(np.int64)[order]
    degree = np.asarray(table.column("degree")).astype(np.int64)[order]
    _, first = np.unique(value, return_index=True)
    return Links(
        account=account,
        owner=owners.number[account],
        kind=kind,
        value=value,
        degree=degree,
        kinds=tuple(kinds.dictionary.to_pylist()),
        values=values.dictionary,
        start=np.searchsorted(account, np.arange(len(population) + 1)),
        degrees=tuple(
            np.unique(degree[first][kind[first] == number], return_counts=True)
            for number in range(len(kinds.dictionary))
        ),
    )


def shared_values(links: Links, accounts: Ints, kinds: frozenset[str], *, without_payer: bool = False) -> SharedValues:
    """Test whether the accounts (numbers, ascending) share values of the given kinds beyond chance.

    Accounts of one declared owner count once: an organisation may share whatever it likes. `without_payer` leaves out a
    payment that most of them share: who pays for all of them in the open may be an agency or a reseller.
    """
    entries = links.of(accounts)
    if without_payer:
        entries = entries[~np.isin(links.value[entries], _one_payer(links, entries, accounts.size))]
    tried = [
        (name, _share(links, number, entries[links.kind[entries] == number], accounts.size))
        for number, name in enumerate(links.kinds)
        if name in kinds
    ]
    telling = [(name, share) for name, share in tried if share.p_value <= TELLING]
    shown = telling or tried
    best = min((share.p_value for _, share in tried), default=1.0)
    return SharedValues(
        p_value=min(1.0, best * max(1, len(tried))),
        kinds=tuple(name for name, _ in telling),
        ties=sum(share.ties for _, share in shown),
        expected=sum(share.expected for _, share in shown),
        accounts=np.unique(np.concatenate([np.empty(0, np.int64), *(share.accounts for _, share in shown)])),
    )


def has_one_payer(links: Links, accounts: Ints) -> bool:
    """Tell whether one payment is common to most of the accounts (numbers, ascending)."""
    return _one_payer(links, links.of(accounts), accounts.size).size > 0


def _one_payer(links: Links, entries: Ints, accounts: int) -> Ints:
    if "payment" not in links.kinds:
        return np.empty(0, np.int64)
    payments = links.value[entries[links.kind[entries] == links.kinds.index("payment")]]
    values, holders = np.unique(payments, return_counts=True)
    payer: Ints = values[holders > ONE_PAYER * accounts]
    return payer


@dataclass(frozen=True, slots=True)
class _Share:
    p_value: float
    ties: int
    expected: float
    accounts: Ints


def _share(links: Links, kind: int, entries: Ints, size: int) -> _Share:
    pairs = np.unique(np.stack([links.value[entries], links.owner[entries]]), axis=1)
    held, place, owners = np.unique(pairs[0], return_inverse=True, return_counts=True)
    ties = _ties(pairs[1], place)
    expected = _expected_ties(links, kind, size)
    accounts = np.unique(links.account[entries[np.isin(links.value[entries], held[owners > 1])]])
    return _Share(overdispersed_tail(ties, expected, _DISPERSION) if ties else 1.0, ties, expected, accounts)


def _ties(owner: Ints, value: Ints) -> int:
    """Count the ties that join owners into groups: colleagues who share five addresses are tied once."""
    owners, place = np.unique(owner, return_inverse=True)
    nodes = owners.size + int(value.max(initial=-1)) + 1
    graph = sparse.coo_matrix((np.ones(owner.size, np.int8), (place, owners.size + value)), shape=(nodes, nodes))
    return int(owners.size - sparse.csgraph.connected_components(graph, directed=False, return_labels=False))


def _expected_ties(links: Links, kind: int, size: int) -> float:
    """Return the most ties that `size` random accounts have on average: sum of E[(n - 1)+], n about binomial."""
    degree, values = links.degrees[kind]
    part = min(1.0, size / links.population)
    ties: float = (values * (degree * part - 1 + (1 - part) ** degree)).sum()
    return max(float(ties), 1e-12)


def shared_keys(links: Links, accounts: Ints, ids: list[str]) -> list[SharedKey]:
    """List the values that two or more of the accounts share, rarest first, as digests."""
    inside = links.of(accounts)
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
