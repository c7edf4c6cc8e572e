"""An abstract is there as long as its full text is not: whole builds over the same abstracts."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from corpus import ledger, manifest
from corpus.world import prose
from pipelines import build as command

ARTICLES = (1, 2, 3, 4)
NUMBERS = "".join(f'<article-id pub-id-type="{kind}">{{{kind}}}</article-id>' for kind in ("pmcid", "pmid"))


def paragraphs(seed: int, count: int) -> list[str]:
    draw = Random(seed)
    theme = prose.medical_theme(draw)
    return [prose.paragraph(draw, draw.choice(("guideline", "conclusions")), 5, theme) for _ in range(count)]


def article(number: int, count: int = 12) -> str:
    body = "".join(f"<p>{text}</p>" for text in paragraphs(number, count))
    ids = NUMBERS.format(pmcid=f"PMC{number}", pmid=number)
    return (
        f"<article><front><article-meta>{ids}<title-group><article-title>Article {number}</article-title>"
        f"</title-group></article-meta></front><body>{body}</body></article>"
    )


def abstracts(numbers: Sequence[int] = ARTICLES, seed: int = 100) -> str:
    records = "".join(
        f'<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM"><PMID Version="1">{number}</PMID>'
        f"<Article><Journal/><ArticleTitle>Article {number}</ArticleTitle><Abstract><AbstractText>"
        f"{paragraphs(seed + number, 1)[0]}</AbstractText></Abstract><Language>eng</Language></Article>"
        f"</MedlineCitation></PubmedArticle>"
        for number in numbers
    )
    return f'<?xml version="1.0"?><PubmedArticleSet>{records}</PubmedArticleSet>'


def given(raw: Path) -> Path:
    """A raw folder with every article and its abstract."""
    for number in ARTICLES:
        path = raw / "pmc" / f"PMC{number}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(article(number), encoding="utf-8")
    (raw / "pubmed").mkdir()
    (raw / "pubmed" / "pubmed26n0001.xml").write_text(abstracts(), encoding="utf-8")
    return raw


def built(raw: Path, out: Path, *more: str) -> dict[str, dict]:
    """The last row of every id in the ledgers of a build of the biomedical group."""
    arguments = ["--mix", "1:0:0", "--recipe", "me-llama", "--raw", str(raw), "--out", str(out), "--workers", "1"]
    assert command.main([*arguments, *more]) == 0
    build = out / "build"
    books = [ledger.read(build / item["path"]) for item in manifest.load(build)["ledger"]]
    return {row["id"]: row for row in pa.concat_tables(books).to_pylist()}


def filtered(raw: Path) -> tuple[str, ...]:
    (raw / "pmc" / "PMC2.xml").write_text(article(2, 1), encoding="utf-8")  # too short for a paper
    return ()


def deleted(raw: Path) -> tuple[str, ...]:
    (raw / "pmc" / "gone.xml").write_text(
        '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords><record><header status="deleted">'
        "<identifier>oai:pubmedcentral.nih.gov:2</identifier><datestamp>2026-01-02</datestamp></header></record>"
        "</ListRecords></OAI-PMH>"
    )
    return ()


def decontaminated(raw: Path) -> tuple[str, ...]:
    folder = raw.parent / "benchmarks" / "mine"
    folder.mkdir(parents=True)
    item = {"id": "1", "parts": [" ".join(paragraphs(2, 2)[1].split()[:40])]}
    (folder / "items.jsonl").write_text(json.dumps(item) + "\n", encoding="utf-8")
    return "--benchmarks", str(folder.parent)


@pytest.mark.parametrize(
    ("without", "reason"),
    [
        (filtered, "quality.short"),
        (deleted, "identity.deleted"),
        (decontaminated, "contamination.text"),
    ],
)
def test_an_abstract_comes_back_when_its_full_text_goes(
    tmp_path: Path, without: Callable[[Path], tuple[str, ...]], reason: str
) -> None:
    raw = given(tmp_path / "raw")
    before = built(raw, tmp_path / "out")
    for number in ARTICLES:
        row = before[f"pubmed:{number}"]
        assert (row["reason"], row["twin"]) == ("identity.fulltext", f"pmc:PMC{number}")
    after = built(raw, tmp_path / "out", *without(raw))
    books = ledger_rows(tmp_path / "out" / "build", "pmc:PMC2")
    assert reason in {row["reason"] for row in books}
    assert not any(row["status"] == "kept" for row in books)
    assert after["pubmed:2"]["status"] in ("kept", "heldout") or after["pubmed:2"]["reason"] == "mix.unused"
    for number in (1, 3, 4):
        assert after[f"pubmed:{number}"]["reason"] == "identity.fulltext"


def ledger_rows(build: Path, id: str) -> list[dict]:
    books = [ledger.read(build / item["path"]) for item in manifest.load(build)["ledger"]]
    return [row for row in pa.concat_tables(books).to_pylist() if row["id"] == id]


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_update_files_give_byte_for_byte_what_a_full_run_gives(tmp_path: Path) -> None:
    raw = given(tmp_path / "raw")
    built(raw, tmp_path / "out")
    layers = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "layers").rglob("*.arrow*")}
    # A new revision of one, one that is new, and a copy of an old abstract under another number.
    (raw / "pubmed" / "pubmed26n0002.xml").write_text(abstracts((2, 9), 200), encoding="utf-8")
    (raw / "pubmed" / "pubmed26n0003.xml").write_text(abstracts((12,), 91), encoding="utf-8")
    after = built(raw, tmp_path / "out")
    assert after["pubmed:9"]["reason"] in (None, "mix.unused") and after["pubmed:12"]["twin"] is None
    signatures = [path for path in layers if "signatures-" in path.parent.name]
    assert len(signatures) == 10 and all(path.stat().st_mtime_ns == layers[path] for path in layers)
    built(raw, tmp_path / "fresh")
    assert tree((tmp_path / "out" / "build").resolve()) == tree((tmp_path / "fresh" / "build").resolve())
