"""Several trainings by several ranks, one after the other, in one launch of torchrun (imports take 10 s).

Started with a JSON file: a list of command lines of trainer/run.py. Rank 0 writes their exit statuses
beside it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch.distributed as dist  # noqa: E402

from trainer import ranks, run  # noqa: E402


def launched(build: Path, out: Path, plans: Mapping[str, Sequence[str]], folders: Mapping[str, str]) -> dict:
    """Name -> (exit status, error) of trainings on two ranks; each in its folder of `out`, its own name by default."""
    lines = [["--build", str(build), "--out", str(out / folders.get(n, n)), *line] for n, line in plans.items()]
    (out / "plan.json").write_text(json.dumps(lines))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(ROOT / "tests/ranks.py"), str(out / "plan.json")], capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return dict(zip(plans, json.loads((out / "plan.done").read_text()), strict=True))


if __name__ == "__main__":
    plan = Path(sys.argv[1])
    joined = ranks.start()
    statuses = []
    for line in json.loads(plan.read_text()):
        try:
            statuses.append([run.train(run.arguments(line), joined), ""])
        except ValueError as error:
            statuses.append([2, str(error)])
        dist.barrier()
    if os.environ["RANK"] == "0":
        plan.with_suffix(".done").write_text(json.dumps(statuses))
    dist.destroy_process_group()
