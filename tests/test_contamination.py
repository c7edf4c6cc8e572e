"""Benchmarks are kept out of the corpus, by number and by text, and what is only like them stays."""

import csv
import gzip
import json
import pickle
import random
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.document import Document, Drop
from corpus.files import BadInput, Foreign
from corpus.sources import benchmarks as bench
from corpus.sources.benchmarks import Benchmarks
from filters.contamination import Contamination
from filters.runs import look, runs, table, words
from tests import profiles  # noqa: F401 (chooses how many examples)

SYLLABLES = ["ka", "lor", "min", "ten", "vas", "dro", "pel", "ur", "sin", "gat", "eph", "ol"]


def sentence(seed: int, words: int = 40) -> str:
    """Words that no other seed puts in this order."""
    draw = random.Random(seed)
    found = ["".join(draw.choices(SYLLABLES, k=draw.randrange(1, 4))) for _ in range(words)]
    return " ".join(found).capitalize() + "."


PHRASE = "Which of the following is the most likely diagnosis in this patient today?"
PASSAGE, VIGNETTE, STEM = sentence(1, 60), f"{sentence(2, 50)} {PHRASE}", sentence(3, 12)
OPTIONS = [sentence(number, 4) for number in (4, 5, 6, 7)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One small file of every benchmark, in its publisher's form."""
    folder = tmp_path_factory.mktemp("benchmarks")
    for name in ("pubmedqa", "medqa", "medmcqa", "mmlu", "mednli", "ours"):
        (folder / name).mkdir()
    item = {"QUESTION": sentence(10, 12), "CONTEXTS": [PASSAGE, sentence(11)], "LONG_ANSWER": sentence(12, 20)}
    (folder / "pubmedqa" / "ori_pqal.json").write_text(json.dumps({"21645374": item}))
    (folder / "pubmedqa" / "test_ground_truth.json").write_text(json.dumps({"21645374": "yes"}))
    (folder / "pubmedqa" / "LICENSE").write_text("MIT")
    rows = [{"question": VIGNETTE, "options": dict(zip("ABCD", OPTIONS, strict=True)), "answer_idx": "A"}]
    rows += [
        {"question": f"{sentence(100 + n, 30)} {PHRASE}", "options": {"A": "Yes", "B": "No"}, "answer_idx": "A"}
        for n in range(9)
    ]
    with gzip.open(folder / "medqa" / "test.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    choices = dict(zip(("opa", "opb", "opc", "opd"), OPTIONS, strict=True))
    row = {"id": "7f-1", "question": STEM, **choices, "cop": 1, "exp": sentence(8)}
    (folder / "medmcqa" / "dev.json").write_text(json.dumps(row) + "\n")
    with open(folder / "mmlu" / "anatomy_test.csv", "w", newline="") as file:
        csv.writer(file).writerow([sentence(9, 14), *OPTIONS, "A"])
        csv.writer(file).writerow(["True?", "Yes", "No", "Both", "None", "B"])
    (folder / "mednli" / "ids.txt").write_text("# MedNLI\npatient:10000032\nmimic:10000032-DS-21\ndoi:10.1000/ABC\n")
    (folder / "ours" / "items.jsonl").write_text(json.dumps({"id": 1, "parts": [sentence(20)], "pmid": "55"}))
    return folder


@pytest.fixture(scope="module")
def filter(folder):
    return Contamination.against(folder)


def document(text: str, id: str = "test:1", **meta) -> Document:
    return Document(id, "test", text, meta=meta)


BEFORE, AFTER = sentence(70, 200), sentence(71, 200)


def amid(leak: str) -> str:
    return f"{BEFORE}\n{leak}\n{AFTER}"


def test_every_form_of_benchmark_is_read(folder):
    items = {f"{item.meta['benchmark']}/{item.meta['item']}": item for item in bench.items(folder)}
    assert [name for name in items if not name.startswith("medqa/test/")] == [
        "medmcqa/7f-1",
        "mednli/patient:10000032",
        "mednli/mimic:10000032-DS-21",
        "mednli/doi:10.1000/ABC",
        "mmlu/anatomy_test/0",
        "mmlu/anatomy_test/1",
        "ours/1",
        "pubmedqa/21645374",
    ]
    assert items["medmcqa/7f-1"].meta["parts"] == [STEM, "\n".join([STEM, *OPTIONS])]
    assert items["medmcqa/7f-1"].id == "benchmarks:medmcqa/7f-1"
    assert items["pubmedqa/21645374"].meta["identities"] == ["pmid:21645374"]
    assert not Benchmarks().accepts("pubmedqa/test_ground_truth.json")
    assert not Benchmarks().accepts("medqa/LICENSE")


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("pubmedqa/ori_pqal.json", '{"1": {"CONTEXTS": []}}', BadInput),
        ("pubmedqa/ori_pqal.json", '{"1": ', BadInput),
        ("medqa/test.jsonl", '{"question": "x"}\n', BadInput),
        ("mmlu/x_test.csv", "a,b,c\n", BadInput),
        ("other/table.csv", "a,b,c\n", Foreign),
    ],
)
def test_a_file_of_another_form_is_refused_in_words(tmp_path, name, content, error):
    path = tmp_path / name
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(error, match=r"benchmarks\.py"):
        list(Benchmarks().read(path, name))


def test_it_is_a_value(filter, folder):
    assert pickle.loads(pickle.dumps(filter)) == filter
    assert str(folder) not in repr(filter)
    assert filter.benchmarks in repr(filter)
    assert Contamination.against(folder, mask=True) != filter


@given(st.text(max_size=200))
def test_any_text_is_judged_the_same_again(filter, text):
    for made in (text, amid(VIGNETTE[: len(text) * 3]) + text):
        found = filter(document(made))
        assert filter(document(made)) == found
        if isinstance(found, Document):
            assert filter(found) == found


@pytest.mark.parametrize(
    ("id", "meta", "item"),
    [
        ("pubmed:21645374", {"pmid": "21645374"}, "pubmedqa 21645374"),
        ("pmc:PMC1", {"pmid": 21645374}, "pubmedqa 21645374"),
        ("pmc:PMC2", {"doi": "10.1000/abc"}, "mednli doi:10.1000/ABC"),
        ("mimic:10000032-RR-14", {"patient": "10000032"}, "mednli patient:10000032"),
        ("mimic:10000032-DS-21", {}, "mednli mimic:10000032-DS-21"),
        ("pubmed:55", {"pmid": "55"}, "ours 1"),
        ("pubmed:2164537", {"pmid": "2164537"}, None),
    ],
)
def test_by_identity(filter, id, meta, item):
    found = filter(document("Another text.", id, **meta))
    assert (found == Drop("contamination.identity", item)) if item else isinstance(found, Document)


LEAKS = {
    "verbatim": lambda text: text,
    "capitals": str.upper,
    "re-wrapped": lambda text: "\n> ".join(text.split()),
    "other punctuation": lambda text: text.replace(" ", ", ").replace(".", " —"),
    "half": lambda text: " ".join(text.split()[: len(text.split()) // 2]),
    "one word in ten changed": lambda text: " ".join("x" if n % 10 == 4 else w for n, w in enumerate(text.split())),
}


@pytest.mark.parametrize("form", LEAKS)
@pytest.mark.parametrize(("text", "benchmark"), [(PASSAGE, "pubmedqa"), (VIGNETTE, "medqa"), (sentence(20), "ours")])
def test_planted_leaks_are_found_and_named(filter, form, text, benchmark):
    found = filter(document(amid(LEAKS[form](text))))
    assert isinstance(found, Drop)
    assert found.reason == "contamination.text"
    assert found.detail.startswith(f"{benchmark} ")
    assert found.marks["contamination.benchmark"] == benchmark
    assert 0.35 <= found.marks["contamination.overlap"] <= 1
    assert not {word for word in text.split() if len(word) > 3} & set(found.detail.split()), "no text in a ledger"


def test_a_question_with_its_options_is_found_as_it_is_printed(filter):
    printed = "\n".join([f"Q12. {STEM}", *(f"({letter}) {o}" for letter, o in zip("abcd", OPTIONS, strict=True))])
    found = filter(document(amid(printed)))
    assert found.detail.startswith("medmcqa 7f-1: ")


def test_a_phrase_of_the_trade_is_no_leak(filter):
    assert isinstance(filter(document(amid(PHRASE))), Document)
    assert isinstance(filter(document(PHRASE)), Document)


def test_a_few_words_in_common_are_no_leak(filter):
    few = " ".join(PASSAGE.split()[10:18])
    assert isinstance(filter(document(amid(few))), Document)


def test_an_item_that_text_cannot_tell_is_counted(filter):
    assert filter.index.items == {"pubmedqa": 1, "medqa": 10, "medmcqa": 1, "mmlu": 2, "mednli": 3, "ours": 1}
    assert filter.index.silent == {"mmlu": 1}
    assert filter.index.bytes < 5_000_000


def test_a_long_word_and_a_long_text_are_read(filter):
    text = amid("ACGT" * 50_000 + " " + VIGNETTE + " " + "x" * 70_000)
    assert filter(document(text)).detail.startswith("medqa test/0: ")


WORDS = st.text("aAzZ09 .-\n(é\u0301µ–\u2028漢😀𝒜\U00020000", max_size=40)


def plainly(text: str) -> list[str]:
    """The words of a text, said in another way: of letters, digits and the marks on them, two bytes or more."""
    spaced = "".join(c if c.isalnum() or unicodedata.combining(c) or c >= "\U00020000" else " " for c in text)
    lower = "".join(c.lower() if c.isascii() else c for c in spaced)
    return [word for word in lower.split() if len(word.encode()) > 1]


@given(WORDS, WORDS)
def test_words_are_what_is_said_of_them(one, two):
    hashes, places = words(one)
    assert len(hashes) == len(plainly(one))
    data = one.encode()
    assert [plainly(data[a:b].decode()) for a, b in places] == [[word] for word in plainly(one)]
    assert (list(hashes) == list(words(two)[0])) == (plainly(one) == plainly(two))


@given(st.lists(st.sampled_from(["aa", "bb", "cc"]), max_size=60), st.integers(1, 6))
def test_runs_that_are_held_are_found_at_their_places(said, length):
    held = np.unique(runs(words("aa bb cc aa aa bb bb cc")[0], length))
    spots, rows = look(" ".join(said), length, table(held, 10), held)
    mine = runs(words(" ".join(said))[0], length)
    assert list(spots) == [place for place, run in enumerate(mine) if run in held]
    assert list(held[rows]) == list(mine[spots])


def test_words_of_an_item_that_lie_far_apart_are_no_leak(filter):
    pieces = [" ".join(PASSAGE.split()[start : start + 8]) for start in range(0, 56, 8)]
    assert isinstance(filter(document(" ".join(pieces))), Drop)
    scattered = "\n".join(f"{piece} {sentence(200 + n, 120)}" for n, piece in enumerate(pieces))
    assert isinstance(filter(document(scattered)), Document)


def test_training_parts_are_examples_and_not_looked_for(folder, tmp_path):
    (tmp_path / "medqa").mkdir()
    row = {"question": VIGNETTE, "options": {"A": "Yes", "B": "No"}, "answer_idx": "A"}
    (tmp_path / "medqa" / "train.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "medqa" / "test.jsonl").write_text(json.dumps(row | {"question": sentence(300)}) + "\n")
    assert isinstance(Contamination.against(tmp_path)(document(amid(VIGNETTE))), Document)


def test_every_hit_is_named(filter):
    found = filter(document(f"{amid(VIGNETTE)} {PASSAGE}"))
    assert found.marks["contamination.hits"] == "medqa test/0 1.00; pubmedqa 21645374 1.00"
    assert found.marks["contamination.items"] == 2


def test_masking_cuts_the_span_and_keeps_the_paper(folder):
    masked = Contamination.against(folder, mask=True)
    found = masked(document(amid(VIGNETTE)))
    assert isinstance(found, Document)
    assert found.text.startswith(BEFORE)
    assert found.text.endswith(AFTER)
    assert sentence(2, 50) not in found.text
    assert found.marks["contamination.cut"] > 200
    assert masked(found) == found
    # A text that is little else goes as a whole.
    assert isinstance(masked(document(VIGNETTE)), Drop)


def test_benchmarks_that_changed_are_noticed(folder, tmp_path):
    (tmp_path / "ours").mkdir()
    path = tmp_path / "ours" / "items.jsonl"
    path.write_text(json.dumps({"id": 1, "parts": [PASSAGE]}))
    filter = Contamination.against(tmp_path)
    path.write_text(json.dumps({"id": 1, "parts": [VIGNETTE]}))
    with pytest.raises(ValueError, match="have changed"):
        filter(document("x"))


def test_a_folder_without_benchmarks_is_refused_in_words(tmp_path):
    with pytest.raises(ValueError, match="holds no benchmark"):
        Contamination.against(tmp_path)
