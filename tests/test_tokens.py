"""Token ids are the reference's, to the id; a tokenizer that will not do is refused in words."""

import io
import json
import pickle
from array import array

import numpy as np
import pytest
import sentencepiece
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from corpus.document import Document
from filters import engines
from filters.tokens import Count, Tokens, load
from tests import profiles  # noqa: F401 (chooses how many examples)

PROSE = (
    "We randomised 1,204 adults (mean age 61.3 ± 9.8 years) to dapagliflozin 10 mg or placebo. The primary end point "
    "was a fall in eGFR of ≥ 40%. Hazard ratio 0.71 (95% CI, 0.58–0.87; P<0.001).\n\nMETHODS: α-synuclein was measured "
    "in cerebrospinal fluid; see Müller et al. (doi:10.1000/x.y). IL-6, TNF-α and β2-microglobulin rose.\n"
)


@pytest.fixture(scope="module")
def default():
    return load("mistral-v1")


@pytest.fixture(scope="module")
def truth(default):
    return sentencepiece.SentencePieceProcessor(model_file=str(default.file))


def test_the_default_is_the_fast_engine_and_says_what_it_is(default):
    assert default.engine.name == "gigatoken"
    assert (default.vocabulary, default.bos, default.eos, default.width) == (32000, 1, 2, 16)
    assert str(default.file) not in repr(Tokens(default))
    assert default.digest in repr(Tokens(default))
    assert pickle.loads(pickle.dumps(Tokens(default))) == Tokens(default)


def test_hostile_strings_have_the_ids_of_sentencepiece(default, truth):
    texts = engines.hostile()
    assert len(texts) > 400
    for text, ids in zip(texts, default.encode_batch(texts), strict=True):
        assert list(ids) == truth.encode(text), ascii(text[:80])


def test_prose_has_the_ids_of_sentencepiece(default, truth):
    texts = [PROSE * (1 + number % 7) + str(number * 7919) for number in range(200)]
    assert [list(ids) for ids in default.encode_batch(texts)] == truth.encode(texts)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), max_size=8))
def test_any_text_has_the_ids_of_sentencepiece(default, truth, texts):
    assert [list(ids) for ids in default.encode_batch(texts)] == truth.encode(texts)


def test_a_literal_control_token_is_only_letters(default):
    ids = default.encode("a <s> b </s><unk>")
    assert not {default.bos, default.eos, 0} & set(ids)


def test_a_batch_is_the_same_as_one_by_one(default, monkeypatch):
    texts = ["", PROSE, "x", PROSE * 3, ""]
    one_by_one = [default.encode(text) for text in texts]
    monkeypatch.setattr(engines, "_BATCH", 100)
    assert default.encode_batch(texts) == one_by_one
    assert default.encode_batch([]) == []


def test_documents_begin_and_end(default):
    filter = Tokens(default)
    documents = [Document("a:1", "a", "Hello world"), Document("a:2", "a", "")]
    counted = filter.batch(documents)
    assert counted[0].tokens == array("H", [1, 22557, 1526, 2])
    assert counted[1].tokens == array("H", [1, 2])
    assert [document.marks["tokens.count"] for document in counted] == [4, 2]
    assert [filter(document) for document in documents] == counted


def test_several_tokenizers_count_in_one_pass(default):
    count = Count.named(["mistral-v1", "mistral-v3"])
    found = count(Document("a:1", "a", "Hello world"))
    assert found.tokens is None
    assert found.marks["tokens.mistral-v1"] == 4
    assert found.marks["tokens.mistral-v3"] >= 4


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Small models of every sort, trained here."""
    folder = tmp_path_factory.mktemp("models")

    def train(name: str, **options) -> None:
        with io.BytesIO() as model:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter((PROSE * 20).split("\n")),
                model_writer=model,
                vocab_size=options.pop("vocab_size", 400),
                hard_vocab_limit=False,
                minloglevel=2,
                **options,
            )
            (folder / name).write_bytes(model.getvalue())

    train("bpe.model", model_type="bpe", byte_fallback=True, vocab_size=500)
    train("unigram.model", model_type="unigram", vocab_size=200)
    train("no-bos.model", model_type="bpe", byte_fallback=True, vocab_size=500, bos_id=-1)
    train("no-eos.model", model_type="bpe", byte_fallback=True, vocab_size=500, eos_id=-1)

    def byte_level(file: str, special: list[str], **sides) -> None:
        model = tokenizers.Tokenizer(tokenizers.models.BPE())
        model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        model.decoder = tokenizers.decoders.ByteLevel()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=600,
            special_tokens=special,
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        model.train_from_iterator([PROSE * 3], trainer)
        (folder / file).mkdir()
        model.save(str(folder / file / "tokenizer.json"))
        for side, content in sides.items():
            (folder / file / f"{side}.json").write_text(json.dumps(content))

    byte_level("usual", ["<|begin_of_text|>", "<|end_of_text|>"])
    byte_level("gpt", ["<|endoftext|>"])
    byte_level("none", [])
    byte_level("null", ["<s>", "</s>"], tokenizer_config={"bos_token": None, "eos_token": "</s>"})
    byte_level("named", ["<A>", "<B>"], tokenizer_config={"bos_token": {"content": "<A>"}, "eos_token": "<B>"})
    return folder


def test_a_model_of_one_s_own_has_the_reference_s_ids(models):
    for name in ("bpe.model", "unigram.model"):
        tokenizer = load(str(models / name))
        truth = sentencepiece.SentencePieceProcessor(model_file=str(models / name))
        texts = [*engines.hostile(), PROSE]
        assert [list(ids) for ids in tokenizer.encode_batch(texts)] == truth.encode(texts)
    # gigatoken does not know unigram models: the reference does the work, by itself.
    assert tokenizer.engine.name == "sentencepiece"


@pytest.mark.parametrize(("name", "bos", "eos"), [("usual", 0, 1), ("gpt", 0, 0), ("named", 0, 1)])
def test_tokenizer_json_has_the_reference_s_ids(models, name, bos, eos):
    tokenizer = load(str(models / name))
    assert (tokenizer.kind, tokenizer.bos, tokenizer.eos) == ("tokenizers", bos, eos)
    truth = tokenizers.Tokenizer.from_str(engines.without_special(tokenizer.file.read_text()))
    texts = [*engines.hostile(), PROSE]
    found = tokenizer.encode_batch(texts)
    assert [list(ids) for ids in found] == [truth.encode(text, add_special_tokens=False).ids for text in texts]
    assert not any({tokenizer.bos, tokenizer.eos} & set(ids) for ids in found)


def test_a_fast_engine_that_is_wrong_is_not_used(default, monkeypatch):
    class Wrong:
        name = "wrong"

        def batch(self, texts):
            ids, offsets = engines.reference("sentencepiece", default.file.read_bytes()).batch(texts)
            return np.where(ids == 28705, 35, ids), offsets  # one piece of 32,000 is another

    monkeypatch.setattr(engines, "fast", lambda kind, data: Wrong())
    assert engines.best("sentencepiece", default.file.read_bytes()).name == "sentencepiece"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no-bos.model", "no BOS"),
        ("no-eos.model", "no EOS"),
        ("none", "no BOS"),
        ("null", "no BOS"),
        ("absent.model", "no such file"),
        (".", "neither tokenizer.json nor tokenizer.model"),
    ],
)
def test_what_will_not_do_is_refused_in_words(models, name, says):
    with pytest.raises(ValueError, match=says):
        load(str(models / name))


@pytest.mark.parametrize("content", [b"not a model", b'{"a": 1}', b'{"a": ', b""])
def test_a_file_that_is_no_tokenizer_is_refused_in_words(tmp_path, content):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"tokenizer\.json.*give the model's own file"):
        load(str(tmp_path / "tokenizer.json"))


def test_an_unknown_name_without_a_network_is_refused_with_the_nearest(monkeypatch):
    import huggingface_hub

    def offline(*given, **more):
        raise huggingface_hub.errors.LocalEntryNotFoundError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(ValueError, match="did you mean 'mistral-v1'"):
        load("mistral-1")


def test_a_name_on_the_hub_is_fetched(models, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, allow_patterns: str(models / "usual"))
    assert load("someone/usual").name == "someone/usual"


def test_a_file_that_changes_under_a_running_build_is_noticed(models, tmp_path):
    path = tmp_path / "tokenizer.model"
    path.write_bytes((models / "bpe.model").read_bytes())
    tokenizer = load(str(path))
    path.write_bytes((models / "unigram.model").read_bytes())
    with pytest.raises(ValueError, match="has changed"):
        tokenizer.encode("x")
