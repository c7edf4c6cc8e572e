"""What the engine promises: results in order, failures told together, finished files kept."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from corpus.files import BadInput
from pipelines import layer
from pipelines.layer import Layer, run


def half(number: int) -> int:
    if number % 2:
        raise BadInput(f"file {number} is odd")
    return number // 2


def test_results_stand_in_the_order_of_the_jobs():
    assert run(half, [(4,), (2,), (8,)], "halving", weights=[1, 3, 2]) == [2, 1, 4]


def test_a_bad_file_does_not_stop_the_others(tmp_path):
    def make(number: int) -> None:
        half(number)
        (tmp_path / str(number)).touch()

    with pytest.raises(BadInput, match="2 of 4 files could not be used:\n- file 1 is odd\n- file 3 is odd"):
        run(make, [(1,), (2,), (3,), (4,)], "making")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "4"]


def test_a_fault_of_ours_stops_at_once():
    def broken(number: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(broken, [(1,)], "breaking")


def test_names_say_what_made_a_file(tmp_path):
    one, other = Layer(tmp_path, "sift", "Sift(a)"), Layer(tmp_path, "sift", "Sift(b)")
    assert one.folder != other.folder
    assert one.path("x/y z.xml", "sha256:1").name.startswith("x_y_z.xml-")
    assert one.path("x.xml", "sha256:1") != one.path("x.xml", "sha256:2")
    assert one.path("a/b.xml", "sha256:1") != one.path("a_b.xml", "sha256:1")
    assert one.key("sha256:1") != other.key("sha256:1")


RAY = """
from pathlib import Path
import shutil, sys
from corpus.files import BadInput
from pipelines import layer
layer.start(2)
moved = layer.run(shutil.copyfile, [(Path(sys.argv[1]), Path(sys.argv[1] + str(n))) for n in range(9)], "copy")
assert [path.name[-1] for path in moved] == list("012345678"), moved
try:
    layer.run(shutil.copyfile, [(Path("/nowhere/a"), Path("/nowhere/b"))], "copy")
except FileNotFoundError as error:
    print("raised as it was:", type(error).__name__)
try:
    layer.run(int, [("1",), ("x",)], "numbers")
except ValueError as error:
    print("told:", error)
layer.stop()
"""


def test_ray_gives_the_same_results_and_the_same_errors(tmp_path):
    source = tmp_path / "file"
    source.write_bytes(b"whole")
    done = subprocess.run(
        [sys.executable, "-c", RAY, str(source)],
        capture_output=True,
        text=True,
        cwd=Path(layer.__file__).parent.parent,
        env={**os.environ, "RAY_ADDRESS": "127.0.0.1:1"},  # a cluster that nobody asked for is not joined
    )
    assert done.returncode == 0, done.stderr
    assert "raised as it was: FileNotFoundError" in done.stdout
    assert "told: invalid literal for int() with base 10: 'x'" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", *(f"file{n}" for n in range(9))]


def test_an_absent_cluster_is_named(monkeypatch):
    def nobody(**_):
        raise ConnectionError("no node")

    monkeypatch.setattr(layer.ray, "init", nobody)
    with pytest.raises(ValueError, match="no Ray cluster answers at 'auto'"):
        layer.start(2, "auto")
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"no Ray cluster answers at '127\.0\.0\.1:9' .*refused"):
        layer.start(2, "127.0.0.1:9")
    with pytest.raises(ValueError, match=r"no Ray cluster answers at 'ray://\[::1\]:9'"):
        layer.start(2, "ray://[::1]:9")
