"""Bad input: a sentence that says what, where and what to do, an exit status, and nothing lost."""

import gzip

import pytest

from pipelines.build import main

XML = (
    '<?xml version="1.0"?><PubmedArticleSet><PubmedArticle><MedlineCitation><PMID Version="1">{}</PMID><Article>'
    "<ArticleTitle>Aspirin after stroke: a trial of early treatment in older people.</ArticleTitle><Abstract>"
    "<AbstractText>We gave aspirin to people who had a stroke and followed them for one year. Fewer of them had "
    "another stroke than of those who took no aspirin, and bleeding was as rare in both groups.</AbstractText>"
    "</Abstract></Article></MedlineCitation></PubmedArticle></PubmedArticleSet>"
)


@pytest.fixture
def raw(tmp_path):
    """Two whole PubMed files and a hospital's table."""
    folder = tmp_path / "raw"
    (folder / "pubmed").mkdir(parents=True)
    for number in (1, 2):
        with gzip.open(folder / "pubmed" / f"pubmed26n000{number}.xml.gz", "wt") as file:
            file.write(XML.format(number))
    (folder / "notes").mkdir()
    (folder / "notes" / "notes.csv").write_text("note_id,report\n1,Mr. Ash came in with chest pain and was well.\n")
    return folder


def refused(capsys, *arguments) -> str:
    """What the command says when it refuses; it must not print a traceback."""
    assert main([str(argument) for argument in (*arguments, "--workers", "1")]) != 0
    told = capsys.readouterr().err
    assert "Traceback" not in told
    return told


def layers(tmp_path) -> list[str]:
    return sorted(path.name.split("-")[0] for path in (tmp_path / "out" / "layers").glob("pubmed-*/*.xml.gz-*.arrow"))


def test_truncated_gzip(tmp_path, raw, capsys):
    victim = raw / "pubmed" / "pubmed26n0001.xml.gz"
    victim.write_bytes(victim.read_bytes()[:-20])
    told = refused(capsys, "--raw", raw, "--out", tmp_path / "out", "--columns", "text=report")
    assert f"{victim}: the compressed stream is broken or ends early" in told
    assert "fetch it again" in told
    finished = [p.name for p in (tmp_path / "out" / "layers").glob("pubmed-*/*") if "summary" in p.name]
    assert finished == [name for name in finished if "n0002" in name] and finished, "the whole file is finished"


def test_html_in_place_of_xml(tmp_path, raw, capsys):
    (raw / "pubmed" / "pubmed26n0001.xml.gz").write_text("<!DOCTYPE html><html><body>Sign in</body></html>")
    told = refused(capsys, "--raw", raw, "--out", tmp_path / "out", "--columns", "text=report")
    assert "pubmed26n0001.xml.gz: this is a web page (HTML), not data" in told


def test_wrong_md5(tmp_path, raw, capsys):
    (raw / "pubmed" / "pubmed26n0001.xml.gz.md5").write_text(f"MD5(pubmed26n0001.xml.gz)= {'0' * 32}\n")
    told = refused(capsys, "--raw", raw, "--out", tmp_path / "out")
    assert f"says md5 {'0' * 32}, but the file has" in told


def test_empty_file(tmp_path, raw, capsys):
    (raw / "pubmed" / "pubmed26n0001.xml.gz").write_bytes(b"")
    told = refused(capsys, "--raw", raw, "--out", tmp_path / "out", "--columns", "text=report")
    assert "pubmed26n0001.xml.gz: the file is empty" in told


def test_missing_csv_column(tmp_path, raw, capsys):
    told = refused(capsys, "--raw", raw, "--out", tmp_path / "out", "--columns", "text=reprot")
    assert "notes.csv" in told and "reprot" in told and "report" in told


def test_empty_folder(tmp_path, raw, capsys):
    (raw / "mimic").mkdir()
    told = refused(capsys, "--raw", raw, "--out", tmp_path / "out")
    assert "mimic holds no file that the source 'mimic' reads" in told


def test_no_folder_of_a_source(tmp_path, capsys):
    (tmp_path / "raw").mkdir()
    told = refused(capsys, "--raw", tmp_path / "raw", "--out", tmp_path / "out")
    assert "holds no folder of a source; expected one or more of pubmed, pmc" in told
    assert "is not a folder" in refused(capsys, "--raw", tmp_path / "nowhere", "--out", tmp_path / "out")


def test_a_ratio_of_two(tmp_path, capsys):
    told = refused(capsys, "--mix", "15:1", "--out", tmp_path / "out")
    assert "--mix 15:1: expected one weight for each of biomedical:clinical:general, like 15:1:4" in told


def test_a_group_without_tokens(tmp_path, raw, capsys):
    told = refused(capsys, "--raw", raw, "--out", tmp_path / "out", "--columns", "text=report")
    assert "no tokens in" in told and "general (no source)" in told
    assert layers(tmp_path), "what was sifted stays"


def test_a_tokenizer_without_bos(tmp_path, raw, capsys):
    import sentencepiece

    text = tmp_path / "text.txt"
    text.write_text("\n".join(f"a line of plain words number {n}" for n in range(200)))
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(tmp_path / "bare"), vocab_size=60, bos_id=-1, hard_vocab_limit=False
    )
    told = refused(capsys, "--raw", raw, "--out", tmp_path / "out", "--tokenizer", tmp_path / "bare.model")
    assert "bare.model" in told and "BOS" in told


def test_an_unknown_tokenizer_and_recipe(tmp_path, raw, capsys):
    told = refused(capsys, "--raw", raw, "--out", tmp_path / "out", "--tokenizer", tmp_path / "no.model")
    assert "no.model" in told
    told = refused(capsys, "--recipe", "me-lama", "--out", tmp_path / "out")
    assert "unknown recipe 'me-lama'; did you mean 'me-llama'?" in told
    assert "no recipe file" in refused(capsys, "--recipe", "mine.py", "--out", tmp_path / "out")


def test_two_builds_in_one_folder(tmp_path, raw, capsys):
    import fcntl

    out = tmp_path / "out"
    out.mkdir()
    with open(out / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another build is running" in refused(capsys, "--raw", raw, "--out", out)


def test_a_whole_web_is_not_fetched_by_accident(tmp_path, capsys, monkeypatch):
    from pipelines import stages

    monkeypatch.setattr(stages, "fetch_source", lambda source, dest: dest)
    told = refused(capsys, "--recipe", "me-llama", "--out", tmp_path / "out")
    assert "without --tokens, redpajama would be fetched whole" in told
