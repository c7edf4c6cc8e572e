"""Continual pretraining on the shards of a build.

    torchrun --nproc-per-node 2 trainer/run.py --build out/build            # a rehearsal: a tiny model, any machine
    torchrun --nproc-per-node 8 trainer/run.py --build BUILD --recipe me-llama-13b --out runs/13b

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
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path

if not __package__:  # run as a script: the packages lie beside this file's folder
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import torch
import torch.distributed as dist

from corpus.files import BadInput
from trainer import checkpoint, parallel
from trainer.data import Windows, open_manifest, refuse_changed
from trainer.export import export
from trainer.log import Log
from trainer.model import (
    assert_documents_apart,
    load_config,
    loss_tokens,
    peak_flops,
    size_and_flops,
    summed_loss,
)
from trainer.recipe import RECIPES, TINY, Recipe, check, differences, learning_rate, named, to_json

SPIKE_HISTORY = 128  # losses against which a spike is told, as OLMo-core's skip-step optimiser does
FIXED = ("model", "random", "sequence", "packing", "shuffle", "seed")  # what a resumed run cannot change


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train on a build. Every field of the recipe is a flag.")
    parser.add_argument("--build", type=Path, required=True, help="the folder of a finished build")
    parser.add_argument("--out", type=Path, help="checkpoints and logs (default: runs/BUILD-MODEL)")
    parser.add_argument("--recipe", help=f"{', '.join(RECIPES)}, or a Python file that sets RECIPE")
    parser.add_argument("--stop-after", type=int, default=0, help="leave after this many steps; the schedule stays")
    parser.add_argument("--from-window", type=int, help="go on from the checkpoint, but at this window (past bad ones)")
    parser.add_argument("--export-hf", type=Path, help="write the newest checkpoint for transformers, and leave")
    parser.add_argument("--wandb", metavar="PROJECT", help="log to Weights & Biases")
    for field in dataclasses.fields(Recipe):
        flag, about = f"--{field.name.replace('_', '-')}", field.metadata["about"]
        if isinstance(field.default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=about)
        else:
            parser.add_argument(flag, type=type(field.default), default=None, help=f"{about} [{field.default}]")
    return parser.parse_args(argv)


def choose_recipe(args: argparse.Namespace, before: checkpoint.State | None) -> Recipe:
    """The flags, laid over the recipe asked for, or the checkpoint's, or the one that the model suggests."""
    given = {f.name: getattr(args, f.name) for f in dataclasses.fields(Recipe) if getattr(args, f.name) is not None}
    old = Recipe(**before.recipe) if before else None
    if args.recipe:
        base = named(args.recipe)
    elif old:
        base = old
    else:
        base = TINY if given.get("model", "tiny") == "tiny" else Recipe()
    recipe = check(dataclasses.replace(base, **given))
    if old and (changed := [name for name in differences(old, recipe) if name in FIXED]):
        raise ValueError(
            f"--{changed[0]} {getattr(recipe, changed[0])}: this training began with {getattr(old, changed[0])}; "
            "leave the flag away to continue, or begin anew with another --out"
        )
    return recipe


def split(recipe: Recipe, before: checkpoint.State | None, world: int) -> Recipe:
    """The recipe with the windows of a step settled: kept over restarts, whatever the number of ranks."""
    windows = recipe.windows or (before.recipe["windows"] if before else recipe.batch * recipe.accumulate * world)
    accumulate, over = divmod(windows, recipe.batch * world)
    if over or not accumulate:
        raise ValueError(
            f"a step reads {windows} windows, which {world} ranks of --batch {recipe.batch} cannot share evenly: "
            f"choose a --batch so that {world} x batch divides {windows}, or other --windows"
        )
    return dataclasses.replace(recipe, windows=windows, accumulate=accumulate)


def start_ranks() -> torch.device:
    """Joins torchrun's processes, or makes a group of one; returns this rank's device."""
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
    if "RANK" in os.environ:
        dist.init_process_group(backend, timeout=timedelta(minutes=30))
    else:
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
    return device


def summed(values: list[float], device: torch.device) -> list[float]:
    """Each value, summed over the ranks, in fp64."""
    held = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(held)
    return held.tolist()


def memory(device: torch.device) -> float:
    """GB held: the peak of the GPU's allocator, or this process's memory without the mapped shards."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1e6 for line in lines if line.startswith("RssAnon")), 0.0)


class Leave:
    """Set by SIGTERM (preemption), SIGUSR1 or Ctrl-C: the step is finished, a checkpoint written."""

    def __init__(self) -> None:
        self.asked = 0
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: object) -> None:
        self.asked = number
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C leaves at once


def my_windows(recipe: Recipe, cursor: int, end: int, rank: int, world: int) -> list[list[int]]:
    """This rank's windows of one step, one list per forward pass; -1 where the data has ended."""
    passes = []
    for turn in range(recipe.accumulate):
        first = cursor + (turn * world + rank) * recipe.batch
        passes.append([k if k < end else -1 for k in range(first, first + recipe.batch)])
    return passes


@torch.no_grad()
def validate(engine, held_out: dict[str, Windows], recipe: Recipe, device: torch.device) -> dict[str, float]:
    """Mean loss per token on the first held-out windows of each group."""
    world, rank, losses = dist.get_world_size(), dist.get_rank(), {}
    engine.model.eval()
    for group, windows in held_out.items():
        end = min(len(windows), recipe.validate_windows)
        total = [0.0, 0.0]
        for first in range(0, end, recipe.batch * world):
            mine = [first + rank * recipe.batch + i for i in range(recipe.batch)]
            batch = windows.batch([k if k < end else -1 for k in mine])
            with engine.autocast:
                loss = summed_loss(engine.model, {name: held.to(device) for name, held in batch.items()})
            total = [total[0] + loss.item(), total[1] + loss_tokens(batch)]
        loss, tokens = summed(total, device)
        losses[group] = loss / max(1.0, tokens)
    engine.model.train()
    return losses


def is_spike(loss: float, before: list[float], deviations: float) -> bool:
    if not deviations or len(before) < SPIKE_HISTORY:
        return False
    mean = sum(before) / len(before)
    spread = math.sqrt(sum((x - mean) ** 2 for x in before) / len(before))
    return loss > mean + deviations * spread


def write_out(args: argparse.Namespace, found: list[Path], recipe: Recipe, config, manifest) -> int:
    """--export-hf: the newest checkpoint as a folder that transformers loads."""
    if not found:
        raise ValueError("--export-hf: there is no finished checkpoint in --out; train first")
    if dist.get_rank() == 0:
        dtype = export(found[-1], args.export_hf, recipe, config, manifest, args.build)
        print(
            f"{found[-1]} -> {args.export_hf} ({dtype}); AutoModelForCausalLM.from_pretrained({str(args.export_hf)!r})"
        )
        if manifest.get("restricted"):
            print("The build holds credentialed or private text: its terms hold for these weights too.")
    return 0


def train(args: argparse.Namespace, device: torch.device) -> int:
    rank, world = dist.get_rank(), dist.get_world_size()
    manifest = open_manifest(args.build)
    name = Path(args.model or (named(args.recipe).model if args.recipe else "tiny")).name
    out = args.out or Path("runs") / f"{args.build.resolve().name}-{name}"
    found = checkpoint.whole(out)
    before = checkpoint.read(found[-1]) if found else None
    recipe = choose_recipe(args, before)
    if recipe.dtype == "auto":
        recipe = dataclasses.replace(recipe, dtype="bf16" if device.type == "cuda" else "fp32")
    config = load_config(recipe, manifest["tokenizer"])
    if args.export_hf:
        return write_out(args, found, recipe, config, manifest)
    recipe = split(recipe, before, world)
    bf16 = recipe.dtype == "bf16"

    def windows_of(part: str | None) -> Windows:
        shuffle = 0 if part else recipe.shuffle
        packed = (args.build, recipe.sequence, recipe.packing)
        return Windows(*packed, shuffle=shuffle, seed=recipe.seed, part=part, cache=out / "index")

    groups = [each["group"] for each in manifest.get("heldout", []) if each["tokens"] and recipe.validate_every]
    if int(os.environ.get("LOCAL_RANK", 0)) == 0:  # one rank a machine makes the indices, the others map them
        for part in (None, *groups):
            windows_of(part)
    dist.barrier()
    windows, held_out = windows_of(None), {group: windows_of(group) for group in groups}
    if before:
        refuse_changed(before.fingerprint, windows)

    engine = parallel.make(recipe, config, device, bf16)
    step, cursor, seen, losses = 0, 0, dict.fromkeys(windows.groups, 0), []
    if before:
        engine.load(found[-1], before)
        step, cursor, seen, losses = before.step, before.windows, dict(before.seen), list(before.losses)
    if args.from_window is not None:
        cursor = args.from_window
    if recipe.packing == "best-fit":
        assert_documents_apart(engine.model, config.vocab_size, device, 1e-1 if bf16 else 1e-3)

    end = len(windows) * recipe.epochs
    possible = step + math.ceil((end - cursor) / recipe.windows)
    steps = min(recipe.steps or possible, possible)
    (parameters, flops), peak = size_and_flops(recipe, config), peak_flops(device)
    log = Log(out, rank == 0, step, args.wandb, dataclasses.asdict(recipe))
    log.say(
        f"{recipe.model}: {parameters / 1e6:,.1f} M parameters, {recipe.strategy} on {world} x {device.type}, "
        f"{'bf16' if bf16 else 'fp32'}\n"
        f"{args.build}: {windows.tokens:,} tokens in {len(windows):,} windows of {recipe.sequence} "
        f"({windows.tokens / len(windows) / recipe.sequence:.2%} full, {recipe.packing})\n"
        f"{'continues at' if before else 'begins at'} step {step} of {steps}, window {cursor:,}; "
        f"a step reads {recipe.windows} windows ({recipe.windows * recipe.sequence:,} tokens) "
        f"in {recipe.accumulate} x {world} x {recipe.batch}"
    )
    if before:
        for key, (old, new) in differences(Recipe(**before.recipe), recipe).items():
            log.say(f"changed since the checkpoint: {key} {old} -> {new}")
    if rank == 0:
        (out / "recipe.json").write_text(to_json(recipe))

    def save(wait: bool) -> None:
        engine.wait()
        dist.barrier()
        path = checkpoint.folder(out, step)
        if rank == 0:
            checkpoint.prune(out, recipe.keep)
            state = (step, cursor, windows.fingerprint, world, dataclasses.asdict(recipe), seen, tuple(losses))
            checkpoint.begin(path, checkpoint.State(*state))
        dist.barrier()
        engine.save(path, wait)

    leave, saved, first_step, began = Leave(), step, step, time.monotonic()
    last_step = min(steps, step + args.stop_after) if args.stop_after else steps
    first_loss = loss = float("nan")
    why = ""
    while step < last_step:
        started = time.monotonic()
        passes = my_windows(recipe, cursor, end, rank, world)
        batches = [windows.batch(each) for each in passes]
        mine = windows.group_tokens([k for each in passes for k in each if k >= 0])
        tokens, asked, *read = summed([sum(map(loss_tokens, batches)), leave.asked, *mine.tolist()], device)

        torch.manual_seed(hash((recipe.seed, step, rank)))  # dropout is a function of these, so nothing is to be kept
        mine_loss = torch.zeros((), device=device)
        for batch in batches:
            with engine.autocast:
                loss_sum = summed_loss(engine.model, {name: held.to(device) for name, held in batch.items()})
            engine.backward(loss_sum / max(1.0, tokens))
            mine_loss += loss_sum.detach()
        loss = summed([mine_loss.item()], device)[0] / max(1.0, tokens)
        last = min(cursor + recipe.windows, end)
        if not math.isfinite(loss):
            why = f"the loss is {loss}"
        elif is_spike(loss, losses, recipe.spike):
            why = f"the loss {loss:.4f} stands over {recipe.spike} deviations above its last {SPIKE_HISTORY}"
        else:
            lr = learning_rate(recipe, step, steps)
            norm = engine.step(lr)
            if not math.isfinite(norm):
                why = f"the norm of the gradient is {norm}"
        if why:
            ids = sorted({id for k in range(cursor, last) for id, _, _ in windows.documents_in(k)})
            log.write(step + 1, event="stopped", why=why, windows=[cursor, last], documents=ids)
            log.say(
                f"step {step + 1}: {why}. The step was not taken. It read the windows {cursor} to {last - 1} with "
                f"{len(ids)} documents ({', '.join(ids[:8])}{', …' if len(ids) > 8 else ''}; all in {out}/log.jsonl). "
                f"See one with: python -m pipelines.why ID {args.build}. "
                f"To go on past them: the same command with --from-window {last}"
            )
            break

        step, cursor = step + 1, last
        losses = [*losses, loss][-SPIKE_HISTORY:]
        seen = {group: seen[group] + int(n) for group, n in zip(windows.groups, read, strict=True)}
        seconds = time.monotonic() - started
        rate = sum(read) / seconds
        ratio = {group: round(100 * n / max(1, sum(seen.values())), 3) for group, n in seen.items()}
        values = {
            "loss": loss,
            "lr": lr,
            "grad_norm": norm,
            "loss_tokens": int(tokens),
            "windows": cursor,
            "seconds": round(seconds, 4),
            "tokens_per_second": round(rate, 1),
            "memory_gb": round(memory(device), 3),
            "ratio": ratio,
        }
        if peak:
            values["mfu"] = round(rate * flops / (peak * world), 4)
        first_loss = loss if step == first_step + 1 else first_loss
        log.write(step, **values)
        log.say(
            f"step {step}/{steps}  loss {loss:.4f}  lr {lr:.2e}  grad {norm:.3f}  "
            f"{rate:,.0f} tok/s  {memory(device):.2f} GB  "
            + " ".join(f"{group} {share:.1f}%" for group, share in ratio.items())
        )
        if held_out and (step % recipe.validate_every == 0 or step == steps):
            scores = validate(engine, held_out, recipe, device)
            log.write(step, validation=scores)
            log.say("  held out: " + "  ".join(f"{group} {score:.4f}" for group, score in scores.items()))
        if asked:
            break
        if recipe.save_every and step % recipe.save_every == 0 and step < last_step:
            save(wait=False)
            saved = step
    if saved < step and not why:
        save(wait=True)
    engine.wait()
    dist.barrier()
    if rank == 0:
        checkpoint.prune(out, recipe.keep)
    again = f"python trainer/run.py --build {args.build} --out {out}"
    if why:
        log.close()
        return 3
    newest = checkpoint.whole(out)[-1:] if rank == 0 else []
    log.say(
        f"{'done' if step == steps else 'left'} at step {step} of {steps} after {time.monotonic() - began:.0f} s; "
        + (f"loss {first_loss:.4f} -> {loss:.4f}; " if step > first_step else "nothing was left to do; ")
        + f"checkpoint {newest[0] if newest else 'none'}\n"
        + (
            f"to use it: {again} --export-hf {out}/hf\nto train longer: the same command with --steps {2 * steps}"
            if step == steps
            else "to go on: the same command again"
        )
    )
    log.close()
    return 0


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    device = start_ranks()
    try:
        return train(args, device)
    except (ValueError, BadInput) as error:
        if int(os.environ.get("LOCAL_RANK", 0)) == 0:  # once a machine: another may have other files
            print(f"trainer: {error}", file=sys.stderr)
        return 2
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main())
