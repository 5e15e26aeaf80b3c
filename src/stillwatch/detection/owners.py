"""Who owns an account, as far as it is declared: the innocent reason for many keys to act alike.

Only what customers declared joins accounts here (organisation, parent organisation). Values shared in silence -
one card behind forty organisations - are the opposite, evidence of linkage, weighed in campaigns/infrastructure.py.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detection.population import Population

Ints = npt.NDArray[np.int64]


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
    number = np.asarray(pa.array(names, pa.string()).dictionary_encode().indices)
    return Owners(number.astype(np.int64), roots, organisation)


def _root(name: str, parents: dict[str, str]) -> str:
    seen = {name}
    while (parent := parents.get(name)) is not None and parent not in seen:
        seen.add(parent)
        name = parent
    return name
