"""README says only what is true: its commands exist, its options are all, its snippets run."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipelines import build, recipe

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = dict(re.findall(r"<!-- (pyarrow|datasets|torch) -->\n```python\n(.*?)```", README, re.S))


def test_every_module_that_is_named_is_there():
    named = set(re.findall(r"python -m (pipelines\.\w+)", README))
    assert {"pipelines.build", "pipelines.verify", "pipelines.why"} <= named
    for module in named:
        assert find_spec(module), f"README names {module}"


def test_every_option_is_in_the_table_and_no_other():
    options = {action.option_strings[0] for action in build.parser()._actions} - {"-h"}
    table = README.split("| option | meaning |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(--[a-z-]+)", table)) == options


def test_every_source_is_in_the_table():
    for stream in recipe.ME_LLAMA.streams:
        assert f"| `{stream.source.name}` | {stream.group} |" in README


def test_paths_that_are_named_are_there():
    for path in re.findall(r"`((?:corpus|filters|pipelines|trainer|tests)/[\w/.]*)`", README):
        assert (ROOT / path).exists(), path


def test_the_commands_are_the_ones_that_ci_runs():
    block = re.search(r"<!-- test -->\n```sh\n(.*?)\n```", README, re.S)
    assert block and "-m pytest" in block[1]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "README.md" in script and "<!-- test -->" in script


@pytest.mark.parametrize("name", ["pyarrow", "datasets", "torch"])
def test_snippets_run_on_a_build(name, out, tmp_path):
    if name != "pyarrow":
        pytest.importorskip(name, reason=f"{name} comes with the extra [train]")
    code = SNIPPETS[name]
    assert len(code.strip().split("\n")) <= 5
    done = subprocess.run(
        [sys.executable, "-c", code.replace("out/build", str(out / "build"))],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "HF_HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
