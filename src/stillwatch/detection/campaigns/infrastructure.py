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

IDENTITY_KINDS = frozenset({"payment", "phone", "email", "device", "key"})
"""Values that belong to one hand; sharing them across owners is a kind of evidence of its own."""
ADDRESS_KINDS = frozenset({"ip", "subnet", "client", "asn_client"})
"""Values that a place or a program gives to everybody in it: a class on one campus shares them and is innocent."""
TELLING = 1e-3
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
class SharedValues:
    """What a set of accounts shares, of certain kinds of values, against chance.

    Attributes:
        p_value: of the most telling kind, times the number of kinds tried (Bonferroni); 1 where there is none.
        kinds: kinds whose own p-value is at most TELLING.
        ties: further owners per shared value, added up over the telling kinds (over all, where none tells).
        expected: how many ties chance would give there.
        accounts: numbers of the accounts of the set that hold such a value together with another owner's.
    """

    p_value: float
    kinds: tuple[str, ...]
    ties: int
    expected: float
    accounts: Ints


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


def shared_values(links: Links, accounts: Ints, kinds: frozenset[str]) -> SharedValues:
    """Test whether the accounts (numbers, ascending) share values of the given kinds beyond chance.

    Accounts of one declared owner count once: an organisation may share whatever it likes.
    """
    inside = np.isin(links.account, accounts)
    tried = [(name, _share(links, number, inside, accounts.size)) for number, name in enumerate(links.kinds)]
    tried = [(name, share) for name, share in tried if name in kinds]
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


@dataclass(frozen=True, slots=True)
class _Share:
    p_value: float
    ties: int
    expected: float
    accounts: Ints


def _share(links: Links, kind: int, inside: npt.NDArray[np.bool_], size: int) -> _Share:
    of_kind = links.kind == kind
    chosen = inside & of_kind
    pairs = np.unique(np.stack([links.value[chosen], links.owner[chosen]]), axis=1)
    held, owners = np.unique(pairs[0], return_counts=True)
    ties = int((owners - 1).sum())
    expected = _expected_ties(links, of_kind, size)
    accounts = np.unique(links.account[chosen & np.isin(links.value, held[owners > 1])])
    return _Share(poisson_tail(ties, expected) if ties else 1.0, ties, expected, accounts)


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
