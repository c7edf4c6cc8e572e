"""A site's own model beside the embedded one: off by default, from a folder, and never downloaded."""

import importlib.util
from pathlib import Path

import pytest

from corpus.document import Document
from filters.deid import Deid

TEXT = "Seen by grumblethorpe today; no pain."
WORDS = ["[PAD]", "[UNK]", "seen", "by", "grumblethorpe", "today", ";", "no", "pain", "."]


def masked(extra: str) -> str:
    out = Deid(extra=extra)(Document("notes:1", "notes", TEXT, meta={"kind": "note"}))
    assert isinstance(out, Document), out
    return out.text


def spacy_model(folder: Path) -> Path:
    """A pipeline that knows one name, which no list and no rule of ours would find."""
    import spacy

    model = spacy.blank("en")
    model.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "grumblethorpe"}])  # type: ignore[attr-defined]
    model.to_disk(folder / "spacy")
    return folder / "spacy"


def transformers_model(folder: Path) -> Path:
    """The smallest BERT, whose weights say one thing: the fifth word of its vocabulary is a person."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

    plain = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    plain.normalizer, plain.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.BertPreTokenizer()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="[UNK]", pad_token="[PAD]")
    tokenizer.save_pretrained(folder / "bert")
    sizes = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 4}
    labels = {"id2label": {0: "O", 1: "B-PER"}, "label2id": {"O": 0, "B-PER": 1}}
    model = BertForTokenClassification(
        BertConfig(vocab_size=len(WORDS), max_position_embeddings=600, **sizes, **labels)
    )
    with torch.no_grad():
        for weights in model.parameters():
            weights.zero_()
        for name, weights in model.named_parameters():
            if name.endswith("LayerNorm.weight"):
                weights.fill_(1)  # the word's own vector goes through
        model.bert.embeddings.word_embeddings.weight[:, 1] = 1
        model.bert.embeddings.word_embeddings.weight[4] = torch.tensor([9.0, -9.0, 0.0, 0.0])
        model.classifier.weight[1, 0] = 10
        model.classifier.bias[0] = 5
    model.save_pretrained(folder / "bert")
    return folder / "bert"


def test_without_a_model_of_its_own_no_site_needs_one() -> None:
    assert Deid().extra == "" and masked("") == TEXT


def test_a_spacy_model_finds_what_we_do_not(tmp_path: Path) -> None:
    assert masked(f"spacy:{spacy_model(tmp_path)}") == "Seen by [NAME] today; no pain."


def test_a_transformers_model_finds_what_we_do_not(tmp_path: Path) -> None:
    if importlib.util.find_spec("transformers") is None:
        pytest.skip("transformers is not installed: models of that kind are left out")
    assert masked(f"transformers:{transformers_model(tmp_path)}") == "Seen by [NAME] today; no pain."


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("spacy:nobody/has_it", "not installed"),
        ("transformers:dslim/bert-base-NER", "not a folder with a model"),
        ("flair:ner", "expected 'spacy:MODEL' or 'transformers:FOLDER'"),
    ],
)
def test_nothing_is_downloaded(extra: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        masked(extra)
