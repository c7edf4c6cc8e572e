"""One document, once: what stays, which twin is named, and that nothing else matters."""

import json
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from corpus import ledger
from corpus.document import Document
from corpus.files import BadInput
from pipelines import dedup
from pipelines.dedup import Duplicates, Part
from tests.bench import templates
from tests.crowd import crowd, part, prose

SETTINGS = Duplicates(planted=0)


def solve(folder: Path, files: dict[str, list[Document]], settings: Duplicates = SETTINGS, run=dedup.in_process):
    """Verdict rows by (file, position)."""
    parts = [part(folder, name, documents) for name, documents in files.items()]
    signatures = []
    for one in parts:
        signatures.append(folder / f"{one.key}.signature.arrow")
        dedup.sign(one.shard, signatures[-1], settings)
    summary = dedup.resolve(parts, signatures, folder / "verdicts", settings, run)
    found = {}
    for one, name in zip(parts, files, strict=True):
        rows = ledger.read(folder / "verdicts" / f"{one.key}.verdict.arrow").to_pylist()
        assert len(rows) == len(files[name])
        found |= {(name, position): row for position, row in enumerate(rows)}
    assert summary["kept"] == sum(row["status"] == "kept" for row in found.values())
    return found


def fates(found) -> list[str]:
    return [row["reason"] or "kept" for row in found.values()]


def fold(text: str) -> list[str]:
    """Words by Python's own means, for texts in alphabets with spaces."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return re.findall(r"[^\W_]+", "".join(letter for letter in plain if not unicodedata.combining(letter)))


def shingles(text: str, k: int = 5) -> set[tuple[str, ...]]:
    words = fold(text)
    return {tuple(words[place : place + k]) for place in range(max(1, len(words) - k + 1))} if words else set()


def true_jaccard(one: str, two: str) -> float:
    left, right = shingles(one), shingles(two)
    return len(left & right) / len(left | right) if left | right else 0.0


def needed(one: Document, two: Document) -> float:
    templated = {one.meta["kind"], two.meta["kind"]} & set(SETTINGS.templated)
    return SETTINGS.templated_threshold if templated else SETTINGS.threshold


@pytest.mark.parametrize("seed", range(3))
def test_who_goes_is_alike_its_twin_and_who_stays_is_alike_nobody(tmp_path: Path, seed: int) -> None:
    documents = crowd(seed)
    found = solve(tmp_path, {"a": documents[::2], "b": documents[1::2]})
    by_id = {}
    for (name, position), row in found.items():
        document = (documents[::2] if name == "a" else documents[1::2])[position]
        by_id[document.id] = (document, row)
    stay = [document for document, row in by_id.values() if row["status"] == "kept"]
    kinds = list(SETTINGS.kinds)
    for document, row in by_id.values():
        if row["status"] == "kept":
            continue
        twin, fate = by_id[row["twin"]]
        assert fate["status"] == "kept"
        similarity = true_jaccard(document.text, twin.text)
        assert row["similarity"] == pytest.approx(similarity) and similarity >= needed(document, twin)
        assert (row["reason"] == "duplicate.exact") == (fold(document.text) == fold(twin.text))
        assert kinds.index(twin.meta["kind"]) <= kinds.index(document.meta["kind"])
    for place, one in enumerate(stay):
        for two in stay[place + 1 :]:
            assert true_jaccard(one.text, two.text) < needed(one, two), (one.id, two.id)


def test_adding_files_gives_what_a_full_run_gives_and_reads_no_old_text(tmp_path: Path) -> None:
    documents = crowd(5)
    settings = replace(SETTINGS, planted=30)

    def signed(folder: Path, names: str) -> list[tuple[Part, Path]]:
        """Parts whose texts are gone as soon as they are signed: whoever opens one again fails."""
        folder.mkdir(exist_ok=True)
        made = []
        for name in names:
            one = part(folder, name, documents["abc".index(name) :: 3])
            dedup.sign(one.shard, folder / f"{name}.signature.arrow", settings)
            one.shard.unlink()
            made.append((one, folder / f"{name}.signature.arrow"))
        return made

    def kept(folder: Path) -> dict[str, tuple[int, bytes]]:
        return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.glob("*.signature.*")}

    old = signed(tmp_path / "one", "ab")
    dedup.resolve(*zip(*old, strict=True), tmp_path / "before", settings)
    before = kept(tmp_path / "one")
    both = [*old, *signed(tmp_path / "one", "c")]
    dedup.resolve(*zip(*both, strict=True), tmp_path / "after", settings)
    assert before.items() <= kept(tmp_path / "one").items()
    dedup.resolve(*zip(*signed(tmp_path / "two", "cab"), strict=True), tmp_path / "full", settings)
    assert sum(1 for _ in (tmp_path / "full").iterdir()) == 4
    for path in (tmp_path / "full").iterdir():
        assert path.read_bytes() == (tmp_path / "after" / path.name).read_bytes()


def article(number: int, revision: list[int] | None = None, seed: int | None = None, **meta) -> Document:
    text = " ".join(prose(number if seed is None else seed, 40))
    held = {"kind": "abstract", "pmid": number, **meta}
    if revision:
        held["revision"] = revision
    return Document(f"pubmed:{number}", "pubmed", "" if meta.get("deleted") else text, meta=held)


def test_of_one_id_the_largest_revision_stands(tmp_path: Path) -> None:
    found = solve(
        tmp_path,
        {
            "a": [article(1, [1, 20, 5]), article(2, [1, 20, 6]), article(3, [1, 20, 7]), article(4), article(5, [2])],
            "b": [article(1, [1, 21], seed=91), article(2, [1, 21, 0], deleted=True), article(4), article(5, [1, 9])],
        },
    )
    assert fates(found) == [
        *("identity.superseded", "identity.deleted", "kept", "kept", "kept"),
        *("kept", "source.deleted", "identity.repeated", "identity.superseded"),
    ]


def test_a_newer_revision_that_was_dropped_still_stands(tmp_path: Path) -> None:
    empty = replace(article(1, [2]), text="")
    found = solve(tmp_path, {"a": [article(1, [1]), empty]})
    assert fates(found) == ["identity.superseded", "quality.short"]
    assert found["a", 1]["detail"] == "0 < 20 words"


def full(number: int, seed: int, created: str | None = None, **meta) -> Document:
    text = " ".join(prose(seed, 300))
    return Document(f"pmc:PMC{number}", "pmc", text, created=created, meta={"kind": "fulltext", **meta})


def test_an_abstract_goes_only_when_its_full_text_stays(tmp_path: Path) -> None:
    found = solve(
        tmp_path,
        {
            "pmc": [
                full(1, 501, pmcid="PMC1", pmid=1),
                full(2, 502, pmcid="PMC2", doi="10.1/X"),  # a copy of PMC3, and the older one
                full(3, 502, created="2020", pmcid="PMC3"),
                replace(full(4, 504, pmcid="PMC4", pmid=4), text=""),
            ],
            "pubmed": [article(1), article(2, doi="10.1/x"), article(4), article(5, pmcid="PMC5")],
        },
    )
    assert fates(found) == [
        *("kept", "duplicate.exact", "kept", "quality.short"),
        *("identity.fulltext", "kept", "kept", "kept"),
    ]
    assert found["pubmed", 0]["twin"] == "pmc:PMC1" and found["pubmed", 0]["similarity"] is None


def test_a_retraction_anywhere_withdraws_the_publication(tmp_path: Path) -> None:
    gone = replace(article(1, retracted="retracted publication", doi="10.1/a"), text="")
    found = solve(tmp_path, {"pmc": [full(1, 501, pmcid="PMC1", doi="10.1/a")], "pubmed": [gone, article(2)]})
    assert fates(found) == ["identity.retracted", "quality.short", "kept"]
    assert found["pmc", 0]["detail"] == "pubmed:1 is retracted"


def test_a_name_that_two_publications_bear_joins_none(tmp_path: Path) -> None:
    found = solve(
        tmp_path,
        {
            "pmc": [full(1, 501, pmcid="PMC1", doi="10.1/issue"), full(7, 507, pmcid="PMC7", pmid=7, doi="10.1/7")],
            "pubmed": [
                article(1, doi="10.1/issue"),
                article(2, doi="10.1/issue"),
                article(3, pmcid="PMC9", doi="10.1/b"),
                article(4, pmcid="PMC9"),
                article(7, doi="10.1/7"),
            ],
        },
    )
    assert fates(found) == ["kept"] * 6 + ["identity.fulltext"]


def test_short_texts_are_duplicates_of_their_like_only(tmp_path: Path) -> None:
    texts = [
        *("No acute disease.", "no acute disease", "No acute fracture.", "Normal.", "normal", "Abnormal."),
        *("***", "---", "No acute disease. No change. Stable."),
    ]
    found = solve(tmp_path, {"a": [Document(f"n:{place}", "n", text) for place, text in enumerate(texts)]})
    assert [place for (_, place), row in found.items() if row["status"] == "dropped"] == [1, 4]


def test_reports_that_differ_in_one_finding_stay(tmp_path: Path) -> None:
    words = prose(1, 100)
    reports = [" ".join([*words[:50], *prose(2000 + number, 8), *words[58:]]) for number in range(40)]
    documents = [Document(f"n:{number}", "n", text, meta={"kind": "report"}) for number, text in enumerate(reports)]
    assert fates(solve(tmp_path, {"a": documents})) == ["kept"] * 40
    plain = [replace(document, meta={"kind": "web"}) for document in documents]
    (tmp_path / "plain").mkdir()
    assert fates(solve(tmp_path / "plain", {"a": plain})).count("duplicate.near") == 39


def test_reports_from_one_template_with_other_findings_stay_apart() -> None:
    made, findings = templates.reports(1500, 5)
    place = {document.id: number for number, document in enumerate(made)}
    rows = templates.resolved(made, replace(SETTINGS, wipeout=1.0))
    gone = [(number, place[row["twin"]]) for number, row in enumerate(rows) if row["status"] == "dropped"]
    assert all(findings[one] == findings[two] for one, two in gone)
    assert len(set(findings)) > 700 and len(gone) < 5


def test_planted_copies_are_found_and_change_no_verdict(tmp_path: Path) -> None:
    documents = crowd(11)
    for planted in (0, 30):
        (tmp_path / str(planted)).mkdir()
        found = solve(tmp_path / str(planted), {"a": documents}, replace(SETTINGS, planted=planted))
    first, second = (sorted((tmp_path / str(n) / "verdicts").glob("*.verdict.arrow")) for n in (0, 30))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    summary = json.loads((tmp_path / "30" / "verdicts" / "clusters.json").read_text())
    certificate = summary["certificate"]
    assert certificate["recall"] >= 0.99 and certificate["precision"] == 1 and certificate["planted"] == 30
    assert sum(level["copies"] for level in certificate["levels"]) == certificate["original_stays"] > 20
    apart = [level["copies"] * (level["shared_band"] - level["theory"]) for level in certificate["levels"]]
    assert abs(sum(apart)) < 0.1 * certificate["original_stays"]
    assert summary["clusters"]["number"] == len({row["twin"] for row in found.values() if row["twin"]})


def test_a_source_that_would_be_wiped_out_stops_the_build(tmp_path: Path) -> None:
    documents = []
    for cluster in range(12):
        words = prose(300 + cluster, 100)
        for number in range(20 - cluster):
            text = " ".join([*words[: 5 * number], "other", *words[5 * number + 1 :]]) if number else " ".join(words)
            documents.append(Document(f"w:{cluster:02d}-{number:02d}", "w", text, created=None if number else "2020"))
    settings = replace(SETTINGS, wipeout_least=50)
    largest = ", ".join(f"w:{cluster:02d}-00 stands for {19 - cluster}" for cluster in range(10))
    told = rf"^w: 162 of 174 documents are near copies.*largest clusters: {largest}\. .*raise wipeout"
    with pytest.raises(BadInput, match=told):
        solve(tmp_path, {"a": documents}, settings)
    assert not list((tmp_path / "verdicts").glob("*.verdict.arrow"))
    (tmp_path / "again").mkdir()
    solve(tmp_path / "again", {"a": documents}, replace(settings, wipeout=0.99))
    clusters = json.loads((tmp_path / "again" / "verdicts" / "clusters.json").read_text())["clusters"]
    assert clusters["number"] == 12 and [one["drops"] for one in clusters["largest"]] == list(range(19, 9, -1))
    for one in clusters["largest"]:  # diameters: each differs from its twin in one word of 100, any two in two
        assert one["least_similarity_to_twin"] == pytest.approx(91 / 101, abs=1e-4)
        assert one["similarity_of_farthest_two"] == pytest.approx(86 / 106, abs=1e-4)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Zoë’s ﬁrst café—naïve, Ångström 10²", "zoe s FIRST CAFE naive angstrom 102"),
        ("stra\u00adße\u00a0und co\u200dop", "STRASSE und coop"),
        ("Ελλάδα µm Москва", "ΕΛΛΆΔΑ μm МОСКВА"),
        ("a-b_c(d)e", "A B C D E"),
        ("한국어 문장", "한국어, 문장"),
    ],
)
def test_case_accents_and_signs_do_not_make_another_text(tmp_path: Path, one: str, two: str) -> None:
    found = solve(tmp_path, {"a": [Document("n:1", "n", one), Document("n:2", "n", two)]})
    assert fates(found) == ["kept", "duplicate.exact"]


def test_scripts_without_spaces_have_a_word_per_letter(tmp_path: Path) -> None:
    text = "患者无明显不适食欲睡眠良好大小便正常体重无明显变化今日复查血常规结果提示白细胞计数正常"
    found = solve(tmp_path, {"a": [Document("n:1", "n", text), Document("n:2", "n", text[:-1])]})
    assert found["a", 1]["reason"] == "duplicate.near"


def words_of(text: str) -> int:
    from pipelines import letters, minhash

    data = np.frombuffer(text.encode(), np.uint8)
    out = np.empty(len(data) // 2 + 2, np.uint64)
    return minhash.words_of(data, 0, len(data), *letters.tables(), out)


def test_no_text_makes_more_words_than_there_is_room_for() -> None:
    for text in ("", "a", "a b c d", "中" * 50, "a中" * 50, "㎏ ½ ㏂ " * 9, "ﷺ" * 9, "\U0001f600a" * 9, "x" * 99):
        assert words_of(text) <= len(text.encode()) // 2 + 2
    assert words_of("\U00020000\U00020001 \U0001f600 a") == 3


def test_optimal_bands_are_those_of_datasketch() -> None:
    lsh = pytest.importorskip("datasketch.lsh", reason="datasketch is only the reference here")
    for threshold, permutations in ((0.5, 128), (0.7, 128), (0.8, 128), (0.9, 64)):
        assert dedup.optimal(threshold, permutations) == lsh._optimal_param(threshold, permutations, 0.5, 0.5)
    assert Duplicates(bands=None).banding == (14, 9)


def test_settings_say_what_is_wrong_with_them() -> None:
    with pytest.raises(ValueError, match="above 0 and up to 1"):
        Duplicates(threshold=70)
    with pytest.raises(ValueError, match="need 512 permutations"):
        Duplicates(bands=64, rows=8)
    with pytest.raises(ValueError, match="abstract, title at the end"):
        Duplicates(kinds=("abstract", "fulltext", "title"))
    assert "memory" not in repr(Duplicates())


def test_a_signature_by_another_recipe_is_refused(tmp_path: Path) -> None:
    one = part(tmp_path, "a", [article(1)])
    dedup.sign(one.shard, tmp_path / "s.arrow", Duplicates(shingle=3))
    with pytest.raises(BadInput, match=r"s\.arrow.*shingle=3.*delete it and build again"):
        dedup.resolve([one], [tmp_path / "s.arrow"], tmp_path / "v", SETTINGS)


def test_an_empty_corpus_is_resolved(tmp_path: Path) -> None:
    assert solve(tmp_path, {"a": [], "b": []}) == {}
    assert dedup.resolve([], [], tmp_path / "none", SETTINGS)["documents"] == 0
    assert (
        pa.ipc.open_file(pa.memory_map(str(next((tmp_path / "verdicts").glob("*.verdict.arrow"))))).num_record_batches
        == 0
    )


def test_documents_that_stay_and_belong_together_are_a_family(tmp_path: Path) -> None:
    words = prose(77, 100)
    # Both are near copies of the one between them, and too far from each other.
    versions = [[*words[:90], *prose(78, 10)], [*words[:80], *prose(79, 10), *words[90:]]]
    one, two = [
        Document(f"w:{n}", "w", " ".join(text), created="2020", meta={"kind": "web"}) for n, text in enumerate(versions)
    ]
    middle = Document("w:9", "w", " ".join([*words[:80], *words[90:]]), meta={"kind": "web"})
    files = {
        "pmc": [full(1, 501, pmcid="PMC1", pmid=3), full(2, 502, pmcid="PMC2", pmid=5)],
        "pubmed": [article(3, pmcid="PMC9"), article(4, pmcid="PMC9"), article(5)],
        "web": [one, middle, two],
    }
    found = solve(tmp_path, files)
    assert [row["family"] for (name, _), row in found.items() if name == "pubmed"] == [None, "pmc:PMC1", None]
    assert found["pmc", 0]["family"] == "pmc:PMC1" and found["pmc", 1]["family"] is None
    assert [found["web", place]["family"] for place in range(3)] == ["w:0", None, "w:0"]
    reports = [replace(document, meta={"kind": "report"}) for document in files["web"]]
    (tmp_path / "reports").mkdir()
    assert {row["family"] for row in solve(tmp_path / "reports", {"a": reports}).values()} == {None}
