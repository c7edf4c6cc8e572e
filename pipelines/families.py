"""Which documents that stay belong together, so that a held-out split takes them whole or not at all.

Two that stay are one family when a chain of copies, near copies and shared PMIDs, PMCIDs or DOIs
leads from one to the other, over documents that went or were never kept as well: an article and
the abstract whose identity is in dispute, two versions that are both near a third. Near copies of
kinds that are written from templates make no chain, because a template would make one family of a
hospital; their families are their patients.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import buckets
from pipelines.columns import array, numbers


def families(
    one: np.ndarray, two: np.ndarray, stays: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Of nodes joined by edges (one[i], two[i]): those that stay with others, sorted, and their family's number.

    `stays` says of sorted nodes which stay.
    """
    nodes, seat = np.unique(np.concatenate([one, two]), return_inverse=True)
    group = buckets.components(seat[: len(one)], seat[len(one) :], len(nodes))
    mine = stays(nodes)
    nodes, group = nodes[mine], group[mine]
    _, number, count = np.unique(group, return_inverse=True, return_counts=True)
    several = count[number] > 1
    return nodes[several], np.unique(number[several], return_inverse=True)[1].astype(np.int64)


def named(family: np.ndarray, ids: pa.Array) -> pa.Array:
    """The name of every family: the smallest id in it, which does not change with the order of files."""
    place = np.empty(len(ids), np.int64)
    place[numbers(pc.array_sort_indices(ids))] = np.arange(len(ids))
    by = np.lexsort((place, family))
    first = np.ones(len(by), bool)
    first[1:] = family[by[1:]] != family[by[:-1]]
    return ids.take(array(by[first]))
