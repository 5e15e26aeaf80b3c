"""Who owns an account, as far as it is open: the innocent reason for many keys to act alike.

Accounts belong together by what customers declare (organisation, parent organisation), and where they pay and write
openly as one: one card, and one mail domain that nobody else uses. A card alone is no such thing: one card behind forty
mail domains is evidence of linkage, weighed in campaigns/infrastructure.py.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detection.population import Population

Ints = npt.NDArray[np.int64]

SMALL_FIRM = 10
"""Accounts that one card and one mail domain may join without the customer being verified."""


@dataclass(frozen=True, slots=True)
class Owners:
    """Owner of each account of a population.

    Attributes:
        number: owner number of each account; accounts without an organisation own themselves.
        organisation: name of the organisation of each account, None where none is declared; the topmost where it has
            parents, `declared` the one that the account itself names.
    """

    number: Ints
    organisation: list[str | None]
    declared: list[str | None]

    @property
    def count(self) -> int:
        """How many owners there are."""
        return int(np.unique(self.number).size)

    @property
    def known(self) -> bool:
        """Whether the log or the account records declare any organisation at all."""
        return any(self.organisation)


def resolve_owners(population: Population, records: pa.Table | None) -> Owners:
    """Resolve each account to the organisation that its record or its exchanges declare, or to its parent."""
    organisation = population.texts("org_id")
    parents: dict[str, str] = {}
    if records is not None:
        account, own, parent = (records.column(name).to_pylist() for name in ("account_id", "org_id", "parent_org_id"))
        declared = dict(zip(account, own, strict=True))
        above = dict(zip(account, parent, strict=True))
        parents = {name: root for name, root in zip(own, parent, strict=True) if name and root}
        organisation = [
            declared.get(name) or seen or above.get(name)
            for name, seen in zip(population.ids, organisation, strict=True)
        ]
    roots = [None if name is None else _root(name, parents) for name in organisation]
    names = [f"org:{root}" if root else f"account:{own}" for root, own in zip(roots, population.ids, strict=True)]
    if records is not None:
        merged = _open_customers(dict(zip(population.ids, names, strict=True)), records)
        names = [merged.get(name, name) for name in names]
    number = np.asarray(pa.array(names, pa.string()).dictionary_encode().indices)
    return Owners(number.astype(np.int64), roots, organisation)


def _open_customers(owner: dict[str, str], records: pa.Table) -> dict[str, str]:
    """Return owners to be known by another's name, because they openly are one customer.

    All accounts of one mail domain pay with one card, and there are few of them or most are verified organisations:
    beyond that, a domain made for the purpose would let a pool pass for a firm.
    """
    columns = (
        records.column(name).to_pylist() for name in ("account_id", "email_domain", "payment_id", "verification")
    )
    by_domain: dict[str, list[tuple[str, str | None, bool]]] = defaultdict(list)
    for account, domain, payment, verification in zip(*columns, strict=True):
        if domain and account in owner:
            by_domain[domain].append((account, payment, verification == "organisation"))
    merged: dict[str, str] = {}
    for accounts in by_domain.values():
        cards = {payment for _, payment, _ in accounts}
        verified = sum(known for _, _, known in accounts)
        if len(cards) == 1 and None not in cards and (len(accounts) <= SMALL_FIRM or verified * 2 > len(accounts)):
            names = sorted({owner[account] for account, _, _ in accounts})
            merged.update((name, merged.get(names[0], names[0])) for name in names)
    return merged


def _root(name: str, parents: dict[str, str]) -> str:
    seen = {name}
    while (parent := parents.get(name)) is not None and parent not in seen:
        seen.add(parent)
        name = parent
    return name
