"""The mix: exact by tokens, in the whole, in every shard and in every prefix."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import mix
from pipelines.arguments import parse_bytes, parse_columns, parse_mix, parse_tokens

GROUPS = ("biomedical", "clinical", "general")


@st.composite
def stocks(draw):
    """Token counts of the documents of two to four groups, with weights."""
    groups = draw(st.integers(2, 4))
    sizes = [draw(st.lists(st.integers(1, 5000), min_size=1, max_size=60)) for _ in range(groups)]
    weights = [draw(st.integers(1, 20)) for _ in range(groups)]
    return [np.array(size, np.int64) for size in sizes], weights, draw(st.integers(1, 4)), draw(st.integers(1, 6))


def mixed(sizes, weights, cap, limit=0):
    """A stream of documents that are cut into pieces of at most `limit` tokens (0: not at all)."""
    shares = [weight / sum(weights) for weight in weights]
    parts = [
        mix.Strand(str(number), share, {"s": (int(size.sum()), cap)})
        for number, (size, share) in enumerate(zip(sizes, shares, strict=True))
    ]
    budget = mix.budget(parts, None, "")
    order = [np.random.default_rng(7).permutation(len(size)).astype(np.uint64) for size in sizes]
    drawn = [
        mix.draw(size, np.full(len(size), cap), turn, share * budget)
        for size, turn, share in zip(sizes, order, shares, strict=True)
    ]
    rows = [
        np.concatenate([np.zeros(0, np.int64), *(cut(tokens, limit) for tokens in size[index])])
        for size, index in zip(sizes, drawn, strict=True)
    ]
    paces = [mix.times(row) for row in rows]
    strand, place = mix.stream(paces)
    tokens = np.array([rows[s][p] for s, p in zip(strand, place, strict=True)], np.int64)
    time = np.array([paces[s][p] for s, p in zip(strand, place, strict=True)])
    return budget, shares, drawn, strand, tokens, time


def cut(tokens, limit):
    whole, rest = divmod(int(tokens), limit or int(tokens))
    return np.array([limit or int(tokens)] * whole + [rest] * bool(rest), np.int64)


@settings(max_examples=150, deadline=None)
@given(stocks(), st.sampled_from([0, 1, 512]))
def test_ratio_holds_within_one_row_everywhere(stock, limit):
    sizes, weights, cap, shards = stock
    budget, shares, _, strand, tokens, time = mixed(sizes, weights, cap, limit)
    longest, missed = int(tokens.max()), 0
    for number, (share, size) in enumerate(zip(shares, sizes, strict=True)):
        mine = tokens[strand == number]
        # The whole: at most half a document too much or too little, and rounding of the budget.
        assert abs(mine.sum() - share * budget) <= size.max() / 2 + 1
        missed += abs(int(mine.sum() - share * budget))
        for first, last in itertools.pairwise(mix.cuts(time, shards)):
            part = tokens[first:last][strand[first:last] == number].sum()
            assert abs(part - mine.sum() / shards) <= longest + 1
    # Against its own total a prefix can be off by its own half and a share of the others' halves.
    assert mix.deviation(tokens, strand, shares) <= longest * max(1, len(sizes) / 2) + missed + 2


def test_what_is_left_of_a_budget_is_filled_with_what_fits():
    tokens = np.array([500, 400, 300, 90, 30, 8, 5])
    order = np.arange(7, dtype=np.uint64)
    assert mix.draw(tokens, np.full(7, 1), order, 1000).tolist() == [0, 1, 3, 5], "998: 2 are left, 5 is too much"
    assert mix.draw(tokens, np.full(7, 1), order, 1001).tolist() == [0, 1, 3, 5, 6], "1,003 is nearer than 998"
    assert mix.draw(tokens, np.full(7, 2), order, 1333 + 990).tolist() == [*range(7), 0, 1, 3]


def test_sources_with_shares_keep_their_pace_within_a_group():
    tokens = np.full(400, 10)
    order = mix.merged([np.arange(300), np.arange(300, 400)], tokens)
    assert sorted(order) == list(range(400))
    assert mix.deviation(tokens, (order >= 300).astype(int), [0.75, 0.25]) <= 10


@settings(max_examples=100, deadline=None)
@given(stocks())
def test_no_document_stands_more_often_than_its_cap(stock):
    sizes, weights, cap, _ = stock
    _, _, drawn, *_ = mixed(sizes, weights, cap)
    for size, index in zip(sizes, drawn, strict=True):
        times = np.bincount(index, minlength=len(size))
        assert times.max(initial=0) <= cap
        assert times.max(initial=0) - times.min() <= 1 or cap == 1, "passes are whole, but for the last"


def test_repetitions_are_a_pass_apart():
    sizes = np.full(50, 10)
    index = mix.draw(sizes, np.full(50, 3), np.random.default_rng(1).permutation(50).astype(np.uint64), 1500)
    assert list(index[:50]) == list(index[50:100]) == list(index[100:])


def test_caps_differ_by_document():
    index = mix.draw(np.full(4, 10), np.array([1, 3, 1, 3]), np.arange(4, dtype=np.uint64), 80)
    assert np.bincount(index).tolist() == [1, 3, 1, 3]


def test_deviation_finds_a_lump():
    tokens = np.full(200, 10)
    fair, lump = np.tile([0, 1], 100), np.repeat([0, 1], 100)
    assert mix.deviation(tokens, fair, [0.5, 0.5]) <= 10
    assert mix.deviation(tokens, lump, [0.5, 0.5]) == 500


def test_shares_divide_a_group():
    parts = mix.strands({"a": 3, "b": 1}, {"x": 1, "y": 2}, {"x": ("a", 90, 4), "y": ("a", 50, 4), "z": ("b", 10, 4)})
    assert [(p.group, round(p.share, 6)) for p in parts] == [("a", 0.25), ("a", 0.5), ("b", 0.25)]
    with pytest.raises(ValueError, match=r"shares for \['x'\] but not for \['y'\]"):
        mix.strands({"a": 1}, {"x": 1}, {"x": ("a", 1, 1), "y": ("a", 1, 1)})


PARTS = [
    mix.Strand("biomedical", 0.75, {"pubmed": (60_000_000_000, 4)}),
    mix.Strand("clinical", 0.05, {"mimic": (100_000_000, 4)}),
    mix.Strand("general", 0.2, {"redpajama": (50_000_000_000, 4)}),
]


def test_an_impossible_budget_says_what_is_possible():
    with pytest.raises(
        ValueError, match=r"clinical \(mimic\) needs 6\.45B tokens, 100M available, cap 4: 400M"
    ) as error:
        mix.budget(PARTS, 129_000_000_000, "15:1:4")
    assert "the largest budget at 15:1:4 is 8B (8000000000)" in str(error.value)


def test_without_a_budget_the_scarcest_group_decides():
    assert mix.budget(PARTS, None, "15:1:4") == 8_000_000_000


def test_a_group_without_tokens_is_named():
    empty = [*PARTS[:1], mix.Strand("clinical", 0.05, {"mimic": (0, 4)}), PARTS[2]]
    with pytest.raises(ValueError, match=r"no tokens in clinical \(mimic\)"):
        mix.budget(empty, None, "15:1:4")
    with pytest.raises(ValueError, match=r"clinical \(no source\)"):
        mix.budget([mix.Strand("clinical", 1.0, {})], None, "1")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("129B", 129_000_000_000), ("2.5e6", 2_500_000), ("300M", 300_000_000), ("1_200", 1200), ("64k", 64_000)],
)
def test_tokens_are_read_as_people_write_them(text, tokens):
    assert parse_tokens(text) == tokens


@pytest.mark.parametrize("text", ["", "many", "-3", "0", "nan", "inf", "12X"])
def test_tokens_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match="--tokens"):
        parse_tokens(text)


def test_mix_is_read_and_refused():
    assert parse_mix("15:1:4", GROUPS) == {"biomedical": 15, "clinical": 1, "general": 4}
    for wrong in ("15:1", "15:1:4:2", "a:b:c", "15:-1:4", "0:0:0", "1.5:1:1"):
        with pytest.raises(ValueError, match="expected one weight for each of biomedical:clinical:general"):
            parse_mix(wrong, GROUPS)


def test_memory_is_read():
    assert parse_bytes("2GB") == 2_000_000_000
    assert parse_bytes("500M") == 500_000_000
    with pytest.raises(ValueError, match="like 2GB"):
        parse_bytes("much")


def test_columns_are_read():
    columns = parse_columns("text=report|body, patient=mrn,known.name=first|last")
    assert (columns.text, columns.patient) == (("report", "body"), ("mrn",))
    assert columns.known == (("name", ("first", "last")),)
    assert columns.id, "what is not named keeps its default"
    for wrong in ("report", "text=", "words=report", "text=a,=b"):
        with pytest.raises(ValueError, match="expected FIELD=COLUMN"):
            parse_columns(wrong)
