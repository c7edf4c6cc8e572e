"""One build of the miniature world, which every test that needs a build shares; nobody changes it."""

from pathlib import Path

import pytest

from corpus import manifest
from pipelines import build as command

MIX = ("--mix", "15:1:4")


@pytest.fixture(scope="session")
def out(tmp_path_factory) -> Path:
    """Where a build of the miniature world lies, made by one worker in this process."""
    out = tmp_path_factory.mktemp("world")
    assert command.main([*MIX, "--out", str(out), "--workers", "1"]) == 0
    return out


@pytest.fixture(scope="session")
def built(out) -> Path:
    return (out / "build").resolve()


@pytest.fixture(scope="session")
def content(built):
    return manifest.load(built)
