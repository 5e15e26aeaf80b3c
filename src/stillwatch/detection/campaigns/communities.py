"""Communities of accounts that share rare values: Leiden (CPM) on pair weights, never connected components.

A pair's weight is the sum, over the values it shares, of log2(N / degree) times the reliability of the kind: the weight
of evidence that Fellegi & Sunter (1969) give to agreement on a rare value. Addresses only strengthen a pair that shares
a value of one hand: people of one office share all of its addresses, and the weight of each grows with the population.
"""

import random

import igraph
import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillwatch.detection.campaigns.infrastructure import ADDRESS_KINDS, IDENTITY_KINDS, Links
from stillwatch.detection.population import Floats

Ints = npt.NDArray[np.int64]

RELIABILITY = {
    "payment": 1.0,
    "phone": 1.0,
    "email": 1.0,
    "device": 1.0,
    "key": 1.0,
    "ip": 0.4,
    "client": 0.3,
    "subnet": 0.2,
}
"""How far agreement on a kind of value speaks for one hand; kinds that are not listed make no pairs."""
MIN_WEIGHT = 6.0
MAX_ADDRESS_WEIGHT = 5.0
RESOLUTION = 3.0
MIN_ACCOUNTS = 4
MAX_PAIR_DEGREE = 50


def find_communities(links: Links, seed: int) -> list[Ints]:
    """Return communities of at least MIN_ACCOUNTS accounts (numbers, ascending), the largest first."""
    left, right, weight = _pairs(links)
    if not weight.size:
        return []
    nodes, place = np.unique(np.concatenate([left, right]), return_inverse=True)
    edges = place.reshape(2, -1).T
    graph = igraph.Graph(n=nodes.size, edges=edges.tolist())
    igraph.set_random_number_generator(random.Random(seed))
    parts = graph.community_leiden(
        objective_function="CPM", weights=weight.tolist(), resolution=RESOLUTION, n_iterations=4
    )
    groups = [np.sort(nodes[np.array(part)]) for part in parts if len(part) >= MIN_ACCOUNTS]
    return sorted(groups, key=lambda group: (-group.size, int(group[0])))


def _pairs(links: Links) -> tuple[Ints, Ints, Floats]:
    """Return the strong pairs of accounts of different owners that share a value of one hand, and their weights."""
    identity, address = _held(links, IDENTITY_KINDS), _held(links, ADDRESS_KINDS)
    owner = np.zeros(links.population, np.int64)
    owner[links.account] = links.owner
    pairs = sparse.triu(identity @ identity.T, k=1).tocoo()
    apart = owner[pairs.row] != owner[pairs.col]
    left, right, weight = pairs.row[apart], pairs.col[apart], pairs.data[apart]
    beside = np.asarray(address[left].multiply(address[right]).sum(axis=1)).ravel()
    weight = weight + np.minimum(beside, MAX_ADDRESS_WEIGHT)
    strong = weight >= MIN_WEIGHT
    return left[strong], right[strong], weight[strong]


def _held(links: Links, kinds: frozenset[str]) -> sparse.csr_matrix:
    """Return which account holds which value (accounts x values), as roots of weights."""
    reliability = np.array([RELIABILITY.get(name, 0.0) if name in kinds else 0.0 for name in links.kinds] or [0.0])
    used = (links.degree <= MAX_PAIR_DEGREE) & (reliability[links.kind] > 0)
    weight = np.log2(np.maximum(2, links.population) / links.degree[used]) * reliability[links.kind[used]]
    shape = (links.population, len(links.values))
    return sparse.csr_matrix((np.sqrt(np.maximum(0, weight)), (links.account[used], links.value[used])), shape=shape)
