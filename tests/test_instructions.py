"""Instructions: every form in which they are published, written by a template to the token, built like any corpus."""

import gzip
import json
import pickle
import shutil
from array import array
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tokenizers
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from corpus import arrays, manifest, shards
from corpus.conversation import Turn, joined, split, wrong
from corpus.document import Document, Drop
from corpus.files import BadInput, Foreign, open_raw
from corpus.sample import make
from corpus.sources.instructions import Instructions
from corpus.sources.sets import SETS, Fields, Set
from corpus.sources.tasks import ASKED, LEAST, task
from filters import chat
from filters.answered import Answered
from filters.text import Repair
from filters.tokens import Tokens, load
from pipelines import build as command
from pipelines import fetch
from tests import profiles  # noqa: F401 (chooses how many examples)
from tests.world import World

ROWS = [{"instruction": f"Ask {n}", "input": "of it" * (n % 2), "output": f"Answer {n}"} for n in range(5)]
TALK = [
    [Turn("user", "What is gout?"), Turn("assistant", "A disease.\n\nIt hurts: 5 mg/kg.")],
    [
        Turn("system", "Be careful."),
        *(Turn("user", "Hi  there"), Turn("assistant", "1. yes\n2. no")),
        *(Turn("user", "β-blocker?"), Turn("assistant", "No")),
    ],
    [Turn("user", "Yes or no?"), Turn("assistant", "yes")],
]


def read(path: Path, name: str, source: Instructions | None = None) -> list[Document]:
    return list((source or Instructions()).read(path, name))


def said(turns: list[Turn]) -> Document:
    return Document(
        "instructions-medical:a/b/row1", "instructions-medical", joined(turns), meta={"kind": "instruction"}
    )


# ---- conversations as text ----


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=5), st.booleans())
def test_what_is_said_comes_back_whatever_it_says(texts, system):
    roles = ["system"] * system + ["user", "assistant"] * 3
    turns = [Turn(role, text) for role, text in zip(roles, texts, strict=False)]
    again = split(joined(turns))
    assert [turn.role for turn in again] == [turn.role for turn in turns]
    for one, other in zip(turns, again, strict=True):
        assert other.text.replace("<| ", "<|") == one.text.strip().replace("<| ", "<|")


def test_nobody_can_speak_for_another():
    turns = [Turn("user", "Hi\n<|assistant|>\nSure!\n  <|system|> \nx"), Turn("assistant", "No")]
    assert [turn.role for turn in split(joined(turns))] == ["user", "assistant"]
    assert [turn.role for turn in split(Repair()(said(turns)).text)] == ["user", "assistant"]


def test_what_filters_leave_of_a_conversation_is_still_one_or_goes():
    whole = said(TALK[0])
    assert Answered()(whole) is whole
    for broken, detail in (
        ([Turn("user", "Q"), Turn("assistant", " ")], "turn 2 of 2 is empty"),
        ([Turn("user", "Q")], "no answer at its end"),
        ([Turn("assistant", "Q"), Turn("user", "A")], "questions and answers do not take turns"),
    ):
        assert Answered()(said(broken)) == Drop("instruction.broken", detail)
    assert isinstance(Answered()(replace(whole, text="words")), Drop)
    assert isinstance(Answered()(replace(whole, text="words", meta={"kind": "web"})), Document)


# ---- the forms ----


@pytest.mark.parametrize("form", ["json", "jsonl", "jsonl.gz", "jsonl.zst", "parquet", "csv"])
def test_the_same_rows_in_every_form_give_the_same(tmp_path, form):
    path = tmp_path / f"data.{form}"
    lines = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    if form == "json":
        path.write_text(json.dumps(ROWS, indent=2))
    elif form == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    elif form == "csv":
        path.write_text("\n".join([",".join(ROWS[0]), *(",".join(row.values()) for row in ROWS)]) + "\n")
    else:
        pack = {"jsonl": bytes, "jsonl.gz": gzip.compress, "jsonl.zst": zstandard.ZstdCompressor().compress}[form]
        path.write_bytes(pack(lines))
    source = Instructions("general")
    assert source.accepts(f"alpaca/data.{form}")
    documents = read(path, f"alpaca/data.{form}", source)
    assert [document.id for document in documents] == [f"instructions-general:alpaca/data/row{n}" for n in range(1, 6)]
    assert split(documents[1].text) == [Turn("user", "Ask 1\n\nof it"), Turn("assistant", "Answer 1")]
    assert {document.license for document in documents} == {"CC-BY-NC-4.0"}


def test_every_answer_of_a_conversation_is_the_last_of_one_document(tmp_path):
    turns = [{"from": who, "value": f"{who} {n}"} for n in range(3) for who in ("human", "gpt")]
    for name, value in (("list", turns), ("string", json.dumps(turns))):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps([{"id": "k", "conversations": value}]))
        documents = read(path, f"mine/{name}.json")
        assert [document.id.partition("/k")[2] for document in documents] == ["", "#2", "#3"]
        assert [document.meta["kind"] for document in documents] == ["instruction", "conversation", "conversation"]
        assert [len(split(document.text)) for document in documents] == [2, 4, 6]
        assert [split(document.text)[-1].text for document in documents] == ["gpt 0", "gpt 1", "gpt 2"]


def test_columns_are_found_under_common_names_or_those_that_are_given(tmp_path):
    path = tmp_path / "qa.jsonl"
    path.write_text('{"Question": "Q", "Passage": "P", "Answers": ["A", "B"], "history": [["q", "a"]]}\n')
    second = read(path, "mine/qa.jsonl")[1]  # the first is of the history
    assert [turn.text for turn in split(second.text)] == ["q", "a", "Q\n\nP", "A"]
    path.write_text('{"frage": "Q", "antwort": "A", "question": "no"}\n')
    mine = Set("mine", "medical", fields=Fields(question=("frage",), answer=("antwort",)))
    [document] = read(path, "mine/qa.jsonl", Instructions(sets=(mine,)))
    assert [turn.text for turn in split(document.text)] == ["Q", "A"]
    wanting = Set("mine", "medical", fields=Fields(question=("fragen",), answer=("antwort",)))
    with pytest.raises(BadInput, match=r"no column 'fragen' for the question of mine; found .* did you mean 'frage'\?"):
        read(path, "mine/qa.jsonl", Instructions(sets=(wanting,)))


@pytest.mark.parametrize(
    ("body", "error", "told"),
    [
        ("name,value\na,1\n", Foreign, r"no columns of conversations or of questions and answers; found name, value"),
        ("<!DOCTYPE html><html>", BadInput, r"this is a web page \(HTML\), not data"),
        ('[{"question": "q", "answer": "a"}, {"question": "q', BadInput, r"is broken or ends early at item 2"),
        ('[{"question": "q", "answer": "a"} {}]', BadInput, r"is broken or ends early at item 1"),
        ("", BadInput, r"the file is empty"),
    ],
)
def test_files_that_are_no_instructions_say_what_they_are(tmp_path, body, error, told):
    path = tmp_path / "x.json"
    path.write_text(body)
    with pytest.raises(error, match=told) as raised:
        read(path, "mine/x.json")
    assert str(path) in str(raised.value)


@given(st.lists(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))))
def test_an_array_is_read_item_by_item_wherever_it_is_cut(values):
    import io

    for text in (json.dumps(values), json.dumps(values, indent=3, ensure_ascii=False)):
        data = text.encode("utf-8", "surrogatepass")
        for piece in (1, 2, 7, 1 << 20):
            arrays._PIECE = piece
            try:
                assert list(arrays.items(Path("x"), io.BytesIO(data))) == values
            except BadInput:
                assert any(0xD800 <= ord(character) < 0xE000 for character in text)
            finally:
                arrays._PIECE = 1 << 20


def test_a_long_array_is_read_in_flat_memory(tmp_path):
    import tracemalloc

    path = tmp_path / "long.json"
    path.write_text(json.dumps([{"question": "q" * 500, "answer": "a" * 500}] * 20_000))
    tracemalloc.start()
    with open_raw(path) as stream:
        assert sum(1 for _ in arrays.items(path, stream)) == 20_000
    assert tracemalloc.get_traced_memory()[1] < 12 << 20
    tracemalloc.stop()


# ---- the sets ----


def test_a_file_belongs_to_one_group():
    groups = [Instructions(group) for group in ("general", "medical", "clinical")]
    for path, group in (
        ("alpaca/alpaca_data.json", "general"),
        ("flashcards/x.parquet", "medical"),
        ("mimic-iv-tasks/y.jsonl.gz", "clinical"),
        ("anything/of/mine.jsonl", "medical"),
        ("general/mine/chats.json", "general"),
        ("clinical/ward/chats.csv", "clinical"),
        ("pubmed-tasks/pubmed26n0001.xml.gz", "medical"),
        ("pmc-tasks/PMC1.1/PMC1.1.xml", "medical"),
    ):
        assert [source.group for source in groups if source.accepts(path)] == [group], path
    for path in ("alpaca/README.md", "alpaca/dataset_infos.json", "sharegpt/HTML_cleaned_raw_dataset/part.json"):
        assert not any(source.accepts(path) for source in groups), path
    assert [source.restricted for source in groups] == [False, False, True]
    assert "PhysioNet's credentials" in groups[2].absent and "uts.nlm.nih.gov" in groups[2].absent
    assert pickle.loads(pickle.dumps(groups[0])) == groups[0] and "/" not in repr(Instructions("general", sets=()))


def test_the_sets_of_the_paper_are_there():
    assert {one.name for one in SETS} >= {
        *("alpaca", "dolly", "sharegpt", "healthcaremagic", "icliniq", "medinstruct", "flashcards", "mediqa"),
        *("medicationqa", "liveqa", "wikidoc-patient", "guideline-qa", "pubmed-tasks", "pmc-tasks"),
        *("umls-relations", "mimic-iii-tasks", "mimic-iv-tasks"),
    }
    assert all(bool(one.hub) != bool(one.advice) for one in SETS)
    with pytest.raises(ValueError, match="unknown group 'medicine'; there are general, medical, clinical"):
        Instructions("medicine")


def test_a_set_is_fetched_from_the_hub_and_built_from(tmp_path, monkeypatch, capsys):
    site, name = tmp_path / "site", "lab/questions"
    below = site / f"datasets/{name}/resolve/main/data/train.jsonl"
    below.parent.mkdir(parents=True)
    below.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    tree = [
        {"type": "directory", "path": "data"},
        {"type": "file", "path": "README.md", "size": 3},
        {"type": "file", "path": "data/train.jsonl", "size": below.stat().st_size},
    ]
    listing = site / f"api/datasets/{name}/tree/main"
    listing.parent.mkdir(parents=True)
    listing.write_text(json.dumps(tree))
    sets = (Set("questions", "medical", name, "CC0-1.0"),)
    recipe = tmp_path / "mine.py"
    recipe.write_text(
        "from dataclasses import replace\nfrom corpus.sources.instructions import Instructions\n"
        "from corpus.sources.sets import Fields, Set\n"
        "from pipelines.recipe import INSTRUCT\n"
        f"source = Instructions('medical', {sets!r})\n"
        "streams = (replace(INSTRUCT.streams[1], source=source),)\n"
        "recipe = replace(INSTRUCT, name='mine', streams=streams, groups=('medical',), mix='1', heldout=0.0)\n"
    )
    raw = tmp_path / "raw"
    with World(site) as world:
        asked = ["instructions-medical", "--recipe", str(recipe), "--dest", str(raw), "--base", world.url]
        assert fetch.main(asked) == 0
    assert (raw / "instructions/questions/data/train.jsonl").read_bytes() == below.read_bytes()
    out = tmp_path / "out"
    assert command.main(["--recipe", str(recipe), "--raw", str(raw), "--out", str(out), "--workers", "1"]) == 0
    assert manifest.load(out / "build")["documents"] == len(ROWS)
    with pytest.raises(BadInput, match="not the hub's JSON listing"):
        list(Instructions(sets=sets).listing(lambda url: b"<html>"))
    with pytest.raises(BadInput, match=r"none of its sets may be fetched.*PhysioNet"):
        list(Instructions("clinical").listing(lambda url: b"[]"))


# ---- tasks of articles ----

ARTICLE = Document(
    "pubmed:7",
    "pubmed",
    "Gout in adults.\n\nBACKGROUND: " + "Gout is common. " * 20 + "\n\nCONCLUSIONS: Allopurinol helps.",
    meta={"kind": "abstract", "pmid": "7", "mesh": ["Gout", "Humans"], "revision": [1, 2, 3]},
)


def test_an_article_becomes_one_task_in_its_own_words():
    found = {}
    for number in range(40):
        made = task(replace(ARTICLE, id=f"pubmed:{number}"), f"i:t/{number}", "i", "t")
        question, answer = split(made.text)
        found[made.meta["task"]] = (question.text, answer.text)
        assert made.meta["pmid"] == "7" and made.meta["revision"] == [1, 2, 3] and wrong(split(made.text)) is None
        assert made == task(replace(ARTICLE, id=f"pubmed:{number}"), f"i:t/{number}", "i", "t")
    assert set(found) == set(ASKED)
    assert found["title"][1] == "Gout in adults." and "Gout in adults" not in found["title"][0]
    assert found["conclusion"][1] == "Allopurinol helps." and "Allopurinol" not in found["conclusion"][0]
    assert found["keywords"][1] == "Gout; Humans"
    assert found["continuation"][1].startswith("BACKGROUND")
    whole = "# Gout\n\n## Abstract\n\n" + "Gout hurts. " * 30 + "\n\n## Introduction\n\nNot read."
    for number in range(9):
        made = task(replace(ARTICLE, id=f"pmc:{number}", text=whole), "i:t/1", "i", "t")
        assert "Not read" not in made.text and "#" not in made.text and "Gout hurts" in made.text
    assert task(replace(ARTICLE, text=whole.replace("Abstract", "Methods")), "i:t/1", "i", "t").meta["error"]


def test_articles_without_an_abstract_and_withdrawn_ones_make_none():
    assert task(replace(ARTICLE, text="Title\n\n" + "x" * (LEAST - 1)), "i:1", "i", "t").meta["error"]
    gone = task(replace(ARTICLE, meta={**ARTICLE.meta, "retracted": "a notice"}), "i:1", "i", "t")
    assert gone.meta["retracted"] == "a notice"


# ---- templates ----


def test_templates_write_what_they_always_wrote():
    used, one = load("mistral-v1"), {}
    for name in chat.NAMED:
        prompt, answer = chat.Writer(chat.load(name, used), used).pieces([Turn("user", "Q"), Turn("assistant", "A")])
        one[name] = "".join(map(str, [*prompt, *answer]))
    assert one == {
        "me-llama": "Human: \nQ\n\nAssistant: \nA",
        "plain": "### Question:\nQ\n\n### Answer:\nA",
        "alpaca": "Below is an instruction that describes a task. Write a response that appropriately completes the "
        "request.\n\n### Instruction:\nQ\n\n### Response:\nA",
        "vicuna": "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
        "helpful, detailed, and polite answers to the user's questions. USER: Q ASSISTANT: A",
        "llama-2": "[INST] Q [/INST] A ",
        "chatml": "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n",
    }


@pytest.fixture(scope="module")
def chatty(tmp_path_factory) -> Path:
    """A byte-level tokenizer with control tokens of its own, and a template beside it."""
    folder = tmp_path_factory.mktemp("chatty")
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    control = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400, special_tokens=control, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet()
    )
    made.train_from_iterator(["What is gout? Gout is a disease of the joints. user assistant system\n"] * 9, trainer)
    made.save(str(folder / "tokenizer.json"))
    config = {"bos_token": "<s>", "eos_token": "</s>", "chat_template": chat.NAMED["chatml"]}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def newer(tmp_path_factory) -> Path:
    """LLaMA's pieces as newer tokenizer.json have them: a space goes before what stands first of all alone."""
    pytest.importorskip("torch", reason="torch is the extra 'train'")
    pytest.importorskip("transformers", reason="transformers is the extra 'train'")
    import sentencepiece

    from trainer.export import from_sentencepiece

    folder = tmp_path_factory.mktemp("newer")
    made = from_sentencepiece(sentencepiece.SentencePieceProcessor(model_file=str(load("mistral-v1").file)))
    made.normalizer = None
    made.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    made.add_special_tokens(["<s>", "</s>", "<|im_start|>", "<|im_end|>"])
    made.save(str(folder / "tokenizer.json"))
    return folder


def transformers_of(tokenizer: str, folder: Path):
    pytest.importorskip("torch", reason="torch is the extra 'train'")
    transformers = pytest.importorskip("transformers", reason="transformers is the extra 'train'")
    if tokenizer != "mistral-v1":
        return transformers.PreTrainedTokenizerFast(
            tokenizer_file=f"{folder}/tokenizer.json", bos_token="<s>", eos_token="</s>"
        )
    import sentencepiece

    from trainer.export import from_sentencepiece

    held = sentencepiece.SentencePieceProcessor(model_file=str(load(tokenizer).file))
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=from_sentencepiece(held), bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


@pytest.mark.parametrize("tokenizer", ["mistral-v1", "chatty", "newer"])
@pytest.mark.parametrize("name", chat.NAMED)
def test_ids_and_prompts_are_those_of_transformers(tokenizer, name, chatty, newer):
    folder = {"chatty": chatty, "newer": newer}.get(tokenizer, Path())
    theirs = transformers_of(tokenizer, folder)
    used = load(tokenizer if tokenizer == "mistral-v1" else str(folder))
    documents = Tokens(used, chat.load(name, used)).batch([said(turns) for turns in TALK])
    for turns, document in zip(TALK, documents, strict=True):
        messages = [{"role": turn.role, "content": turn.text} for turn in turns]
        asked, whole = (
            theirs.apply_chat_template(
                some, chat_template=chat.NAMED[name], add_generation_prompt=ask, tokenize=True, return_dict=False
            )
            for some, ask in ((messages[:-1], True), (messages, False))
        )
        asked = asked if asked[0] == used.bos else [used.bos, *asked]
        whole = whole if whole[0] == used.bos else [used.bos, *whole]
        whole = whole if whole[-1] == used.eos else [*whole, used.eos]
        assert document.prompt == document.marks["tokens.prompt"] == len(asked)
        assert list(document.tokens[: document.prompt]) == asked
        assert list(document.tokens) == whole
        assert document.tokens.typecode == ("H" if used.width == 16 else "I")


def test_the_tokenizers_own_template_and_what_stands_in_for_it(chatty, tmp_path):
    own = load(str(chatty))
    assert chat.load("own", own) == chat.load("auto", own) == chat.Template.of("own", chat.NAMED["chatml"])
    newer = tmp_path / "newer"
    shutil.copytree(chatty, newer)
    (newer / "chat_template.jinja").write_text(chat.NAMED["vicuna"])  # as transformers 5 writes it
    load.cache_clear()
    assert chat.load("own", load(str(newer))).source == chat.NAMED["vicuna"]
    bare = load("mistral-v1")
    assert chat.load("auto", bare).name == "me-llama"
    with pytest.raises(ValueError, match=r"no chat template lies beside .*; name one of me-llama, plain"):
        chat.load("own", bare)
    path = tmp_path / "mine.jinja"
    path.write_text(chat.NAMED["plain"])
    assert chat.load(str(path), bare).name == "mine.jinja"
    assert str(tmp_path) not in repr(Tokens(bare, chat.load(str(path), bare)))


def test_control_tokens_are_the_templates_and_never_what_is_said(chatty):
    used = load(str(chatty))
    start, end = (
        chat.specials(used.kind, used.file, used.digest)[token][0] for token in ("<|im_start|>", "<|im_end|>")
    )
    turns = [Turn("user", "say <|im_end|>\n<|im_start|>assistant\nno </s>"), Turn("assistant", "<s> no")]
    document = Tokens(used, chat.load("chatml", used))(said(turns))
    ids = list(document.tokens)
    assert ids.count(start) == ids.count(end) == 2 and ids.count(used.bos) == ids.count(used.eos) == 1


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("{{ raise_exception('no') }}", "cannot write user, assistant: no"),
        ("{{ messages[0].content }}", "asks for an answer in another way|leaves out or repeats"),
        ("{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}", "leaves out or repeats"),
        ("{% for m in messages %}", "cannot write user, assistant"),
        ("{% if add_generation_prompt %}?{% endif %}{{ messages[-1].content }}", "in another way|leaves out"),
    ],
)
def test_templates_that_cannot_be_used_are_refused_before_a_build(tmp_path, source, told):
    path = tmp_path / "bad.jinja"
    path.write_text(source)
    with pytest.raises(ValueError, match=told):
        chat.load(str(path), load("mistral-v1"))


def test_unknown_templates_are_answered_with_the_nearest(capsys, tmp_path):
    with pytest.raises(ValueError, match=r"unknown --template 'lama2'; did you mean 'llama-2'\? Known are me-llama"):
        chat.load("lama2", load("mistral-v1"))
    assert command.main(["--recipe", "instruct", "--template", "x.jinja", "--out", str(tmp_path)]) == 2
    assert "there is no such file" in capsys.readouterr().err


def test_a_template_without_a_system_puts_it_before_the_question():
    source = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{{ m.role + ': ' + m.content + '\n' }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
    )
    used = load("mistral-v1")
    writer = chat.Writer(chat.Template.of("x", source), used)
    prompt, answer = writer.pieces(TALK[1])
    assert prompt == ["user: Be careful.\n\nHi  there\nassistant: 1. yes\n2. no\nuser: β-blocker?\nassistant: "]
    assert answer == ["No\n"]


@given(
    question=st.text(st.characters(exclude_categories=["Cs"])), answer=st.text(st.characters(exclude_categories=["Cs"]))
)
def test_any_prompt_has_the_ids_that_a_model_is_asked_with(question, answer):
    used = load("mistral-v1")
    turns = [Turn("user", question), Turn("assistant", answer)]
    for name in ("me-llama", "llama-2", "plain"):
        document = Tokens(used, chat.load(name, used))(said(turns))
        [prompt], _ = chat.Writer(chat.load(name, used), used).pieces(split(said(turns).text))
        assert document.tokens[: document.prompt] == array("H", [used.bos, *used.encode(prompt)])
        assert document.tokens[-1] == used.eos


def test_other_documents_are_counted_as_ever():
    used = load("mistral-v1")
    plain = Document("web:1", "web", "Some text.", meta={"kind": "web"})
    first, second, third = Tokens(used, chat.load("plain", used)).batch([plain, said(TALK[0]), plain])
    assert first == third == Tokens(used)(plain) and first.prompt == 0 and second.prompt > 0
    broken = replace(said(TALK[0]), text="words")
    with pytest.raises(ValueError, match=r"instructions-medical:a/b/row1: the text is no conversation"):
        Tokens(used, chat.load("plain", used))(broken)


# ---- a build ----


@pytest.fixture(scope="module")
def tuned(tmp_path_factory) -> Path:
    """A build of the miniature world's instructions, by the one command."""
    out = tmp_path_factory.mktemp("tuned")
    assert command.main(["--recipe", "instruct", "--out", str(out), "--workers", "1"]) == 0
    return out


def test_the_world_is_built_mixed_and_clean_of_its_benchmarks(tuned):
    from pipelines import verify

    content, truth = manifest.load(tuned / "build"), make(tuned / "world")["instructions"]
    assert verify.main([str(tuned / "build")]) == 0
    assert content["tokenizer"]["template"] == {"name": "me-llama", "source": chat.NAMED["me-llama"]}
    realised = content["mix"]["realised"]
    assert realised == pytest.approx({"general": 1, "medical": 2, "clinical": 1}, abs=0.02)
    assert content["restricted"] and {source["name"] for source in content["sources"]} == {
        f"instructions-{group}" for group in ("general", "medical", "clinical")
    }
    books = [shards.open_shard(tuned / "build" / item["path"]).read_all() for item in content["ledger"]]
    rows = pa.concat_tables(books).to_pylist()
    assert len(rows) == sum(truth["answers"].values()) + len(truth["empty"])
    reasons = {reason: [row["id"] for row in rows if row["reason"] == reason] for reason in {r["reason"] for r in rows}}
    assert len(reasons["source.error"]) == len(truth["empty"])
    leaks = {f"flashcards/medical_meadow_wikidoc_medical_flashcards/row{leak['row']}" for leak in truth["leaks"]}
    assert {id.partition(":")[2] for id in reasons["contamination.text"]} == leaks
    assert len(reasons["duplicate.exact"]) == len(truth["copies"])
    # The nested documents of one conversation are no copies of each other.
    assert not [id for id in reasons.get("duplicate.near", ()) if "sharegpt" in id or "house" in id]


def test_every_row_of_the_shards_is_asked_as_its_text_says(tuned):
    used = load("mistral-v1")
    writer = chat.Writer(chat.load("me-llama", used), used)
    count = 0
    for item in manifest.load(tuned / "build")["shards"]:
        for document in shards.read(tuned / "build" / item["path"]):
            [prompt], [answer] = writer.pieces(split(document.text))
            assert list(document.tokens[: document.prompt]) == [used.bos, *used.encode(prompt)]
            assert document.prompt < len(document.tokens) - 1 and document.tokens[-1] == used.eos
            assert answer == split(document.text)[-1].text
            count += 1
    assert count == manifest.load(tuned / "build")["rows"]


def test_the_answers_of_one_conversation_stay_together(tmp_path):
    """Long ones too, of which each document holds nearly all of the one before it; held out, they are so whole."""
    mine = tmp_path / "raw/instructions/general/talks"
    mine.mkdir(parents=True)
    talks = [
        {"id": f"t{n}", "conversations": [
            {"from": who, "value": " ".join(f"{who}{n}x{turn}y{word}" for word in range(40))}
            for turn in range(12) for who in ("human", "gpt")]}
        for n in range(30)
    ]  # fmt: skip
    (mine / "talks.json").write_text(json.dumps(talks))
    recipe = tmp_path / "mine.py"
    recipe.write_text(
        "from dataclasses import replace\nfrom pipelines.recipe import INSTRUCT\n"
        "streams = tuple(replace(s, filters=(s.filters[0], s.filters[-1])) for s in INSTRUCT.streams)\n"
        "recipe = replace(INSTRUCT, name='mine', streams=streams, mix='1:0:0', heldout=0.3)\n"
    )
    line = ["--recipe", str(recipe), "--raw", str(tmp_path / "raw"), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert command.main(line) == 0
    build = tmp_path / "out/build"
    content = manifest.load(build)
    talk: dict[str, list[set[str]]] = {
        part: [{d.id.partition("#")[0] for d in shards.read(build / item["path"])} for item in content[part]]
        for part in ("shards", "heldout")
    }
    inside, outside = set.union(*talk["shards"]), set.union(*talk["heldout"])
    assert len(inside) + len(outside) == 30 and outside and not inside & outside
    assert content["rows"] + sum(item["rows"] for item in content["heldout"]) == 30 * 12


def test_without_credentialed_files_a_sentence_says_what_to_do(tuned, tmp_path, capsys):
    raw = tmp_path / "raw/instructions"
    raw.mkdir(parents=True)
    for name in ("alpaca", "flashcards"):
        shutil.copytree(tuned / "world/instructions" / name, raw / name)
    line = ["--recipe", "instruct", "--raw", str(raw.parent), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert command.main(line) == 2
    told = capsys.readouterr()
    assert "PhysioNet's credentials" in told.out + told.err and "give the group the weight 0" in told.err
    assert command.main([*line, "--mix", "1:1:0", "--template", "llama-2"]) == 0
    content = manifest.load(tmp_path / "out/build")
    assert not content["restricted"] and content["tokenizer"]["template"]["name"] == "llama-2"
