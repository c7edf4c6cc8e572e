"""Fills windows with tokens, labels and positions in one compiled pass over the mapped shards.

A piece's tokens are read where Arrow mapped them, by address, and widened on the way: what a
step of training needs is written once and copied never. Compiled by numba, kept on disk.
"""

from typing import Any

import numba
import numpy as np
from numba.core import cgutils, types
from numba.extending import intrinsic

from corpus.kernel import kernel

IGNORED = -100  # the label that carries no loss, in torch and transformers


@intrinsic  # type: ignore[untyped-decorator]
def _pointer(typing: Any, address: Any) -> Any:
    """An address as a pointer, for `numba.carray`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), generate


# How a record batch is told to the kernels: its first row, rows, tokens, and where they lie in memory.
BATCH = np.dtype(
    [("first", "<i8"), ("rows", "<i8"), ("tokens", "<i8"), ("offsets", "<i8"), ("values", "<i8"), ("prompts", "<i8")]
)


def _kernel(width: type) -> Any:
    def fill(
        pieces: np.ndarray,  # type: ignore[type-arg]
        ends: np.ndarray,  # type: ignore[type-arg]
        which: np.ndarray,  # type: ignore[type-arg]
        batches: np.ndarray,  # type: ignore[type-arg]
        apart: bool,
        pad: int,
        ids: np.ndarray,  # type: ignore[type-arg]
        labels: np.ndarray,  # type: ignore[type-arg]
        positions: np.ndarray,  # type: ignore[type-arg]
        counting: np.ndarray,  # type: ignore[type-arg]
    ) -> None:
        first = 0
        for window in range(ids.shape[0]):
            told, scored, counted = ids[window], labels[window], positions[window]
            at = 0
            for number in range(first, ends[window]):
                batch = batches[which[number]]
                row = np.int64(pieces[number]["row"]) - batch["first"]
                start, length = np.int64(pieces[number]["start"]), np.int64(pieces[number]["length"])
                offsets = numba.carray(_pointer(batch["offsets"]), (batch["rows"] + 1,), np.int32)
                values = numba.carray(_pointer(batch["values"]), (batch["tokens"],), width)
                prompts = numba.carray(_pointer(batch["prompts"]), (batch["rows"],), np.int32)
                begin = np.int64(offsets[row]) + start
                silent = min(max(np.int64(prompts[row]) - start, 1 if apart else 0), length)
                told[at : at + length] = values[begin : begin + length]
                scored[at : at + silent] = IGNORED
                scored[at + silent : at + length] = values[begin + silent : begin + length]
                if apart:
                    counted[at : at + length] = counting[:length]
                at += length
            first = ends[window]
            told[at:] = pad
            scored[at:] = IGNORED
            begin = at if apart else 0
            counted[begin:] = counting[: len(counted) - begin]

    return kernel(fill)


KERNELS = {2: _kernel(np.uint16), 4: _kernel(np.uint32)}  # by the bytes of a token id
