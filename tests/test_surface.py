"""Long documents are cut between words, and their text where their ids are cut."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
import tokenizers

from corpus import shards
from corpus.document import Document
from filters.surface import surface
from filters.tokens import Tokens, load
from pipelines import assemble
from pipelines.sift import Count

TEXTS = [
    "Mitral regurgitation was severe (EF 35 %).\n\nShe was given 5 mg of ramipril 💊 twice, naïve of β-blockers. " * 30,
    "中文字符和日本語のテキスト한국어 👨‍👩‍👧‍👦🏳️‍🌈 " * 60,
    "x" * 5000,
    "  two  spaces\n\n\t▁ and marks ▁▁ <0x0A> <s> " * 40,
]


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """A sentencepiece model with byte fallback, the same as a tokenizer.json, a byte-level one, one that normalises."""
    folder = tmp_path_factory.mktemp("surface")
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    model.train_from_iterator(
        TEXTS[:2],
        tokenizers.trainers.BpeTrainer(
            vocab_size=600, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
        ),
    )
    (folder / "bytes").mkdir()
    model.save(str(folder / "bytes/tokenizer.json"))
    with io.BytesIO() as data:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(TEXTS * 5), model_writer=data, vocab_size=300, hard_vocab_limit=False, minloglevel=2
        )
        (folder / "nfkc.model").write_bytes(data.getvalue())
    return {"sentencepiece": "mistral-v1", "bytes": str(folder / "bytes"), "nfkc": str(folder / "nfkc.model")}


@pytest.mark.parametrize("kind", ["sentencepiece", "bytes"])
@pytest.mark.parametrize("text", TEXTS)
def test_pieces_of_text_are_what_their_ids_say(names, kind, text):
    tokenizer = load(names[kind])
    ids = np.array(tokenizer.documents([text])[0])
    spelled = surface(tokenizer.kind, tokenizer.file, tokenizer.vocabulary)
    starts = spelled.cuts(ids, 40)
    ends = [*starts[1:], len(ids)]
    assert len(starts) > 2 and all(0 < end - start <= 40 for start, end in zip(starts, ends, strict=True))
    places = [*spelled.places(ids, starts, len(text)), len(text)]
    if kind == "sentencepiece":
        model = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer.file))
        decode = lambda part: "".join(model.id_to_piece(i) for i in part).replace("▁", " ")  # noqa: E731
    else:
        decode = tokenizers.Tokenizer.from_file(str(tokenizer.file)).decode
    for start, end, first, last in zip(starts, ends, places, places[1:], strict=False):
        part = [id for id in ids[start:end].tolist() if id not in (tokenizer.bos, tokenizer.eos)]
        written = decode(part)
        if "<0x" not in written:
            assert written[start == 0 and kind == "sentencepiece" :].replace("▁", " ") == text[first:last].replace(
                "▁", " "
            )
    if text == TEXTS[0]:
        assert sum(text[place] in " \n\t" for place in places[1:-1]) >= 0.9 * len(starts[1:]), "cut between words"


def test_a_model_that_rewrites_its_text_leaves_it_in_the_first_piece(names):
    tokenizer = load(names["nfkc"])
    text = "ﬁne ½ Å ﬂow " * 50
    ids = np.array(tokenizer.documents([text])[0])
    spelled = surface(tokenizer.kind, tokenizer.file, tokenizer.vocabulary)
    starts = spelled.cuts(ids, 40)
    assert spelled.places(ids, starts, len(text)) == [0] + [len(text)] * (len(starts) - 1)


def test_an_index_cuts_what_is_long_and_nothing_with_a_prompt(tmp_path):
    layer, tokens = tmp_path / "a.arrow", tmp_path / "t.arrow"
    long = TEXTS[0]
    documents = [Document("pmc:1", "pmc", "short"), Document("pmc:2", "pmc", long), Document("pmc:3", "pmc", long)]
    with shards.ShardWriter(layer, compression="lz4") as writer:
        for document in documents:
            writer.add(document)
    counted = Count(Tokens.named("mistral-v1"))
    counted(layer, tokens, 0o600)
    table = shards.open_shard(tokens).read_all()
    prompts = table.set_column(1, table.schema.field("prompt"), pa.array([0, 0, 7], pa.int32()))
    with pa.ipc.new_file(str(tmp_path / "p.arrow"), table.schema) as file:
        file.write_table(prompts)
    entry = assemble.Entry("pmc", "biomedical", "a", layer, tmp_path / "p.arrow", tmp_path / "v")
    one, none = assemble._pieces(entry, np.array([1, 2]), counted.tokens.tokenizer, 100)
    assert len(one) > 5 and one[0].tolist() == (0, 0)
    assert none.tolist() == [(0, 0)]


def test_the_pieces_of_a_build_are_its_documents(built, content):
    """Ids and text of every cut document, put together again, are those of an uncut one of its id."""
    parts: dict[str, list[tuple[dict, str, list[int]]]] = {}
    for item in content["shards"]:
        for document in shards.read(built / item["path"]):
            if "piece" in document.meta:
                parts.setdefault(document.id, []).append((document.meta, document.text, list(document.tokens)))
    assert len(parts) > 20
    tokenizer = load(str(Path(built) / content["tokenizer"]["file"]))
    for rows in parts.values():
        count = rows[0][0]["pieces"]
        first = rows[:count]
        assert [meta["piece"] for meta, _, _ in rows] == list(range(count)) * (len(rows) // count)
        assert [meta["before"] for meta, _, _ in first] == [sum(len(r[2]) for r in first[:n]) for n in range(count)]
        assert all(len(ids) <= content["mix"]["sequence"] for _, _, ids in rows)
        whole = [id for _, _, ids in first for id in ids]
        assert list(tokenizer.documents(["".join(text for _, text, _ in first)])[0]) == whole
