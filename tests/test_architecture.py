"""The house stands as README draws it: arrows between packages point down, and files stay small."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# package -> what it may import of ours
ARROWS = {
    "corpus": {"corpus"},
    "filters": {"filters", "corpus"},
    "pipelines": {"pipelines", "filters", "corpus"},
    "trainer": {"trainer", "corpus"},
}
# heavy or distributed libraries -> the packages that may know them
HOMES = {"ray": {"pipelines"}, "torch": {"trainer"}, "transformers": {"trainer"}, "lm_eval": {"trainer"}}
FILES = [path for package in ARROWS for path in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_point_down(path):
    package = path.relative_to(ROOT).parts[0]
    found = imports(path)
    assert not (found & set(ARROWS)) - ARROWS[package]
    for library, homes in HOMES.items():
        assert library not in found or package in homes, f"only {sorted(homes)} may import {library}"


def test_a_wrong_arrow_is_found(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import json\nfrom pipelines.mix import draw\n")
    assert "pipelines" in imports(wrong)


def test_packages_are_installed():
    listed = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for package in {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in FILES}:
        assert f'"{package}"' in listed, f"{package} is missing from packages in pyproject.toml"
