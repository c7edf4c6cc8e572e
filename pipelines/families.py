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

from pipelines.columns import array, numbers

KIN = np.dtype([("text", "<u4"), ("family", "<u4")])


def families(
    texts: np.ndarray, label: np.ndarray, ids: Callable[[np.ndarray], pa.Array]
) -> tuple[np.ndarray, pa.RecordBatch]:
    """KIN of the sorted texts whose label is not theirs alone, sorted, and the names of the families.

    A family's name is the smallest id in it, which does not change with the order of files; `ids`
    reads the ids of sorted texts.
    """
    _, number, count = np.unique(label, return_inverse=True, return_counts=True)
    several = count[number] > 1
    kin = np.empty(int(several.sum()), KIN)
    kin["text"] = texts[several]
    kin["family"] = np.unique(number[several], return_inverse=True)[1]
    names = ids(kin["text"].astype(np.int64))
    place = np.empty(len(names), np.int64)
    place[numbers(pc.array_sort_indices(names))] = np.arange(len(names))
    by = np.lexsort((place, kin["family"]))
    first = np.ones(len(by), bool)
    first[1:] = np.diff(kin["family"][by]) != 0
    return kin, pa.RecordBatch.from_arrays([names.take(array(by[first]))], names=["id"])
