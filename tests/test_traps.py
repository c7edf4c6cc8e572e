"""Every trap of the list has a test, and every test that the list names is there."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests import traps

ROOT = Path(__file__).parent.parent


@cache
def named_in(path: Path) -> frozenset[str]:
    """Names of the tests of a file that nothing skips or expects to fail."""
    held = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        marks = " ".join(map(ast.unparse, getattr(node, "decorator_list", [])))
        if isinstance(node, ast.FunctionDef) and not ("skip" in marks or "xfail" in marks):
            held.add(node.name)
    return frozenset(held)


def test_the_list_is_whole():
    assert sorted(traps.TRAPS) == list(range(1, 62))


@pytest.mark.parametrize("number", sorted(traps.TRAPS))
def test_a_trap_is_held(number):
    trap, named = traps.TRAPS[number]
    assert trap and named
    for test in named:
        file, _, name = test.partition("::")
        assert name in named_in(ROOT / file), f"trap {number}: there is no test {test}"


def test_the_list_is_printed(capsys):
    assert traps.main() == 0
    printed = capsys.readouterr().out
    assert printed.count("\n") > 2 * 61 and " 47  a greedy pattern" in printed
