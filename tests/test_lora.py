"""LoRA: only adapters learn, on answers alone; what they learned is merged to the same logits; resuming is exact."""

import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is the extra 'train'")
pytest.importorskip("transformers", reason="transformers is the extra 'train'")
peft = pytest.importorskip("peft", reason="peft is the extra 'train'")

import tokenizers  # noqa: E402
import torch.distributed as dist  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM  # noqa: E402

from corpus import manifest  # noqa: E402
from trainer import checkpoint, lora, model, recipe, run  # noqa: E402
from trainer import ranks as processes  # noqa: E402
from trainer.data import IGNORED, Windows  # noqa: E402
from trainer.parallel import make  # noqa: E402
from trainer.ranks import Ranks  # noqa: E402

from .ranks import launched  # noqa: E402
from .test_trainer import DEEPSPEED, VOCABULARY, curve, losses, make_build  # noqa: E402

TEMPLATE = "{{ bos_token }}{% for m in messages %}{{ m.content + ' ' }}{% endfor %}"
STEPS = 4
COMMON = ["--recipe", "instruct", "--sequence", "64", "--batch", "2", "--windows", "8", "--steps", str(STEPS)]
COMMON += ["--save-every", "1", "--lr", "0.01", "--lora", "4", "--warmup", "0", "--lora-dropout", "0"]
LAYERS = ["--lora-layers", "q_proj,v_proj,down_proj"]


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    """Documents of which 10 tokens are prompt, a tokenizer of words and a template."""
    folder = make_build(tmp_path_factory.mktemp("instructions") / "build", 120, prompt=10)
    words = {"<unk>": 0, "<s>": 1, "</s>": 2, **{f"w{i}": i for i in range(3, VOCABULARY)}}
    plain = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    plain.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    (folder / "tokenizer").mkdir()
    plain.save(str(folder / "tokenizer/tokenizer.json"))
    content = dict(manifest.load(folder))
    content["tokenizer"] = {**content["tokenizer"], "template": {"name": "own", "source": TEMPLATE}}
    manifest.write(folder / manifest.NAME, content)
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A model that was pretrained, as a folder of transformers."""
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        bos_token_id=1,
        eos_token_id=2,
    )
    folder = tmp_path_factory.mktemp("base") / "model"
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def alone():
    torch.set_num_threads(1)
    joined = processes.start()
    yield lambda *line: run.train(run.arguments([str(each) for each in line]), joined)
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def single(build, base, alone, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "single"
    assert alone("--build", build, "--out", out, *COMMON, *LAYERS, "--model", base, "--strategy", "single") == 0
    return out


@pytest.fixture(scope="module")
def ranks(build, base, tmp_path_factory) -> tuple[Path, dict[str, list]]:
    """Trainings on two ranks, all in one launch."""
    out = tmp_path_factory.mktemp("ranks")
    common = [*COMMON, *LAYERS, "--model", str(base)]
    plans = {
        "whole": common,
        "dropout": [*common, "--lora-dropout", "0.3"],
        "stopped": [*common, "--lora-dropout", "0.3", "--stop-after", "2"],
        "resumed": [],
    }
    folders = {"resumed": "stopped"}
    if DEEPSPEED:
        for zero in ("2", "3"):
            plans[f"zero{zero}"] = [*common, "--strategy", "deepspeed", "--zero", zero, "--stop-after", "2"]
            plans[f"zero{zero} again"] = []
            folders[f"zero{zero} again"] = f"zero{zero}"
    return out, launched(build, out, plans, folders)


def used(base: Path, **changes) -> recipe.Recipe:
    return recipe.replace(recipe.INSTRUCT, model=str(base), sequence=64, lora=4, dtype="fp32", **changes)


@pytest.mark.parametrize("strategy", ["single", "fsdp2"])
def test_only_adapters_learn_and_have_a_place_in_the_optimiser(base, alone, strategy):
    one = used(base, strategy=strategy, windows=2, weight_decay=0.1)
    config = model.load_config(one, {"vocabulary": VOCABULARY, "bos": 1, "eos": 2})
    engine = make(one, config, Ranks(torch.device("cpu"), 0, 1, 0))

    def weights() -> dict[str, torch.Tensor]:
        full = {
            name: p.full_tensor() if hasattr(p, "full_tensor") else p for name, p in engine.model.named_parameters()
        }
        return {name: p.detach().clone() for name, p in full.items()}

    before = weights()
    ids = torch.randint(3, VOCABULARY, (2, 64))
    for _ in range(2):  # B is 0 at first, and A has no gradient until it is not
        places = torch.arange(64)[None].expand(2, -1)
        engine.backward(
            model.summed_loss(engine.model, {"input_ids": ids, "labels": ids, "position_ids": places}) / 126
        )
        engine.step(0.01)
    after = weights()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if lora.is_adapter(name)} and len(changed) == 2 * 2 * 2
    held = {id(p) for group in engine.optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in engine.model.parameters() if p.requires_grad} and len(held) == 8
    stored = LlamaForCausalLM.from_pretrained(base).state_dict()
    assert all(torch.equal(stored[lora.base_name(name)], p) for name, p in after.items() if not lora.is_adapter(name))


def test_it_learns_the_same_on_one_rank_and_on_two_by_every_strategy(single, ranks):
    out, statuses = ranks
    assert all(status == [0, ""] for status in statuses.values()), statuses
    assert losses(single)[-1] < losses(single)[0] - 0.01
    for name in ("whole", *(("zero2", "zero3") if DEEPSPEED else ())):
        assert losses(out / name) == pytest.approx(losses(single), rel=2e-5)
        assert losses(out / name, "grad_norm") == pytest.approx(losses(single, "grad_norm"), rel=1e-4)


def test_a_stopped_tuning_continues_bit_for_bit_on_two_ranks_with_dropout(ranks):
    out, _ = ranks
    assert curve(out / "stopped") == curve(out / "dropout") and losses(out / "dropout") != losses(out / "whole")


def test_a_stopped_tuning_continues_bit_for_bit_in_one_process(single, build, base, alone, tmp_path):
    line = ["--build", build, "--out", tmp_path]
    assert alone(*line, *COMMON, *LAYERS, "--model", base, "--strategy", "single", "--stop-after", 1) == 0
    assert alone(*line) == 0
    assert curve(tmp_path) == curve(single)


def test_adapters_are_not_put_beside_other_weights(build, base, alone, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(base, model)
    line = ["--build", build, "--out", tmp_path / "out"]
    assert alone(*line, *COMMON, "--model", model, "--stop-after", 1) == 0
    torch.manual_seed(8)
    LlamaForCausalLM(LlamaConfig.from_pretrained(base)).save_pretrained(model)
    for more in ([], ["--export-hf", tmp_path / "hf"]):
        with pytest.raises(ValueError, match="its weights are not those that these adapters were trained beside"):
            alone(*line, *more)


def test_checkpoints_hold_adapters_and_their_optimiser_alone(single, base):
    newest = checkpoint.whole(single)[-1]
    held = torch.distributed.checkpoint.FileSystemReader(newest).read_metadata().state_dict_metadata
    one = used(base, lora_layers=LAYERS[1])
    wrapped = model.empty_model(one, model.load_config(one, {"vocabulary": VOCABULARY, "bos": 1, "eos": 2}))
    sizes = {f"model.{name}": p.shape for name, p in lora.adapters(wrapped).items()}
    assert {name: tensor.size for name, tensor in held.items() if name.startswith("model.")} == sizes
    numbers = sum(tensor.size.numel() for tensor in held.values() if hasattr(tensor, "size"))
    assert numbers <= 3 * sum(shape.numel() for shape in sizes.values()) + len(held)  # AdamW keeps two of each


@pytest.fixture(scope="module")
def exported(single, build, alone, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("hf") / "merged"
    assert alone("--build", build, "--out", single, "--export-hf", target) == 0
    return target


def test_the_merged_model_has_the_logits_of_base_and_adapter(exported, base):
    ids = torch.randint(3, VOCABULARY, (3, 20))
    first = LlamaForCausalLM.from_pretrained(base).eval()
    with torch.no_grad():
        plain = first(ids).logits
        beside = peft.PeftModel.from_pretrained(first, exported / "adapter").eval()(ids).logits
        merged = AutoModelForCausalLM.from_pretrained(exported).eval()(ids).logits
    assert torch.allclose(merged, beside, atol=2e-5) and not torch.allclose(merged, plain, atol=1e-2)


def test_the_merged_model_has_the_loss_that_the_training_saw(single, exported, build, base, alone, tmp_path):
    windows = Windows(build, 64)
    batch = windows.batch(range(8))
    score = model.summed_loss(AutoModelForCausalLM.from_pretrained(exported), batch).item() / model.loss_tokens(batch)
    line = ["--build", build, "--out", tmp_path, *COMMON, "--model", exported, "--shuffle", "0", "--steps", "1"]
    assert alone(*line) == 0
    assert losses(tmp_path)[0] == pytest.approx(score, rel=1e-5)


def test_the_merged_folder_asks_as_the_build_was_counted(exported):
    tokenizer = AutoTokenizer.from_pretrained(exported)
    asked = [{"role": "user", "content": "w5 w9"}]
    assert tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=False) == [1, 5, 9]
    net = AutoModelForCausalLM.from_pretrained(exported)
    assert net.config.use_cache
    assert net.generate(torch.tensor([[1, 5, 9]]), max_new_tokens=4, do_sample=False).shape[1] > 3


@pytest.mark.skipif(not DEEPSPEED, reason="DeepSpeed is the extra 'deepspeed'")
@pytest.mark.parametrize("zero", ["zero2", "zero3"])
def test_deepspeeds_adapters_are_merged_as_well(ranks, exported, build, alone, tmp_path, zero):
    out, _ = ranks
    assert alone("--build", build, "--out", out / zero, "--export-hf", tmp_path / "hf") == 0
    one, other = (AutoModelForCausalLM.from_pretrained(folder).state_dict() for folder in (tmp_path / "hf", exported))
    assert all(torch.allclose(one[name], other[name], atol=1e-4) for name in other)


def test_labels_begin_where_the_prompt_ends(build):
    """Of every piece: none before the prompt's end, all of it after, whatever lies beside it in the window."""
    windows = Windows(build, 64)
    for k in range(len(windows)):
        window, at = windows[k], 0
        for row, start, length in windows.pieces(k).tolist():
            tokens, prompt = windows.document_tokens(row)
            assert start == 0 and prompt == 10
            labels = window["labels"][at : at + length].tolist()
            assert labels == [IGNORED] * min(prompt, length) + tokens[prompt:length].tolist()
            assert window["position_ids"][at : at + length].tolist() == list(range(length))
            at += length


def test_instructions_longer_than_a_window_are_read_up_to_its_end_or_left_out_and_counted(build):
    whole = Windows(build, 512)
    assert (whole.shortened, whole.left_out) == (0, 0)
    sizes = [len(whole.document_tokens(row)[0]) for row in range(whole.documents)]
    for sequence in (32, 10):
        windows = Windows(build, sequence)
        long = sum(size > sequence for size in sizes)
        assert (windows.shortened, windows.left_out) == ((long, 0) if sequence > 10 else (0, long))
        assert windows.tokens == sum(min(size, sequence) if sequence > 10 or size <= 10 else 0 for size in sizes)
        read = [piece for k in range(len(windows)) for piece in windows.pieces(k).tolist()]
        assert all(start == 0 and length <= sequence for _, start, length in read)
        assert len({row for row, _, _ in read}) == len(read) == len(sizes) - windows.left_out


def test_several_epochs_read_everything_as_often_in_another_order(build, base, alone, tmp_path):
    line = ["--build", build, "--out", tmp_path, *COMMON, "--model", base, "--strategy", "single"]
    count = len(Windows(build, 64))
    assert alone(*line, "--steps", 0, "--epochs", 2, "--save-every", 0, "--shuffle", 16) == 0
    read = [line["windows"] for line in curve(tmp_path) if "loss" in line]
    assert read[-1] == 2 * count
    windows = Windows(build, 64, shuffle=16)
    first, second = ([windows.place(k) for k in range(n * count, (n + 1) * count)] for n in (0, 1))
    assert sorted(first) == sorted(second) == list(range(count)) and first != second


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--lora", "8"], r"--lora 8: this training began with 4"),
        (["--lora-layers", "q_proj"], r"--lora-layers q_proj: this training began with"),
        (["--lora-layers", ","], r"--lora-layers: name the layers"),
        (["--lora", "-1"], r"must be 0 or more"),
        (["--tensor", "2"], r"--lora goes with --tensor 1"),
        (["--lora-dropout", "1"], r"--lora-dropout 1.0: a share"),
        (["--recipe", "instuct"], r"unknown --recipe 'instuct'; did you mean 'instruct'"),
    ],
)
def test_flags_that_cannot_be_are_refused_in_words(single, build, alone, flags, said):
    with pytest.raises(ValueError, match=said):
        alone("--build", build, "--out", single, *flags)


def test_layers_that_the_model_does_not_have_are_refused_with_those_that_it_has(build, base, alone, tmp_path):
    with pytest.raises(
        ValueError, match=r"--lora-layers qkv: the model has no such layers; it has down_proj, gate_proj"
    ):
        alone("--build", build, "--out", tmp_path, *COMMON, "--model", base, "--lora-layers", "qkv")


def test_the_recipe_is_the_papers():
    one = recipe.INSTRUCT
    assert (one.epochs, one.lr, one.lora > 0, one.lora_layers) == (3, 1e-5, True, "q_proj,v_proj")


def test_first_values_are_those_that_peft_would_draw():
    values = lora.first_values({"a.lora_A.default.weight": (8, 64), "a.lora_B.default.weight": (64, 8)}, 0)
    small, large = values.values()
    assert not large.any() and small.abs().max() <= 1 / 8 and small.std() == pytest.approx(1 / 8 / 3**0.5, rel=0.1)
    again = lora.first_values({"a.lora_A.default.weight": (8, 64)}, 0)
    assert torch.equal(again["a.lora_A.default.weight"], small)
