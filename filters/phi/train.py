"""Trains the names model: `python -m filters.phi.train` (needs python-crfsuite; about two minutes).

The notes are made up (filters/phi/written.py), so what is embedded can be made again by anybody.
"""

import argparse
import json
import lzma
import tempfile
from pathlib import Path

from filters.phi import model
from filters.phi.written import Writer


def labelled(line: str, spans: list[tuple[int, int]]) -> tuple[list[str], list[str]]:
    """The words of a line and their labels."""
    tokens, labels = [], []
    for found in model.TOKEN.finditer(line):
        inside = next((span for span in spans if span[0] <= found.start() < span[1]), None)
        tokens.append(found[0])
        labels.append("O" if inside is None else "B" if found.start() == inside[0] else "I")
    return tokens, labels


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m filters.phi.train", description=__doc__)
    parser.add_argument("--lines", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=70, help="of L-BFGS")
    parser.add_argument("--out", type=Path, default=model.FILE)
    options = parser.parse_args()
    import pycrfsuite

    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
    trainer.set_params({"c1": 0.6, "c2": 0.02, "max_iterations": options.rounds, "feature.minfreq": 3})
    for line, spans in Writer(options.seed).lines(options.lines):
        tokens, labels = labelled(line, spans)
        trainer.append(model.features(tokens), labels)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "names.crf")
        trainer.train(path)
        tagger = pycrfsuite.Tagger()
        tagger.open(path)
        info = tagger.info()
    state: dict[str, list[float]] = {}
    for (name, label), weight in info.state_features.items():
        state.setdefault(name, [0.0, 0.0, 0.0])[model.LABELS.index(label)] = round(weight, 3)
    moves = [[round(info.transitions.get((a, b), -20.0), 3) for b in model.LABELS] for a in model.LABELS]
    body = json.dumps({"state": dict(sorted(state.items())), "moves": moves}, separators=(",", ":"))
    options.out.write_bytes(lzma.compress(body.encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{len(state)} features, {options.out.stat().st_size} bytes in {options.out}")
    print(report(Writer(options.seed + 1), 5000, options.out))


def report(writer: Writer, lines: int, path: Path) -> str:
    """Recall and precision by words on made-up lines that were not trained on."""
    body = json.loads(lzma.decompress(path.read_bytes()))
    decoder = model.Model(body["state"], body["moves"])
    right = found = true = 0
    for line, spans in writer.lines(lines):
        tokens, labels = labelled(line, spans)
        for guess, label in zip(decoder.decode(tokens), labels, strict=True):
            right += guess > 0 and label != "O"
            found += guess > 0
            true += label != "O"
    return f"words of names on {lines} other lines: recall {right / true:.4f}, precision {right / found:.4f}"


if __name__ == "__main__":
    main()
