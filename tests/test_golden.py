"""Every source makes of tests/raw what was approved: `python -m tests.golden --approve` after a look at the diff."""

import pytest

from tests.golden import SOURCES, difference


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_raw_files_become_what_was_approved(name):
    assert not difference(name), "look at the difference, and approve it by: python -m tests.golden --approve"
