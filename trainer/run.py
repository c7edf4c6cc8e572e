"""Continual pretraining, and instruction tuning, on the shards of a build.

    torchrun --nproc-per-node 2 trainer/run.py --build out/build            # a rehearsal: a tiny model, any machine
    torchrun --nproc-per-node 8 trainer/run.py --build BUILD --recipe me-llama-13b --out runs/13b
    torchrun --nproc-per-node 8 trainer/run.py --build TUNE --recipe instruct --lora 16 --model runs/13b/hf --out OUT

Tuning is the same loop on a build of the recipe `instruct`: its rows say how many leading tokens are
prompt and carry no loss, and `--lora` trains adapters alone; `--export-hf` merges them into the model.

The same command again continues from the newest checkpoint; with fewer or more processes, too.
What is read is decided by one integer, the number of windows that all ranks have read together.

One step: the windows [cursor, cursor + W) are split over ranks and forward passes; the loss is the
sum of the tokens' cross entropies over the number of loss-carrying tokens in *all* of them, so it
does not depend on how they were split.

Several machines: start the same command on each with torchrun's rendezvous, `--out` on a file system
that all of them see. A Slurm script (8 GPUs a node; a node that dies is replaced up to three times,
and the run goes on from the last checkpoint; Slurm's warning before the time is up saves and leaves):

    #SBATCH --nodes=20 --gpus-per-node=8 --ntasks-per-node=1 --signal=TERM@300 --requeue
    export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1   # else restarted workers hang (pytorch#135712)
    head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
    srun torchrun --nnodes "$SLURM_NNODES" --nproc-per-node 8 --max-restarts 3 --shutdown-timeout 240 \\
         --rdzv-backend c10d --rdzv-id "$SLURM_JOB_ID" --rdzv-endpoint "$head:29500" \\
         trainer/run.py --build BUILD --recipe me-llama-13b --attention flash_attention_2 --out runs/13b
"""

import argparse
import dataclasses
import math
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

if not __package__:  # run as a script: the packages lie beside this file's folder
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import torch
import torch.distributed as dist

from trainer import checkpoint, parallel
from trainer.checkpoint import State
from trainer.data import Windows, open_manifest, refuse_changed
from trainer.export import export
from trainer.log import Log
from trainer.model import (
    assert_documents_apart,
    base_digest,
    load_config,
    loss_tokens,
    peak_flops,
    refuse_other_base,
    size_and_flops,
    summed_loss,
)
from trainer.ranks import Leave, Ranks, start
from trainer.recipe import RECIPES, TINY, Recipe, check, differences, learning_rate, named, stretches, to_json

SPIKE_HISTORY = 128  # losses against which a spike is told, as OLMo-core's skip-step optimiser does
FIXED = (
    "model",
    "random",
    "sequence",
    "packing",
    "shuffle",
    "seed",
    "lora",
    "lora_layers",
    "lora_alpha",
)  # what a resumed run cannot change


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train on a build. Every field of the recipe is a flag.")
    parser.add_argument("--build", type=Path, required=True, help="the folder of a finished build")
    parser.add_argument("--out", type=Path, help="checkpoints and logs (default: runs/BUILD-MODEL)")
    parser.add_argument("--recipe", help=f"{', '.join(RECIPES)}, or a Python file that sets RECIPE")
    parser.add_argument("--stop-after", type=int, default=0, help="leave after this many steps; the schedule stays")
    parser.add_argument("--export-hf", type=Path, help="write the newest checkpoint for transformers, and leave")
    parser.add_argument("--wandb", metavar="PROJECT", help="log to Weights & Biases")
    for field in dataclasses.fields(Recipe):
        flag, about = f"--{field.name.replace('_', '-')}", field.metadata["about"]
        if isinstance(field.default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=about)
        else:
            parser.add_argument(flag, type=type(field.default), default=None, help=f"{about} [{field.default}]")
    return parser.parse_args(argv)


def choose_recipe(args: argparse.Namespace, before: State | None, ranks: Ranks) -> Recipe:
    """The flags, laid over the recipe asked for, or the checkpoint's, or the one that the model suggests."""
    given = {f.name: getattr(args, f.name) for f in dataclasses.fields(Recipe) if getattr(args, f.name) is not None}
    old = Recipe(**before.recipe) if before else None
    rehearsal = given.get("model", "tiny") == "tiny"
    base = named(args.recipe) if args.recipe else old or (TINY if rehearsal else Recipe())
    recipe = check(dataclasses.replace(base, **given))
    if old and (changed := [name for name in differences(old, recipe) if name in FIXED]):
        flag = changed[0].replace("_", "-")
        raise ValueError(
            f"--{flag} {getattr(recipe, changed[0])}: this training began with {getattr(old, changed[0])}; "
            "leave the flag away to continue, or begin anew with another --out"
        )
    if recipe.dtype == "auto":
        recipe = dataclasses.replace(recipe, dtype="bf16" if ranks.device.type == "cuda" else "fp32")
    return recipe


def split(recipe: Recipe, before: State | None, readers: int) -> Recipe:
    """The recipe with the windows of a step settled: kept over restarts, whatever the number of ranks."""
    kept = before.recipe["windows"] if before else recipe.batch * recipe.accumulate * readers
    windows = recipe.windows or kept
    accumulate, over = divmod(windows, recipe.batch * readers)
    if over or not accumulate:
        raise ValueError(
            f"a step reads {windows} windows, which {readers} ranks of --batch {recipe.batch} cannot share evenly: "
            f"choose a --batch so that {readers} x batch divides {windows}, or other --windows"
        )
    return dataclasses.replace(recipe, windows=windows, accumulate=accumulate)


def open_windows(
    build: Path, groups: list[str], recipe: Recipe, ranks: Ranks, cache: Path
) -> tuple[Windows, dict[str, Windows]]:
    """The build's windows, and the held-out windows of each group."""

    def windows(part: str | None) -> Windows:
        shuffle = 0 if part else recipe.shuffle
        return Windows(
            build, recipe.sequence, recipe.packing, shuffle=shuffle, seed=recipe.seed, part=part, cache=cache
        )

    if ranks.local == 0:  # one rank a machine makes the indices, the others map them
        for part in (None, *groups):
            windows(part)
    dist.barrier()
    return windows(None), {group: windows(group) for group in groups}


def my_windows(recipe: Recipe, first: int, end: int, ranks: Ranks) -> list[list[int]]:
    """This rank's windows of the step that reads [first, end): a list per forward pass; -1 stands for none."""
    size = recipe.batch
    passes = [first + (turn * ranks.readers + ranks.reader) * size for turn in range(recipe.accumulate)]
    return [[k if k < end else -1 for k in range(at, at + size)] for at in passes]


def forward(engine: parallel.Engine, batch: Mapping[str, torch.Tensor], ranks: Ranks) -> torch.Tensor:
    """The loss of a batch, summed over its tokens."""
    with engine.autocast:
        return summed_loss(engine.model, {name: held.to(ranks.device) for name, held in batch.items()})


@torch.no_grad()
def validate(engine: parallel.Engine, held_out: dict[str, Windows], recipe: Recipe, ranks: Ranks) -> dict[str, float]:
    """Mean loss per token on the first held-out windows of each group."""
    losses = {}
    engine.model.eval()
    for group, windows in held_out.items():
        end = min(len(windows), recipe.validate_windows)
        total = [0.0, 0.0]
        for first in range(0, end, recipe.batch * ranks.readers):
            batch = windows.batch(my_windows(recipe, first, end, ranks)[0])
            total = [total[0] + forward(engine, batch, ranks).item(), total[1] + loss_tokens(batch)]
        loss, tokens = ranks.summed(total)
        losses[group] = loss / max(1.0, tokens)
    engine.model.train()
    return losses


def what_is_wrong(loss: float, before: tuple[float, ...], deviations: float) -> str:
    """Why a loss should stop the training; empty when it should not."""
    if not math.isfinite(loss):
        return f"the loss is {loss}"
    if deviations and len(before) == SPIKE_HISTORY:
        mean = sum(before) / len(before)
        spread = math.sqrt(sum((x - mean) ** 2 for x in before) / len(before))
        if loss > mean + deviations * spread:
            return f"the loss {loss:.4f} stands over {deviations} deviations above the mean {mean:.4f} of the last"
    return ""


def train(args: argparse.Namespace, ranks: Ranks) -> int:
    content = open_manifest(args.build)
    # What was learned from credentialed text is for nobody else on this machine.
    before = os.umask(0o077) if content.get("restricted") else None
    try:
        return _train(args, ranks, content)
    finally:
        if before is not None:
            os.umask(before)


def _train(args: argparse.Namespace, ranks: Ranks, content: Mapping[str, Any]) -> int:
    name = Path(args.model or (named(args.recipe).model if args.recipe else "tiny")).name
    out = args.out or Path("runs") / f"{args.build.resolve().name}-{name}"
    found = checkpoint.whole(out)
    before = checkpoint.read(found[-1]) if found else None
    recipe = choose_recipe(args, before, ranks)
    config = load_config(recipe, content["tokenizer"])
    if before:
        refuse_other_base(before.base, recipe)
    if args.export_hf:
        if not found:
            raise ValueError(f"--export-hf: {out} holds no finished checkpoint; train first")
        if ranks.rank == 0:
            print(export(found[-1], args.export_hf, recipe, config, content, args.build))
        return 0

    ranks = dataclasses.replace(ranks, tensor=parallel.sharing(recipe, ranks.world))
    recipe = split(recipe, before, ranks.readers)
    groups = [each["group"] for each in content.get("heldout", []) if each["tokens"] and recipe.validate_every]
    windows, held_out = open_windows(args.build, groups, recipe, ranks, out / "index")
    engine = parallel.make(recipe, config, ranks)
    now = dataclasses.replace(State.new(windows.fingerprint, windows.groups), base=base_digest(recipe))
    if before:
        refuse_changed(before.fingerprint, windows)
        engine.load(found[-1], before)
        now = before
    if recipe.packing == "best-fit":
        # bf16 keeps 8 bits: two equal sums in another order differ by some 1 % of the largest logit.
        assert_documents_apart(engine.model, config.vocab_size, ranks.device, 0.05 if recipe.dtype == "bf16" else 1e-3)

    ahead = list(stretches(recipe, now.windows, len(windows) * recipe.epochs))
    steps = min(recipe.steps or 1 << 62, now.step + len(ahead))
    until = min(steps, now.step + args.stop_after) if args.stop_after else steps
    (parameters, trained, flops), peak = size_and_flops(recipe, config), peak_flops(ranks.device)
    log = Log(out, ranks.rank == 0, now.step, args.wandb, dataclasses.asdict(recipe))
    log.say(
        f"{recipe.model}: {parameters / 1e6:,.1f} M parameters"
        + (f", of which {trained / 1e6:,.3f} M in adapters ({recipe.lora_layers}) are trained" if recipe.lora else "")
        + f", {recipe.strategy} on {ranks.world} x "
        f"{ranks.device.type}, {recipe.dtype}\n"
        f"{args.build}: {windows.tokens:,} tokens in {len(windows):,} windows of {recipe.sequence} "
        f"({windows.tokens / len(windows) / recipe.sequence:.2%} full, {recipe.packing})\n"
        f"{'continues at' if before else 'begins at'} step {now.step} of {steps}, window {now.windows:,}; "
        f"a step reads {recipe.windows} windows ({recipe.windows * recipe.sequence:,} tokens) "
        f"in {recipe.accumulate} x {ranks.readers} x {recipe.batch}"
    )
    if windows.shortened or windows.left_out:
        log.say(
            f"instructions longer than a window: {windows.shortened:,} are read up to its length, {windows.left_out:,} "
            f"are left out, whose prompt alone fills it; --sequence makes it longer"
        )
    for key, (old, new) in differences(Recipe(**before.recipe), recipe).items() if before else ():
        log.say(f"changed since the checkpoint: {key} {old} -> {new}")
    if ranks.rank == 0:
        (out / "recipe.json").write_text(to_json(recipe))

    def save(wait: bool) -> None:
        engine.wait()
        if ranks.rank == 0:
            checkpoint.prune(out, recipe.keep)
            state = dataclasses.replace(now, world=ranks.world, recipe=dataclasses.asdict(recipe))
            checkpoint.begin(checkpoint.folder(out, now.step), state)
        dist.barrier()
        engine.save(checkpoint.folder(out, now.step), wait)

    leave, began, losses, why = Leave(), time.monotonic(), [], ""
    saved = now.step
    for start_at, end in ahead[: until - now.step]:
        started = time.monotonic()
        passes = my_windows(recipe, start_at, end, ranks)
        batches = [windows.batch(each) for each in passes]
        mine = windows.group_tokens([k for each in passes for k in each if k >= 0])
        tokens, leaving, *read = ranks.summed([sum(map(loss_tokens, batches)), leave.asked, *mine.tolist()])

        # Dropout is a function of seed, step and rank, so that no generator's state has to be kept.
        torch.manual_seed(hash((recipe.seed, now.step, ranks.reader)))
        total = 0.0
        for batch in batches:
            loss = forward(engine, batch, ranks)
            engine.backward(loss / max(1.0, tokens))
            total += loss.detach()
        loss = ranks.summed([float(total)])[0] / max(1.0, tokens)
        lr, norm = learning_rate(recipe, now.step, steps), math.nan
        why = what_is_wrong(loss, now.losses, recipe.spike)
        if not why:
            norm = engine.step(lr)
            why = "" if math.isfinite(norm) else f"the norm of the gradient is {norm}"
        if why:
            ids = sorted({id for k in range(start_at, end) for id, _, _ in windows.documents_in(k)})
            log.write(now.step + 1, event="stopped", why=why, windows=[start_at, end], documents=ids)
            log.say(
                f"step {now.step + 1}: {why}. No checkpoint holds this step. It read the windows {start_at} to "
                f"{end - 1} with {len(ids)} documents ({', '.join(ids[:8])}{', …' if len(ids) > 8 else ''}; all in "
                f"{out}/log.jsonl). See them with: python -m pipelines.trace {args.build} "
                f"--window {start_at}-{end - 1} --sequence {recipe.sequence} --packing {recipe.packing}\n"
                f"to go on without them: the same command with --skip {recipe.skip}{',' * bool(recipe.skip)}"
                f"{start_at}:{end}; to take them as they are: --spike 0"
            )
            break

        seen = {group: now.seen[group] + int(n) for group, n in zip(windows.groups, read, strict=True)}
        kept = (*now.losses, loss)[-SPIKE_HISTORY:]
        now = dataclasses.replace(now, step=now.step + 1, windows=end, seen=seen, losses=kept)
        losses.append(loss)
        seconds = time.monotonic() - started
        ratio = {group: round(100 * n / max(1, sum(seen.values())), 3) for group, n in seen.items()}
        values: dict[str, Any] = {
            "loss": loss,
            "lr": lr,
            "grad_norm": norm,
            "loss_tokens": int(tokens),
            "windows": end,
            "seconds": round(seconds, 4),
            "tokens_per_second": round(sum(read) / seconds, 1),
            "memory_gb": round(ranks.memory(), 3),
            "ratio": ratio,
        }
        if peak:
            values["mfu"] = round(sum(read) / seconds * flops / (peak * ranks.world), 4)
        log.write(now.step, **values)
        log.say(
            f"step {now.step}/{steps}  loss {loss:.4f}  lr {lr:.2e}  grad {norm:.3f}  "
            f"{sum(read) / seconds:,.0f} tok/s  {ranks.memory():.2f} GB  "
            + " ".join(f"{group} {share:.1f}%" for group, share in ratio.items())
        )
        if held_out and (now.step % recipe.validate_every == 0 or now.step == steps):
            scores = validate(engine, held_out, recipe, ranks)
            log.write(now.step, validation=scores)
            log.say("  held out: " + "  ".join(f"{group} {score:.4f}" for group, score in scores.items()))
        if leaving:
            break
        if recipe.save_every and now.step % recipe.save_every == 0 and now.step < until:
            save(wait=False)
            saved = now.step

    if saved < now.step and not why:
        save(wait=True)
    engine.wait()
    dist.barrier()
    if ranks.rank == 0:
        checkpoint.prune(out, recipe.keep)
    if not why:
        again = f"python trainer/run.py --build {args.build} --out {out}"
        log.say(
            f"{'done' if now.step == steps else 'left'} at step {now.step} of {steps} after "
            f"{time.monotonic() - began:.0f} s; "
            + (f"loss {losses[0]:.4f} -> {losses[-1]:.4f}; " if losses else "nothing was left to do; ")
            + f"checkpoint {checkpoint.folder(out, now.step)}\n"
            + (
                f"to use it: {again} --export-hf {out}/hf\nto train longer: the same command with --steps {2 * steps}"
                if now.step == steps
                else "to go on: the same command again"
            )
        )
    log.close()
    return 3 if why else 0


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    ranks = start()
    try:
        return train(args, ranks)
    except ValueError as error:
        if ranks.local == 0:  # once a machine: another may have other files
            print(f"trainer: {error}", file=sys.stderr)
        return 2
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main())
