"""What articles and records say arrives whole: floors over the self-made raw files, never lowered in silence.

`python -m tests.bench.fidelity FOLDER` measures the same over any folder of real files.
"""

import hashlib
from pathlib import Path

import pytest

from tests.bench.fidelity import measured, shared, words

RAW = Path(__file__).parent / "raw"
# file -> digest of the bytes that the figures were measured on, least share that arrives, most that is foreign
FLOORS = {
    "pmc/PMC9000101.1/PMC9000101.1.xml": ("bd8564a57e75", 1.0, 0.0043),
    "pmc/sets/efetch.xml": ("aedfbdc93447", 1.0, 0.0),
    "pubmed/baseline/pubmed26n0001.xml": ("d7847a3baca7", 1.0, 0.0),
    "pubmed/updatefiles/pubmed26n0002.xml": ("a52daca31659", 1.0, 0.0),
}


@pytest.mark.parametrize("name", sorted(FLOORS))
def test_nothing_is_lost_and_nothing_is_made_up(name):
    digest, least, most = FLOORS[name]
    found = hashlib.sha256((RAW / name).read_bytes()).hexdigest()[:12]
    assert found == digest, "these raw files changed: measure again, and pin figures and digest together"
    score = measured(RAW / name)
    assert score.documents and score.own
    assert score.arrived / score.own >= least
    assert score.foreign / score.said <= most


def test_the_measure_sees_losses_additions_order_and_glued_words():
    said = words("Cells take up CO₂ at 10⁻³ mol.")
    assert shared(said, said) == sum(map(len, said))
    assert shared(said, words("Cells take CO2 at 10-3 mol.")) == sum(map(len, said)) - len("up")
    assert shared(said, words("up take Cells")) == len("Cells")
    assert shared(said, words("Cells takeup CO2")) == len("Cells") + len("CO2")
    assert words("10^0.5 and x_i") == words("10<sup>0.5</sup>".replace("<sup>", "").replace("</sup>", "") + " and xi")
