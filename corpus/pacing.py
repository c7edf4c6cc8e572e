"""The order of packed windows: whatever prefix of them is read, every group has had its share of it.

Packing moves documents about within a block, so that its windows come in no order by themselves. Each next
window is the one after which the groups' shares of all that was read are nearest to those of the block.
"""

import numpy as np
import numpy.typing as npt

from corpus.kernel import kernel


def paced(tokens: npt.NDArray[np.int64], off: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The order in which to read the windows of a block: int64 [windows].

    `tokens` [windows, groups] are what each window holds of each group. `off` [groups] is how far
    what was read before the block is from its shares; it is moved on by this block.
    """
    whole = tokens.sum(axis=0)
    shares = whole / max(1, int(whole.sum()))
    return _paced(tokens - shares * tokens.sum(axis=1, keepdims=True), off)  # type: ignore[no-any-return]


@kernel
def _paced(moves, off):  # type: ignore[no-untyped-def]
    count, groups = moves.shape
    left = np.arange(count)
    order = np.empty(count, np.int64)
    for place in range(count):
        best, least = 0, np.inf
        for at in range(count - place):
            worst = 0.0
            for group in range(groups):
                worst = max(worst, abs(off[group] + moves[left[at], group]))
            if worst < least:
                best, least = at, worst
        window = left[best]
        order[place] = window
        for group in range(groups):
            off[group] += moves[window, group]
        # What stands before its turn comes first among equals, so that the build's order is kept.
        for at in range(best, count - place - 1):
            left[at] = left[at + 1]
    return order
