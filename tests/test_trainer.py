"""The trainer: what is read, in which order, with which numbers, and that it continues exactly."""

import hashlib
import importlib.util
import json
import math
import os
import pickle
import signal
import subprocess
import sys
from array import array
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import manifest
from corpus.document import Document
from corpus.files import BadInput
from corpus.shards import ShardWriter

torch = pytest.importorskip("torch", reason="torch is the extra 'train'")
pytest.importorskip("transformers", reason="transformers is the extra 'train'")

import torch.distributed as dist  # noqa: E402

from corpus.windows import best_fit, concat, permuted  # noqa: E402
from trainer import checkpoint, data, model, parallel, recipe, run  # noqa: E402
from trainer import ranks as processes  # noqa: E402
from trainer.data import IGNORED, Stream, Windows  # noqa: E402

from .ranks import launched  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
GROUPS = {"pubmed": "biomedical", "mimic": "clinical", "redpajama": "general"}
VOCABULARY = 600
DEEPSPEED = importlib.util.find_spec("deepspeed") is not None


def document(number: int, source: str, size: int, drawn: np.random.Generator, prompt: int = 0) -> Document:
    """BOS, words of a grammar with 20 of them (each follows from the one before), EOS: soon learned."""
    ids = [1, 3]
    while len(ids) < size - 1:
        ids.append(3 + (ids[-1] * 7 + int(drawn.integers(0, 3))) % 20)
    tokens = array("H", [*ids[: size - 1], 2])
    return Document(id=f"{source}:{number}", source=source, text="words", tokens=tokens, prompt=prompt)


def make_build(folder: Path, documents: int = 300, seed: int = 0, prompt: int = 0) -> Path:
    """A build of two shards and three held-out shards, as `pipelines.build` writes them; ratio 15:1:4 by documents."""
    drawn = np.random.default_rng(seed)
    turn = (["pubmed"] * 15 + ["mimic"] + ["redpajama"] * 4) * (documents // 20 + 1)
    sizes = np.minimum(drawn.lognormal(3.5, 0.8, documents).astype(int) + 3, 300)

    def write(path: str, held: list[Document]) -> dict:
        with ShardWriter(folder / path) as writer:
            for each in held:
                writer.add(each)
        content = (folder / path).read_bytes()
        tokens = sum(len(each.tokens or ()) for each in held)
        sha = hashlib.sha256(content).hexdigest()
        return {"path": path, "sha256": sha, "bytes": len(content), "rows": len(held), "tokens": tokens}

    (folder / "shards").mkdir(parents=True)
    (folder / "heldout").mkdir()
    made = [document(i, turn[i], int(sizes[i]), drawn, prompt) for i in range(documents)]
    cut = documents // 2
    content = {
        "format": manifest.FORMAT,
        "shards": [write("shards/00000.arrow", made[:cut]), write("shards/00001.arrow", made[cut:])],
        "heldout": [
            {"group": group, **write(f"heldout/{group}.arrow", [document(i, source, 40, drawn) for i in range(9)])}
            for source, group in GROUPS.items()
        ],
        "sources": [{"name": name, "group": group} for name, group in GROUPS.items()],
        "tokenizer": {
            "name": "made up",
            "kind": "tokenizers",
            "file": "tokenizer/tokenizer.json",
            "sha256": "0",
            "vocabulary": VOCABULARY,
            "bos": 1,
            "eos": 2,
        },
    }
    manifest.write(folder / manifest.NAME, content)
    return folder


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return make_build(tmp_path_factory.mktemp("build") / "build")


# ---- windows ----


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 70), max_size=60), st.integers(1, 32))
def test_packing_puts_every_token_into_one_window_once(lengths, sequence):
    for pack in (best_fit, concat):
        pieces, ends = pack(np.array(lengths, dtype=np.int64), sequence)
        read = [(row, start + i) for row, start, length in pieces.tolist() for i in range(length)]
        assert sorted(read) == [(row, at) for row, size in enumerate(lengths) for at in range(size)]
        assert (ends[-1] if len(ends) else 0) == len(pieces)
        filled = [int(pieces["length"][a:b].sum()) for a, b in zip([0, *ends[:-1]], ends, strict=False)]
        assert all(0 < each <= sequence for each in filled)


def test_concat_goes_on_across_blocks_of_documents():
    lengths = np.array([5, 9, 2, 7, 7])
    whole, ends = concat(lengths, 4)
    first, some = concat(lengths[:2], 4, last=False)
    second, more = concat(lengths[2:], 4, offset=14 % 4)
    second["row"] += 2
    assert np.array_equal(np.concatenate([first, second]), whole)
    assert [*some, *(more + len(first))] == ends.tolist()


def read_all(windows: Windows) -> list[tuple[str, int]]:
    found = []
    for k in range(len(windows)):
        for name, start, stop in windows.documents_in(k):
            found += [(name, at) for at in range(start, stop)]
    return found


@pytest.mark.parametrize("packing", ["best-fit", "concat"])
def test_every_token_of_a_build_is_read_once_whatever_the_blocks(tmp_path, packing, monkeypatch):
    monkeypatch.setattr("corpus.shards.BATCH_ROWS", 7)
    build = make_build(tmp_path / "build")
    total = sum(entry["tokens"] for entry in manifest.load(build)["shards"])
    for block in (2048, 3):
        monkeypatch.setattr("corpus.windows.BLOCK", block)
        read = read_all(Windows(build, 64, packing, shuffle=11))
        assert len(read) == total == len(set(read))


def test_a_window_holds_what_its_documents_say(build):
    windows = Windows(build, 64)
    tokens = {}
    for entry in manifest.load(build)["shards"]:
        for each in data.open_shard(build / entry["path"]).read_all().select(["id", "tokens"]).to_pylist():
            tokens[each["id"]] = each["tokens"]
    for k in range(len(windows)):
        window, at = {name: held.tolist() for name, held in windows[k].items()}, 0
        for name, start, stop in windows.documents_in(k):
            end = at + stop - start
            assert window["input_ids"][at:end] == tokens[name][start:stop]
            assert window["labels"][at:end] == [IGNORED, *tokens[name][start + 1 : stop]]
            assert window["position_ids"][at:end] == list(range(stop - start))
            at = end
        assert window["labels"][at:] == [IGNORED] * (64 - at)
        assert window["position_ids"][at:] == list(range(64 - at))


def test_concat_runs_across_documents_as_in_the_paper(build):
    windows = Windows(build, 64, "concat")
    for k in range(len(windows) - 1):
        window = windows[k]
        assert torch.equal(window["labels"], window["input_ids"])
        assert window["position_ids"].tolist() == list(range(64))


@pytest.mark.parametrize("packing", ["best-fit", "concat"])
def test_a_prompt_carries_no_loss(tmp_path, packing):
    windows = Windows(make_build(tmp_path / "build", 40, prompt=10), 16, packing)
    carried = 0
    for k in range(len(windows)):
        labels, at = windows[k]["labels"].tolist(), 0
        for _, start, stop in windows.documents_in(k):
            for place in range(start, stop):
                first = packing == "best-fit" and place == start
                assert (labels[at] == IGNORED) == (place < 10 or first)
                carried += labels[at] != IGNORED
                at += 1
    assert carried


def test_packing_wastes_little_and_keeps_the_ratio_of_the_stream(tmp_path):
    build = make_build(tmp_path / "build", 3000)
    windows = Windows(build, 64)
    assert windows.tokens / (len(windows) * 64) > 0.995
    whole = windows.group_tokens(range(len(windows))) / windows.tokens
    for part in range(1, 5):
        read = windows.group_tokens(range(len(windows) * part // 5))
        assert np.abs(read / read.sum() - whole).max() < 0.04


def test_the_index_is_made_once_and_the_dataset_goes_to_other_processes(build, tmp_path, monkeypatch):
    windows = Windows(build, 64, cache=tmp_path)
    monkeypatch.setattr("corpus.windows._write", None)
    again = pickle.loads(pickle.dumps(Windows(build, 64, cache=tmp_path)))
    assert all(torch.equal(windows[5][name], again[5][name]) for name in windows[5])


def test_shuffling_is_a_permutation_within_buffers_that_never_changes(build):
    for size in (1, 2, 5, 64, 100):
        assert sorted(permuted(i, size, "key") for i in range(size)) == list(range(size))
    # Another order after an upgrade would read windows again and leave others out.
    assert [permuted(i, 10, "0/0/0") for i in range(10)] == [3, 1, 6, 5, 7, 8, 4, 0, 9, 2]
    windows = Windows(build, 64, shuffle=10)
    first, second = ([windows.place(k) for k in range(e * len(windows), (e + 1) * len(windows))] for e in (0, 1))
    assert sorted(first) == sorted(second) == list(range(len(windows))) and first != second
    assert sorted(first[:10]) == list(range(10))


def test_a_stream_continues_with_another_number_of_ranks(build):
    windows = Windows(build, 64)
    read = []
    streams = [Stream(windows, rank, 2) for rank in range(2)]
    for _, *both in zip(range(10), *map(iter, streams), strict=False):
        read += both
    state = streams[0].state_dict()
    assert state["cursor"] == 20
    rest = [Stream(windows, rank, 3) for rank in range(3)]
    for stream in rest:
        stream.load_state_dict(state)
        read += list(stream)
    assert sorted(each["input_ids"].tolist() for each in read) == sorted(
        windows[k]["input_ids"].tolist() for k in range(len(windows))
    )


def test_builds_that_cannot_be_read_are_refused_in_words(build, tmp_path):
    with pytest.raises(BadInput, match=r"no manifest\.json"):
        Windows(tmp_path)
    other = make_build(tmp_path / "other", seed=1)
    state = Stream(Windows(build, 64)).state_dict()
    with pytest.raises(BadInput, match=r"is not the build .* began with .* --out"):
        Stream(Windows(other, 64)).load_state_dict(state)
    (other / "shards/00001.arrow").write_bytes(b"cut")
    with pytest.raises(BadInput, match=r"00001\.arrow has 3 bytes .* pipelines\.verify"):
        Windows(other, 64)
    (other / "shards/00001.arrow").unlink()
    with pytest.raises(BadInput, match=r"00001\.arrow is missing"):
        Windows(other, 64)


# ---- the recipe's numbers ----


def test_the_recipe_is_the_papers():
    paper = recipe.ME_LLAMA_13B
    assert (paper.lr, paper.weight_decay, paper.beta1, paper.beta2, paper.warmup) == (8e-6, 1e-5, 0.9, 0.95, 0.05)
    assert (paper.accumulate, paper.epochs, paper.sequence, paper.clip) == (16, 1, 4096, 1.0)
    assert recipe.Recipe(**json.loads(recipe.to_json(paper))) == paper


def test_the_schedule_is_transformers_cosine():
    from transformers import get_cosine_schedule_with_warmup

    used = recipe.Recipe(lr=8e-6, warmup=0.05)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=used.lr)
    schedule = get_cosine_schedule_with_warmup(optimizer, math.ceil(0.05 * 130), 130)
    for step in range(130):
        assert recipe.learning_rate(used, step, 130) == pytest.approx(schedule.get_last_lr()[0], rel=1e-12, abs=1e-20)
        optimizer.step()
        schedule.step()


TOKENIZER = {"vocabulary": VOCABULARY, "bos": 1, "eos": 2}


def tiny(**changes) -> tuple[recipe.Recipe, "torch.nn.Module"]:
    used = recipe.replace(recipe.TINY, **changes)
    return used, model.whole_model(used, model.load_config(used, TOKENIZER)).eval()


def test_the_optimiser_has_the_recipes_values_and_spares_norms():
    used, net = tiny(weight_decay=0.25)
    optimizer = parallel.adamw(net, used)
    decayed, spared = optimizer.param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.25, 0.0)
    assert decayed["betas"] == (0.9, 0.95) and decayed["eps"] == 1e-8
    names = {id(p): name for name, p in net.named_parameters()}
    assert all("norm" in names[id(p)] for p in spared["params"]) and len(spared["params"]) == 9
    assert len(decayed["params"]) + len(spared["params"]) == len(names)


def test_layers_are_found_before_and_after_sharding(alone):
    used = recipe.replace(recipe.TINY, dtype="fp32")
    config = model.load_config(used, TOKENIZER)
    assert len(model.layers(model.empty_model(used, config))) == 4
    assert len(model.layers(parallel.make(used, config, processes.Ranks(torch.device("cpu"), 0, 1, 0)).model)) == 4


def test_parameters_and_operations_are_counted_as_published():
    config = model.LlamaConfig(hidden_size=5120, intermediate_size=13824, num_hidden_layers=40, num_attention_heads=40)
    size, trained, flops = model.size_and_flops(recipe.Recipe(sequence=4096), config)
    assert size == trained == 13_015_864_320  # LLaMA-2 13B
    assert flops == pytest.approx(6 * (size - 32000 * 5120) + 12 * 40 * 5120 * 4096)


# ---- documents in a window ----


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_documents_do_not_see_each_other(build, attention):
    _, net = tiny(attention=attention)
    windows = Windows(build, 64)
    k = next(k for k in range(len(windows)) if len(windows.documents_in(k)) > 2)
    batch = windows.batch([k])
    packed = net(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits[0]
    at, total = 0, 0.0
    for _, start, stop in windows.documents_in(k):
        alone = batch["input_ids"][:, at : at + stop - start]
        logits = net(input_ids=alone, use_cache=False).logits[0].detach()
        assert torch.allclose(packed[at : at + stop - start], logits, atol=1e-5)
        total += float(torch.nn.functional.cross_entropy(logits[:-1], alone[0, 1:], reduction="sum"))
        at += stop - start
    assert model.summed_loss(net, batch).item() == pytest.approx(total, rel=1e-5)


def test_a_model_that_leaks_is_refused():
    _, net = tiny()
    model.assert_documents_apart(net, VOCABULARY, torch.device("cpu"))
    plain = net.forward
    net.forward = lambda **given: plain(**given, attention_mask=torch.ones_like(given["input_ids"]))
    with pytest.raises(ValueError, match="see each other"):
        model.assert_documents_apart(net, VOCABULARY, torch.device("cpu"))


# ---- training ----

STEPS = 6
COMMON = ["--sequence", "64", "--batch", "2", "--windows", "8", "--steps", str(STEPS), "--save-every", "2"]
COMMON += ["--lr", "0.01", "--validate-every", "3", "--validate-windows", "4"]


def curve(out: Path) -> list[dict]:
    """The lines of training steps in a log, without what depends on the clock."""
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    timed = ("seconds", "tokens_per_second", "memory_gb")
    return [{name: x for name, x in line.items() if name not in timed} for line in lines]


def losses(out: Path, name: str = "loss") -> list[float]:
    return [line[name] for line in curve(out) if name in line]


@pytest.fixture(scope="module")
def alone():
    """A process group of this process."""
    torch.set_num_threads(1)  # more only wait for each other on tensors this small
    joined = processes.start()
    yield lambda *line: run.train(run.arguments([str(each) for each in line]), joined)
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def single(build, alone, tmp_path_factory) -> Path:
    """One uninterrupted training without any parallelism: what all others are held against."""
    out = tmp_path_factory.mktemp("runs") / "single"
    assert alone("--build", build, "--out", out, *COMMON, "--strategy", "single") == 0
    return out


@pytest.fixture(scope="module")
def ranks(build, tmp_path_factory) -> tuple[Path, dict[str, tuple[int, str]]]:
    """Trainings on two ranks, all in one launch."""
    out = tmp_path_factory.mktemp("ranks")
    plans = {
        "whole": COMMON,
        "stopped": [*COMMON, "--stop-after", "3"],
        "resumed": [],
        "fewer": [*COMMON, "--stop-after", "3"],
        "recomputed": [*COMMON, "--recompute", "--stop-after", "2"],
        "tensor": [*COMMON, "--tensor", "2", "--stop-after", "3"],
        "tensor again": ["--tensor", "1"],
        "bf16": [*COMMON, "--dtype", "bf16", "--stop-after", "2"],
    }
    if DEEPSPEED:
        for zero in ("2", "3"):
            plans[f"zero{zero}"] = [*COMMON, "--strategy", "deepspeed", "--zero", zero, "--stop-after", "3"]
            plans[f"zero{zero} again"] = []
    folders = {"resumed": "stopped", "tensor again": "tensor", "zero2 again": "zero2", "zero3 again": "zero3"}
    return out, launched(build, out, plans, folders)


def test_one_process_learns_and_says_so(single):
    held = losses(single)
    assert len(held) == STEPS and held[-1] < held[0] - 0.1
    assert held[0] == pytest.approx(math.log(VOCABULARY), abs=0.1)  # a fresh model guesses
    scores = losses(single, "validation")
    assert [set(each) for each in scores] == [set(GROUPS.values())] * 2
    assert scores[1]["biomedical"] < scores[0]["biomedical"]


def test_the_log_says_what_was_read(single, build):
    windows = Windows(build, 64)
    last = [line for line in curve(single) if "loss" in line][-1]
    assert last["windows"] == STEPS * 8
    read = windows.group_tokens(range(STEPS * 8))
    for group, tokens in zip(windows.groups, read, strict=True):
        assert last["ratio"][group] == pytest.approx(100 * tokens / read.sum(), abs=1e-3)


def test_fsdp2_gives_the_same_losses_on_one_and_two_ranks(single, ranks, build, alone, tmp_path):
    out, statuses = ranks
    assert statuses["whole"] == [0, ""]
    assert alone("--build", build, "--out", tmp_path, *COMMON, "--batch", "4", "--stop-after", 3) == 0
    for name in ("loss", "grad_norm"):
        assert losses(out / "whole", name) == pytest.approx(losses(single, name), rel=2e-5)
        assert losses(tmp_path, name) == pytest.approx(losses(single, name)[:3], rel=2e-5)


@pytest.mark.skipif(not DEEPSPEED, reason="DeepSpeed is the extra 'deepspeed'")
@pytest.mark.parametrize("zero", ["zero2", "zero3"])
def test_deepspeed_gives_the_same_losses_and_continues(single, ranks, build, alone, zero):
    out, statuses = ranks
    assert statuses[zero] == [0, ""] and statuses[f"{zero} again"] == [0, ""]
    assert losses(out / zero) == pytest.approx(losses(single), rel=2e-5)
    assert losses(out / zero, "grad_norm") == pytest.approx(losses(single, "grad_norm"), rel=1e-4)
    with pytest.raises(ValueError, match=r"written by 2 ranks.*ds_to_universal"):
        alone("--build", build, "--out", out / zero, "--steps", "9")


def test_tensor_parallel_gives_the_same_losses_and_continues_without(single, ranks):
    out, statuses = ranks
    assert statuses["tensor"] == statuses["tensor again"] == [0, ""]
    for name in ("loss", "grad_norm"):
        assert losses(out / "tensor", name) == pytest.approx(losses(single, name), rel=2e-5)


def test_bf16_and_recomputation_stay_close(single, ranks):
    out, _ = ranks
    assert losses(out / "recomputed") == pytest.approx(losses(single)[:2], rel=2e-5)
    assert losses(out / "bf16") == pytest.approx(losses(single)[:2], rel=5e-3)


def test_a_stopped_training_continues_bit_for_bit_on_as_many_ranks(ranks):
    out, statuses = ranks
    assert statuses["stopped"] == statuses["resumed"] == [0, ""]
    assert curve(out / "stopped") == curve(out / "whole")


def test_a_training_on_two_ranks_continues_on_one(ranks, build, alone):
    out, _ = ranks
    assert alone("--build", build, "--out", out / "fewer") == 0
    assert losses(out / "fewer") == pytest.approx(losses(out / "whole"), rel=1e-5)
    assert [line["windows"] for line in curve(out / "fewer") if "loss" in line] == [8 * (i + 1) for i in range(STEPS)]


def test_after_kill_9_the_same_command_goes_on_bit_for_bit(build, alone, tmp_path):
    """Killed as a process, and once more in the middle of writing a checkpoint."""
    line = ["--build", str(build), "--out", str(tmp_path / "killed"), *COMMON]
    command, one_thread = [sys.executable, str(ROOT / "trainer/run.py"), *line], {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=one_thread)
    for said in process.stdout:
        if said.startswith("step 4/"):
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    whole = checkpoint.whole(tmp_path / "killed")
    assert whole and whole[0].name == "step-00000002"
    torn = checkpoint.folder(tmp_path / "killed", 5)  # as a kill within a save leaves it
    torn.mkdir()
    for part in whole[0].iterdir():
        if part.name != ".metadata":
            (torn / part.name).write_bytes(part.read_bytes()[: part.stat().st_size // 2])
    assert alone(*line) == 0
    assert alone("--build", build, "--out", tmp_path / "whole", *COMMON) == 0
    assert curve(tmp_path / "killed") == curve(tmp_path / "whole")


def test_asked_to_leave_it_saves_and_leaves(build, alone, tmp_path, monkeypatch, capsys):
    plain = run.Log.write

    def write(self, step, **values):
        plain(self, step, **values)
        if step == 2 and "loss" in values:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(run.Log, "write", write)
    assert alone("--build", build, "--out", tmp_path, *COMMON, "--save-every", 0) == 0
    left = checkpoint.whole(tmp_path)
    assert [checkpoint.read(each).step for each in left] == [3]
    assert "left at step 3 of 6" in capsys.readouterr().out


def test_a_broken_loss_stops_and_names_windows_and_documents(build, alone, tmp_path, capsys):
    flags = ["--lr", "1e30", "--clip", "0", "--warmup", "0", "--save-every", "0"]
    assert alone("--build", build, "--out", tmp_path, *COMMON, *flags) == 3
    last = curve(tmp_path)[-1]
    windows = Windows(build, 64)
    first, end = last["windows"]
    assert end - first == 8
    assert last["documents"] == sorted({name for k in range(first, end) for name, _, _ in windows.documents_in(k)})
    assert f"--skip {first}:{end}" in capsys.readouterr().out
    assert not checkpoint.whole(tmp_path)


def test_skipped_windows_are_left_out_and_nothing_else():
    used = recipe.Recipe(windows=8, skip="16:24,3:5")
    assert list(recipe.stretches(used, 0, 35)) == [(0, 3), (5, 13), (13, 16), (24, 32), (32, 35)]
    assert list(recipe.stretches(used, 20, 24)) == []
    with pytest.raises(ValueError, match="--skip 5: expected FIRST:END"):
        recipe.check(recipe.Recipe(skip="5"))


def test_a_spike_is_told_from_noise():
    before = tuple(2.0 + 0.01 * (i % 3) for i in range(run.SPIKE_HISTORY))
    assert not run.what_is_wrong(2.03, before, 6.0)
    assert "2.2000 stands over 6.0 deviations" in run.what_is_wrong(2.2, before, 6.0)
    assert not run.what_is_wrong(2.2, before, 0.0)
    assert not run.what_is_wrong(9.9, before[1:], 6.0)  # too little was seen
    assert run.what_is_wrong(math.nan, (), 0.0) == "the loss is nan"


def test_the_last_step_reads_what_is_left(build, alone, tmp_path):
    windows = Windows(build, 64)
    size = len(windows) - 3  # two steps: all but three windows, and three on four places
    flags = ["--sequence", "64", "--batch", str(size), "--accumulate", "1", "--validate-every", "0"]
    assert alone("--build", build, "--out", tmp_path, *flags, "--model", "tiny", "--steps", "0") == 0
    assert [line["windows"] for line in curve(tmp_path)] == [size, len(windows)]
    expected = [
        sum(model.loss_tokens(windows.batch([k])) for k in part) for part in (range(size), range(size, size + 3))
    ]
    assert losses(tmp_path, "loss_tokens") == expected


def test_old_checkpoints_go_and_finished_trainings_say_so(single, build, alone, capsys):
    assert [each.name for each in checkpoint.whole(single)] == [f"step-{n:08d}" for n in (2, 4, 6)]
    assert alone("--build", build, "--out", single, "--keep", 2) == 0
    assert "nothing was left to do" in capsys.readouterr().out
    assert [each.name for each in checkpoint.whole(single)] == [f"step-{n:08d}" for n in (4, 6)]


def test_what_is_written_for_transformers_has_the_trained_weights(single, build, alone, tmp_path):
    import tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    words = {"<unk>": 0, "<s>": 1, "</s>": 2, **{f"w{i}": i for i in range(3, VOCABULARY)}}
    plain = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    plain.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    (build / "tokenizer").mkdir(exist_ok=True)
    plain.save(str(build / "tokenizer/tokenizer.json"))
    assert alone("--build", build, "--out", single, "--export-hf", tmp_path / "hf") == 0
    net = AutoModelForCausalLM.from_pretrained(tmp_path / "hf")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "hf")
    assert tokenizer("w5 w9")["input_ids"] == [1, 5, 9] and tokenizer.eos_token_id == 2
    windows = Windows(build, 64, part="general")
    batch = windows.batch(range(4))
    score = model.summed_loss(net, batch).item() / model.loss_tokens(batch)
    assert score == pytest.approx(losses(single, "validation")[-1]["general"], rel=1e-5)
    # and another training begins from there
    begun = tmp_path / "begun"
    line = ["--build", build, "--out", begun, *COMMON, "--model", tmp_path / "hf", "--lr", "1e-5", "--stop-after", 1]
    assert alone(*line) == 0
    assert losses(begun)[0] < losses(single)[0] - 0.1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--packing", "best"], r"--packing best: must be one of best-fit, concat"),
        (
            ["--recipe", "me-llama"],
            r"unknown --recipe 'me-llama'; did you mean 'me-llama-..b'\? Known are tiny, me-llama-13b",
        ),
        (["--windows", "7"], r"reads 7 windows, which 1 ranks of --batch 2 cannot share"),
        (["--sequence", "128"], r"--sequence 128: this training began with 64"),
        (["--tensor", "2"], r"--tensor 2 goes with --strategy fsdp2, not with single"),
        (["--tensor", "2", "--strategy", "fsdp2"], r"--tensor 2: 1 ranks cannot"),
        (["--warmup", "5"], r"--warmup 5.0: a share"),
        (["--export-hf", str(ROOT / "trainer")], r"is not empty"),
    ],
)
def test_flags_that_cannot_be_are_refused_in_words(single, build, alone, flags, said):
    with pytest.raises(ValueError, match=said):
        alone("--build", build, "--out", single, *flags)


def test_another_build_is_refused(single, alone, tmp_path):
    with pytest.raises(ValueError, match="is not the build that this training began with"):
        alone("--build", make_build(tmp_path / "other", seed=1), "--out", single)


def test_what_was_learned_from_restricted_text_is_private(alone, tmp_path):
    build = make_build(tmp_path / "build", 40)
    manifest.write(build / manifest.NAME, {**manifest.load(build), "restricted": True})
    before = os.umask(0o022)
    try:
        assert alone("--build", build, "--out", tmp_path / "out", *COMMON, "--stop-after", 1) == 0
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0


def test_a_model_that_is_not_there_is_refused_in_words(build, alone, tmp_path):
    with pytest.raises(ValueError, match=r"--model .*: no folder with a config\.json"):
        alone("--build", build, "--out", tmp_path / "out", "--model", tmp_path)


def test_a_model_with_fewer_token_ids_than_the_build_is_refused():
    config = model.LlamaConfig(vocab_size=100)
    used = recipe.Recipe(model="small")
    model.AutoConfig.from_pretrained, plain = (lambda name: config), model.AutoConfig.from_pretrained
    try:
        with pytest.raises(ValueError, match=r"small knows 100 token ids, the build was counted with 600"):
            model.load_config(used, TOKENIZER)
    finally:
        model.AutoConfig.from_pretrained = plain
