"""A training that stops anywhere has seen the mix: windows come in an order that keeps it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.pacing import paced

torch = pytest.importorskip("torch", reason="torch is not installed: `pip install -e .[train]`")

from trainer.data import Windows  # noqa: E402


@pytest.mark.parametrize("packing", ["best-fit", "concat"])
@pytest.mark.parametrize("sequence", [1024, 2048])
def test_every_prefix_of_the_windows_has_the_ratio(built, content, packing, sequence):
    windows = Windows(built, sequence, packing)
    whole = sum(content["mix"]["asked"].values())
    shares = np.array([content["mix"]["asked"][group] / whole for group in windows.groups])
    tokens = np.cumsum([windows.group_tokens([k]) for k in range(len(windows))], axis=0)
    off = np.abs(tokens - shares * tokens.sum(axis=1, keepdims=True))
    assert off.max() <= sequence, f"window {off.max(axis=1).argmax()} of {len(windows)}"
    assert tokens[-1].sum() == content["tokens"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 100)] * 3), min_size=1, max_size=80))
def test_an_order_holds_every_window_once_and_ends_where_it_must(rows):
    tokens = np.array(rows, np.int64)
    off = np.zeros(3)
    order = paced(tokens, off)
    assert sorted(order) == list(range(len(rows)))
    assert np.abs(off).max() < 1e-6, "a whole block is what its shares are of"


def test_equal_windows_keep_their_order():
    assert paced(np.full((50, 2), 7), np.zeros(2)).tolist() == list(range(50))


def test_a_block_goes_on_where_the_one_before_it_ended():
    """What the block before gave too much of is not given at once."""
    tokens = np.array([[10, 0], [0, 10]] * 3)
    assert paced(tokens, np.array([5.0, -5.0]))[0] == 1
    assert paced(tokens, np.array([-5.0, 5.0]))[0] == 0
