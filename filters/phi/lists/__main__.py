"""Makes the embedded lists again: see the package's docstring."""

import argparse
from pathlib import Path

from filters.phi.lists import HERE, make

parser = argparse.ArgumentParser(prog="python -m filters.phi.lists", description=__doc__)
parser.add_argument("--census", type=Path, required=True, help="folder of dist.all.last, dist.*.first")
parser.add_argument("--words", type=Path, nargs="+", required=True, help="SCOWL word lists, one word a line")
parser.add_argument("--plain", type=Path, required=True, help="a small list of common words (american-english-small)")
options = parser.parse_args()
make(options.census, options.words, options.plain)
for path in sorted(HERE.glob("*.xz")):
    print(f"{path.name}: {path.stat().st_size} bytes")
