"""Token ids of our engine against sentencepiece and Hugging Face tokenizers, and their speeds.

    python -m tests.bench.tokens [--raw DIR] [--tokenizer mistral-v1] [--flat MB]

Every document of the raw folder is encoded by ours and by sentencepiece and the ids compared; the
three are timed in turn on the same documents, in one thread, by CPU time. With --flat, ours encodes
that many megabytes of text with many new words and prints its memory on the way.
"""

import argparse
import random
import time
from pathlib import Path

import numpy as np
import tokenizers
from gigatoken._load.sentencepiece import sentencepiece_to_tokenizer_json

from filters import engines
from filters.tokens import load
from tests.bench.texts import documents


def seconds(work) -> float:
    """CPU seconds of one call, the better of two."""
    best = float("inf")
    for _ in range(2):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def resident() -> float:
    """Megabytes that this process holds."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1000
    return 0.0


def flat(tokenizer, megabytes: int) -> None:
    draw = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    common = ["".join(draw.choices(letters, k=draw.randrange(2, 9))) for _ in range(20_000)]
    done = 0
    while done < megabytes * 10**6:
        texts = []
        for _ in range(1000):
            # One word in five was never seen before.
            words = (
                "".join(draw.choices(letters, k=9)) if draw.random() < 0.2 else draw.choice(common) for _ in range(250)
            )
            texts.append(" ".join(words))
        tokenizer.encode_batch(texts)
        before, done = done, done + sum(map(len, texts))
        if before // 20_000_000 != done // 20_000_000:
            print(f"{done / 1e6:6.0f} MB encoded, {resident():6.0f} MB resident", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--raw", type=Path)
    parser.add_argument("--tokenizer", default="mistral-v1")
    parser.add_argument("--most", type=int, default=20_000_000, help="characters taken from each file")
    parser.add_argument("--sample", type=int, default=4_000_000, help="characters that are timed")
    parser.add_argument("--flat", type=int, default=0, metavar="MB")
    given = parser.parse_args()
    tokenizer = load(given.tokenizer)
    print(tokenizer, tokenizer.engine.name)
    if given.flat:
        flat(tokenizer, given.flat)
        return
    data = tokenizer.file.read_bytes()
    right = engines.reference(tokenizer.kind, data)
    if tokenizer.kind == "sentencepiece":
        hugging = engines.Tokenizers(
            tokenizers.Tokenizer.from_str(engines.without_special(sentencepiece_to_tokenizer_json(data)))
        )
    else:
        hugging = right

    different = count = size = 0
    sample: list[str] = []
    taken = 0
    draw = random.Random(2)
    for batch in engines.chunks([document.text for document in documents(given.raw, given.most)]):
        ours, theirs = tokenizer.encode_batch(batch), right.batch(batch)
        for row, ids in enumerate(ours):
            there = theirs[0][theirs[1][row] : theirs[1][row + 1]]
            different += not np.array_equal(np.asarray(ids), there)
        count += len(batch)
        size += sum(len(text.encode()) for text in batch)
        for text in batch:
            if taken < given.sample and draw.random() < 0.1:
                sample.append(text)
                taken += len(text)
    print(f"{count:,} documents, {size / 1e6:.1f} MB: {different} with other ids than {right.name}")

    megabytes = sum(len(text.encode()) for text in sample) / 1e6
    runs = {
        "ours": lambda: tokenizer.encode_batch(sample),
        right.name: lambda: right.batch(sample),
        "Hugging Face tokenizers": lambda: hugging.batch(sample),
    }
    rates = {name: megabytes / seconds(run) for name, run in runs.items()}
    print(f"timed on {len(sample):,} documents, {megabytes:.1f} MB, best of two, one thread")
    for name, rate in rates.items():
        print(f"{name:26} {rate:8.1f} MB/s   ours is {rates['ours'] / rate:5.1f} times as fast")


if __name__ == "__main__":
    main()
