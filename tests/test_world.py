"""The miniature world is what it says: the same bytes each time, readable, varied, and its truth is true."""

import gzip
import hashlib
import itertools
import json
from pathlib import Path
from random import Random

import pytest

from corpus.sample import NAMES, bases, main, make
from corpus.sources.guidelines import Guidelines
from corpus.sources.mimic import CXR, III, IV_NOTE, Mimic
from corpus.sources.notes import Notes
from corpus.sources.pmc import PMC
from corpus.sources.pubmed import PubMed
from corpus.sources.redpajama import RedPajama
from corpus.world import mimic, notes, papers, prose, redpajama
from corpus.world.papers import full_text_of, paper, pmid

SOURCES = (PubMed(), PMC(), Mimic(projects=(IV_NOTE, CXR, III)), RedPajama(), Guidelines(), Notes())


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    return folder, make(folder)


def read(folder: Path, source) -> list:
    """Every document of a source in (file, position) order; PMC's chosen and other versions alike."""
    below = folder / NAMES[source.name]
    found = []
    for path in sorted(below.rglob("*")):
        name = path.relative_to(below).as_posix()
        if path.is_file() and source.accepts(name):
            found += [(name, position, one) for position, one in enumerate(source.read(path, name))]
    return found


@pytest.fixture(scope="module")
def documents(world):
    return {source.name: read(world[0], source) for source in SOURCES}


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes(world, tmp_path):
    make(tmp_path / "again")
    assert digests(tmp_path / "again") == digests(world[0])
    notes.write(tmp_path / "other", 1, 1)
    assert digests(tmp_path / "other")["letters.csv"] != digests(world[0])["notes/letters.csv"]


def test_a_world_that_is_whole_is_left_alone_and_a_broken_one_is_mended(world, tmp_path):
    folder, truth = world
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert make(folder) == truth
    assert times == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_folder_with_somebodys_data_is_not_written_over(tmp_path):
    (tmp_path / "pubmed").mkdir()
    (tmp_path / "pubmed/own.xml").write_text("mine")
    with pytest.raises(ValueError, match="name another folder"):
        make(tmp_path)
    assert (tmp_path / "pubmed/own.xml").read_text() == "mine"
    with pytest.raises(ValueError, match="size"):
        make(tmp_path / "new", size=0)


def test_the_command(world, capsys):
    main([str(world[0])])
    assert "2,571 documents" in capsys.readouterr().out


def test_base_addresses_have_the_form_of_the_publishers(world):
    for source in SOURCES:
        for place in (world[0], "http://127.0.0.1:8000"):
            base = bases(place)[source.name]
            assert base.endswith("/") == str(getattr(source, "base", "")).endswith("/")
            assert base.startswith(("file:///", "http://127.0.0.1:8000/"))


# ---- every source reads it ----


def test_every_document_is_there(world, documents):
    truth = world[1]
    counts = {name: len(found) for name, found in documents.items()}
    assert counts == {
        "pubmed": truth["pubmed"]["records"],
        "pmc": truth["pmc"]["versions"],
        "mimic": truth["mimic"]["notes"],
        "redpajama": truth["redpajama"]["total"],
        "guidelines": truth["guidelines"]["rows"],
        "notes": truth["notes"]["notes"],
    }
    assert 2400 < counts["pubmed"] < 2700 and counts["mimic"] == 600 and counts["notes"] == 150


def test_what_cannot_be_read_is_what_was_broken(world, documents):
    broken = {name: [one.id for _, _, one in found if "error" in one.meta] for name, found in documents.items()}
    assert broken["pmc"] == [f"pmc:{id}" for id in world[1]["pmc"]["kinds"]["broken"]]
    assert len(broken["redpajama"]) == 1
    assert len(broken["mimic"]) == len(world[1]["mimic"]["errors"]) or not broken["mimic"]
    assert not broken["pubmed"] and not broken["guidelines"] and not broken["notes"]


def test_the_history_of_pubmed_is_as_recorded(world, documents):
    truth = world[1]["pubmed"]
    places = {}
    for name, position, one in documents["pubmed"]:
        places.setdefault(one.id, []).append((name, position, one))
    assert {id.removeprefix("pubmed:") for id, found in places.items() if len(found) > 1} == set(truth["history"])
    alive = 0
    for number, events in truth["history"].items():
        found = places[f"pubmed:{number}"]
        assert [[name, position] for name, position, _ in found] == [event[:2] for event in events]
        newest = max(found, key=lambda item: item[2].meta["revision"])
        assert bool(newest[2].meta.get("deleted")) == (events[-1][2] == "deleted")
        assert newest[:2] == tuple(events[-1][:2])
        alive += events[-1][2] == "deleted"
    assert alive > 5
    retracted = {one.id for _, _, one in documents["pubmed"] if one.meta.get("retracted")}
    assert retracted == set(truth["retracted"])
    assert sum(one.meta.get("kind") == "title" for _, _, one in documents["pubmed"]) >= truth["title_only"]


def test_abstracts_arrive_word_for_word(documents):
    """Inline markup glues no words and loses none: what the parser gives is what was written."""
    held = {one.id: one for _, _, one in documents["pubmed"]}
    for number in (41, 42, 61, 62, 81, 82, 141, 142):
        one = paper(0, number)
        text = " ".join(held[f"pubmed:{one.pmid}"].text.split())
        for _, section in one.abstract:
            plain = papers.paper_text(section).replace("units/m2", "units")
            for words in plain.split(" units"):
                assert words.split(" B12")[0].split(" HbA1c")[0][:60] in text


def test_pubmed_and_pmc_are_of_the_same_papers(world, documents):
    full = {one.meta.get("pmid"): one for _, _, one in documents["pmc"] if one.meta.get("kind") == "fulltext"}
    abstracts = {one.meta.get("pmid"): one for _, _, one in documents["pubmed"] if one.meta.get("kind") == "abstract"}
    both = set(full) & set(abstracts) - {None}
    assert len(both) > 60
    linked = {str(number) for number, _ in world[1]["pubmed"]["linked"]}
    assert both < linked  # the others have an id of PMC, but no open full text
    assert all(abstracts[number].meta["pmcid"] == full[number].meta["pmcid"] for number in both)


def test_pmc_holds_every_kind_and_licence(world, documents):
    truth = world[1]["pmc"]
    assert set(truth["kinds"]) >= {"retracted", "notice", "no body", "scanned", "sub-article", "floats", "broken"}
    assert set(truth["licenses"]) == {*papers_licenses(), "TDM", "None"}
    kinds = {one.id: one.meta for _, _, one in documents["pmc"]}
    for id in truth["kinds"]["no body"]:
        assert kinds[f"pmc:{id}"]["kind"] != "fulltext"
    lengths = [len(one.text.split()) for _, _, one in documents["pmc"] if one.meta.get("kind") == "fulltext"]
    assert 900 < sum(lengths) / len(lengths) < 2500


def papers_licenses():
    return {"CC0", "CC BY", "CC BY-SA", "CC BY-ND", "CC BY-NC", "CC BY-NC-SA", "CC BY-NC-ND"}


def test_identifiers_stand_where_the_truth_says(world, documents):
    truth = world[1]["notes"]
    kinds = set()
    for _, _, one in documents["notes"]:
        for span in truth["phi"][one.id.rpartition("/")[2]]:
            assert one.text[span["start"] : span["end"]] == span["text"]
            kinds.add(span["type"])
        assert one.meta["_known"]["name"] and one.meta["_known"]["date"]
    assert len(kinds) == 20  # of the 18 of 45 CFR 164.514: names twice, ages apart


def test_copies_are_as_far_from_their_originals_as_recorded(world, documents):
    rows = {(name, position): one.text for name, position, one in documents["redpajama"]}
    shared = {}
    for pair in world[1]["redpajama"]["near"]:
        one, other = (rows[place["file"], place["position"]] for place in (pair["row"], pair["original"]))
        shared.setdefault(round(pair["edits"], 2), []).append(prose.jaccard(one, other))
    means = [sum(found) / len(found) for _, found in sorted(shared.items())]
    assert len(means) >= 5 and means == sorted(means, reverse=True)
    assert means[0] > 0.85 and means[-1] < 0.2
    for pair in world[1]["redpajama"]["exact"]:
        one, other = (rows[place["file"], place["position"]] for place in (pair["row"], pair["original"]))
        assert one != other and one.lower().split() == other.lower().split()
    held = {one.id: one.text for _, _, one in documents["pubmed"]}
    for pair in world[1]["pubmed"]["near"]:
        if pair["edits"] < 0.06:
            assert prose.jaccard(*(held[id] for id in pair["ids"])) > 0.5


def test_leaks_are_where_the_truth_says(world, documents):
    folder, truth = world
    lines = gzip.decompress((folder / "benchmarks/medqa/phrases_no_exclude_test.jsonl.gz").read_bytes())
    asked = [json.loads(line)["question"] for line in lines.splitlines()]
    rows = {(name, position): one.text for name, position, one in documents["redpajama"]}
    for leak in truth["redpajama"]["leaks"]:
        assert asked[leak["question"]] in rows[leak["file"], leak["position"]]
    texts = {one.id: one.text for _, _, one in documents["guidelines"]}
    for leak in truth["guidelines"]["leaks"]:
        assert asked[leak["question"]] in texts[leak["id"]]
    assert truth["redpajama"]["leaks"] and truth["guidelines"]["leaks"]
    items = json.loads(gzip.decompress((folder / "benchmarks/pubmedqa/ori_pqal.json.gz").read_bytes()))
    assert [f"pubmed:{number}" for number in items] == truth["benchmarks"]["leaks"]
    assert {id for id in truth["benchmarks"]["leaks"]} <= {one.id for _, _, one in documents["pubmed"]}


# ---- the prose ----


@pytest.mark.parametrize(
    ("maker", "most"),
    [
        (lambda n: paper(0, n).abstract_text, 0.1),
        (lambda n: redpajama.page(0, n), 0.1),
        (lambda n: mimic.discharge(0, n), 0.2),
        (lambda n: mimic.radiology(0, n), 0.5),
        (lambda n: redpajama.wikipedia(0, 7 * n)["text"], 0.1),
    ],
    ids=["abstracts", "pages", "summaries", "radiology", "articles"],
)
def test_unrelated_documents_share_few_words_in_a_row(maker, most):
    texts = [maker(n) for n in range(40)]
    assert max(prose.jaccard(one, other) for one, other in itertools.combinations(texts, 2)) < most


def test_sentences_are_of_an_ordinary_length():
    rng = Random(0)
    lengths = [
        len(sentence.split())
        for rule in ("background", "methods", "results", "conclusions", "discussion", "web", "hpi", "hospital")
        for sentence in prose.sentences(rng, rule, 200, prose.medical_theme(rng))
    ]
    assert 8 < sum(lengths) / len(lengths) < 20
    assert max(lengths) < 45


def test_a_larger_world_is_more_of_the_same():
    """What a size multiplies is decided by numbers alone: the first papers of any world are the same."""
    assert full_text_of(119, 1) < 0 < full_text_of(119, 2)
    assert pmid(2099) < pmid(2100)
    assert len(pubmed_leaks(400)) > len(pubmed_leaks(1))


def pubmed_leaks(size: int):
    from corpus.world.pubmed import leaked_papers

    return leaked_papers(size)
