"""Started by torchrun in tests: several trainings, one after the other, in one launch (imports take 10 s).

The only argument is a JSON file: a list of command lines of trainer/run.py. Rank 0 writes their
exit statuses beside it.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch.distributed as dist

from trainer import ranks, run

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
