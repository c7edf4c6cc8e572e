"""What a build would read and what each group can give, before it is made.

Files that were sifted and counted already are known exactly. Of each other source, its smallest
files are sifted (they are layers of the build to come, nothing is wasted) and the rest is
estimated from their tokens per byte.
"""

from collections.abc import Sequence
from pathlib import Path

from pipelines import counts, finish, mix, stages
from pipelines.progress import amount
from pipelines.sift import lengths

SAMPLE = 16 << 20  # bytes of raw files to sift per source: tens of seconds on one core


def told(order: stages.Order, out: Path, folder: Path | None) -> str:
    """The plan in words; impossible requests say what to change, as the build itself would."""
    inputs = stages.route(order, out, stages.gather(order, out, folder))
    sample = _sample(inputs)
    stages.sifted(sample, order)
    counts.make(order, sample, out)
    lines = [f"{order.recipe.name}, mix {order.asked}: would read"]
    sources = {}
    exact = True
    for stream in order.recipe.streams:
        name = stream.source.name
        mine = [i for i in inputs if i.stream.source.name == name]
        if not mine:
            continue
        known = [i for i in mine if i.tokens.exists()]
        bytes_all, bytes_known = (sum(i.raw.bytes for i in some) for some in (mine, known))
        tokens = sum(int(lengths(i.tokens).sum()) for i in known)
        whole = len(known) == len(mine)
        exact &= whole
        guess = tokens if whole else int(tokens / max(bytes_known, 1) * bytes_all)
        sources[name] = (stream.group, guess, stream.cap)
        source_line = (
            f"  {name}: {len(mine)} files, {amount(bytes_all, 'B')} -> {amount(guess)} tokens of {stream.group}"
        )
        lines.append(source_line + (" (counted)" if whole else f" (estimated from {len(known)} files)"))
    strands = mix.strands(order.weights, order.recipe.shares, sources)
    entries, _ = stages.resolved(inputs, order, out) if exact and _resolved(inputs, order, out) else ([], None)
    if entries:
        stock = finish.Stock.of(stages.indexed(entries, order, out, stages.build_key(order, inputs)))
        strands = finish.strands_of(order, entries, stock)
        lines.append("duplicates and held-out documents are taken off already")
    else:
        lines.append("before duplicates and held-out documents are taken off")
    lines += _also(order, inputs, out)
    size = mix.budget(strands, order.tokens, order.asked)
    lines += [f"  {line}" for line in mix.told(strands, size)]
    lines.append(f"the ratio can be met with {amount(size)} tokens; the most is {amount(mix.largest(strands))}")
    return "\n".join(lines)


def _also(order: stages.Order, inputs: Sequence[stages.Input], out: Path) -> list[str]:
    """Tokens of each source by the tokenizers of --count-with, from what was counted of it."""
    lines = []
    lying = list(zip(inputs, counts.paths(order, inputs, out), strict=False))
    for name in [tokenizer.name for tokenizer in order.also.tokenizers] if order.also else []:
        guesses = []
        for source in dict.fromkeys(i.stream.source.name for i in inputs):
            mine = [(i, path) for i, path in lying if i.stream.source.name == source]
            known = [(i.raw.bytes, int(counts.table(path)[name].sum())) for i, path in mine if path.exists()]
            part = sum(i.raw.bytes for i, _ in mine) / max(1, sum(bytes for bytes, _ in known))
            guesses.append(f"{source} {amount(int(part * sum(tokens for _, tokens in known)))}")
        lines.append(f"  counted with {name}: {', '.join(guesses)}")
    return lines


def _resolved(inputs: Sequence[stages.Input], order: stages.Order, out: Path) -> bool:
    return (stages.verdicts(inputs, order, out) / "summary.json").exists()


def _sample(inputs: Sequence[stages.Input]) -> list[stages.Input]:
    """The smallest files of each source, at least one, up to SAMPLE bytes of a source."""
    chosen = []
    taken: dict[str, int] = {}
    for i in sorted(inputs, key=lambda i: (i.raw.bytes, i.raw.name)):
        name = i.stream.source.name
        if name not in taken or taken[name] + i.raw.bytes <= SAMPLE:
            taken[name] = taken.get(name, 0) + i.raw.bytes
            chosen.append(i)
    return chosen
