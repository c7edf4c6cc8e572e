"""What every filter promises, and what each of them is for."""

import pickle
import random
import re
from dataclasses import FrozenInstanceError, fields

import ftfy
import pytest
from datatrove.data import Document as Theirs
from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter
from hypothesis import example, given
from hypothesis import strategies as st

from corpus.document import Document, Drop
from filters import text
from filters.answered import Answered
from filters.gopher import Datatrove, GopherQuality, GopherRepetition
from filters.language import Language
from filters.publication import Publication
from filters.quality import Quality
from filters.text import Repair
from filters.tokens import Count, Tokens
from filters.words import Words, split
from tests import profiles  # noqa: F401 (chooses how many examples)

FILTERS = (
    Publication(),
    Repair(),
    Language(),
    Language(keep=("en", "es"), min_chars=20),
    Quality(),
    Quality.abstracts(),
    Quality.papers(),
    Quality.notes(),
    Quality.code(),
    Quality.web(),
    Quality.instructions(),
    Answered(),
    GopherQuality(),
    GopherQuality.web(),
    GopherQuality.papers(words="regex"),
    GopherRepetition(),
    GopherRepetition.web(),
    GopherRepetition.papers(words="regex"),
    Datatrove("GopherRepetitionFilter", (("language", "space"),)),
    Tokens.named("mistral-v1"),
    Count.named(["mistral-v1"]),
)
KINDS = (
    "fulltext",
    "abstract",
    "title",
    "note",
    "report",
    "web",
    "paper",
    "code",
    "qa",
    "guideline",
    "instruction",
    "conversation",
)

# Prose, litter and what breaks decoders, in pieces that make words, lines and paragraphs.
PIECES = (
    *("the ", "patient ", "was ", "admitted ", "with ", "dyspnoea ", "and ", "fever. ", "12.5 ", "mg/dL ", "p < 0.05 "),
    *(
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        "\t",
        "  ",
        "- item\n",
        "• item\n",
        "...",
        "…\n",
        "#",
        "| 4 | 5 |\n",
        "(",
        ") ",
        "— ",
    ),
    *("&nbsp;", "&lt;", "&amp;amp;", "&shy;", "Ã©", "â€œ", "Â ", "\x9bº\r\x80", "\x85", "\u2028", "\x00", "\x1b[31m"),
    *("\u00ad", "\u200b", "\u200d", "\ufeff", "\u00a0", "\uf0b7", "\uf06d", "ﬁ", "Ａ", "e\u0301", "\ud83d", "\udca9"),
    *("m²", "±", "µm ", "α", "“quoted” ", "el paciente fue ingresado con dolor ", "и ", "中文", "<s>", "ACGTACGTACGT"),
)
TEXTS = st.lists(st.sampled_from(PIECES) | st.characters(), max_size=60).map("".join)


def document(content: str, kind: str | None = None, **meta) -> Document:
    return Document("test:1", "test", content, meta={"kind": kind, **meta} if kind else meta)


@pytest.mark.parametrize("filter", FILTERS, ids=lambda filter: repr(filter)[:50])
def test_a_filter_is_a_value(filter):
    again = pickle.loads(pickle.dumps(filter))
    assert again == filter
    assert hash(again) == hash(filter)
    assert repr(again) == repr(filter)
    assert isinstance(filter.version, int)
    with pytest.raises(FrozenInstanceError):
        filter.version = 9
    # What names the folder of a layer must be the same on every machine and in every process.
    assert "/" not in repr(filter).replace("mg/dL", "")
    assert " at 0x" not in repr(filter)
    assert all(field.name in repr(filter) for field in fields(filter))


@pytest.mark.parametrize("filter", FILTERS, ids=lambda filter: repr(filter)[:50])
@given(content=TEXTS, kind=st.sampled_from(KINDS))
def test_a_filter_is_deterministic_and_settles(filter, content, kind):
    before = Repair()(document(content, kind)) if not isinstance(filter, Repair) else document(content, kind)
    assert isinstance(before, Document)
    copy = pickle.loads(pickle.dumps(before))
    found = filter(before)
    assert before == copy, "a filter changes no document in place"
    assert pickle.loads(pickle.dumps(filter))(copy) == found
    assert all(isinstance(value, int | float | str) for value in found.marks.values())
    if isinstance(found, Drop):
        assert re.fullmatch(r"[a-z_]+(\.[a-z0-9_]+)+", found.reason)
        assert len(found.detail) < 120
    else:
        assert (found.id, found.source, found.meta) == (before.id, before.source, before.meta)
        assert filter(found) == found


def test_every_filter_of_the_recipes_is_held_to_this():
    from pipelines.recipe import RECIPES

    used = {type(filter) for recipe in RECIPES.values() for stream in recipe.streams for filter in stream.filters}
    held = {type(filter) for filter in FILTERS}
    assert {each.__name__ for each in used - held} <= {"Deid", "Contamination"}, (
        "these have contract tests of their own"
    )


# Text


@given(TEXTS, st.booleans())
def test_the_shortcut_of_repair_is_exact(content, entities):
    content = content.replace("\r", "\n")
    expected = "\n".join(ftfy.fix_text(line, text._config(entities)) for line in content.split("\n"))
    assert text.mend(content, entities) == expected


@given(TEXTS, st.sampled_from(KINDS))
def test_repaired_text_can_be_written(content, kind):
    repaired = Repair()(document(content, kind)).text
    repaired.encode()
    assert not {"\x00", "\r", "\ufeff", "\x1b"} & set(repaired)


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("5 mmol, 2 m²", "5 mmol, 2 m²"),
        ("“It’s” — ‘so’", "“It’s” — ‘so’"),
        ("schÃ¶n, naÃ¯ve", "schön, naïve"),
        ("don\x92t\x85 ok", "don’t… ok"),
        ("a\r\nb\rc\u2028d\u2029e\x0cf", "a\nb\nc\nd\ne\nf"),
        ("mam\u00admo\u00ad\ngraphy", "mammography"),
        ("zero\u200bwidth\ufeff \u200eleft", "zerowidth left"),
        ("5\u00a0mg\u2009of\u202fit", "5 mg of it"),
        ("\uf0b7 first\n\uf0a7 second, 5 \uf06dm", "• first\n▪ second, 5 μm"),
        ("\x00nul\x08 and \x7f", "nul and"),
        ("Fe\u0301 \ufb01ne \uff21", "Fé fine A"),
        ("mean \u2329x\u232a of \u2062k", "mean ⟨x⟩ of k"),
        ("a&nbsp;&lt; b &amp;amp; H&E; AT&T", "a < b & H&E; AT&T"),
        ("line  \n\t\nend \n", "line\n\nend"),
        ("a\n\n\n\n\n\nb", "a\n\n\nb"),
        ("\n\n  indented", "  indented"),
        ("\ud83d\udca9 \ud83d", "💩 \ufffd"),
        ("👨\u200d👩 a\u200db", "👨\u200d👩 ab"),
        ("", ""),
    ],
)
def test_repair(broken, whole):
    assert Repair()(document(broken, "abstract")).text == whole


def test_repair_settles_where_ftfy_alone_does_not():
    """Line ends are settled before anything is judged by its line."""
    broken = "\x9bº\r\x80"
    assert ftfy.fix_text(ftfy.fix_text(broken)) != ftfy.fix_text(broken)
    once = Repair()(document(broken))
    assert Repair()(once) == once


def test_repair_leaves_code_and_latex_alone():
    code = 'def f(x):\n\tif x:\n        return "&nbsp;Ã©\u00a0“”"  # \u200b ﬁ'
    assert Repair()(document(code, "code")).text == code
    assert Repair()(document("x = 1 \r\n\x00y\ufeff\n\n\n\n\nz", "code")).text == "x = 1\ny\n\n\nz"
    latex = "\\begin{tabular}{ll}\n  a & b \\\\\n  $x < y$ &amp; `quoted' ---\n\\end{tabular}"
    assert Repair()(document(latex, "paper")).text == latex


def test_a_mainframe_s_line_ends_are_line_ends_in_notes():
    assert Repair()(document("one\x85two", "note")).text == "one\ntwo"
    assert Repair()(document("one\x85two", "web")).text == "one…two"


def test_text_that_needs_nothing_is_the_same_document():
    whole = document("Nothing to mend here: 5 µm, “quoted”.\n\n\tDone", "abstract")
    assert Repair()(whole) is whole


# Language

ENGLISH = "The patients were randomly assigned to receive either the drug or placebo for twelve weeks. "
SPANISH = "Los pacientes fueron asignados al azar para recibir el fármaco o el placebo durante doce semanas. "


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (ENGLISH * 5, True),
        (SPANISH * 5, False),
        (SPANISH, False),
        ("Neurotensin.", True),
        ("[Pseudomembranous colitis].", True),
        ("Lungs clear.\nNo effusion.\nImpression: normal.", True),
        ("1 2 3 | 4.5 | 6", True),
        ("", True),
        # An English abstract before a Spanish body, and a Spanish one before an English body.
        (ENGLISH * 12 + SPANISH * 60, False),
        (SPANISH * 12 + ENGLISH * 60, True),
    ],
)
def test_language(content, kept):
    found = Language()(document(content, "abstract", language="fr"))
    assert isinstance(found, Document) is kept
    if not kept:
        assert found.reason == "language.not_en"
        assert found.marks["language.found"] == "es"
        assert found.marks["language.share"] < 0.5


def test_code_has_no_language():
    assert isinstance(Language()(document(SPANISH * 5, "code")), Document)


def test_an_unknown_language_is_refused_in_words():
    with pytest.raises(ValueError, match="'xx'"):
        Language(keep=("en", "xx"))


# Quality

REPORT = "EXAM: Chest, PA and lateral.\nFINDINGS: Lungs are clear.\nIMPRESSION: Normal."
LABORATORY = "LABS 06:20\n" + "".join(f"{name}  {number}.{number % 10}*  (3.5-5.0)\n" for number, name in enumerate(
    ["Na", "K", "Cl", "HCO3", "BUN", "Creat", "Gluc", "Ca", "Mg", "PO4", "WBC", "Hgb", "Hct", "Plt", "INR"]
))  # fmt: skip


@pytest.mark.parametrize(
    ("filter", "kind", "content", "reason"),
    [
        (Quality.notes(), "report", REPORT, None),
        (Quality.notes(), "note", LABORATORY, None),
        (Quality.notes(), "note", REPORT, "quality.short"),
        (Quality.notes(), "report", "PREOPERATIVE DIAGNOSIS:", "quality.short"),
        (Quality.abstracts(), "title", "Effect of aspirin on stroke.", "quality.title_only"),
        (Quality.abstracts(titles=True), "title", ENGLISH, None),
        (Quality.abstracts(), "abstract", ENGLISH, None),
        (Quality.abstracts(), "abstract", "1 2 3 4 5 6 7 8 9 10 11 12", "quality.few_letters"),
        (Quality.papers(), "abstract", ENGLISH * 2, None),
        (Quality.papers(), "fulltext", ENGLISH * 2, "quality.short"),
        (Quality.papers(), "fulltext", "\n".join([ENGLISH] * 40), "quality.repeated_lines"),
        (Quality.papers(), "fulltext", "", "quality.empty"),
        (Quality.papers(), "fulltext", ENGLISH * 20 + "\n" + "| 1.5 | 2.25 | 3.75 |\n" * 9, None),
        (Quality.web(), "web", "a b c d e " * 30, "quality.mean_word"),
        (Quality.web(), "web", "".join(f"- {ENGLISH}{n}\n" for n in range(9)), "quality.bullets"),
        (Quality.web(), "code", "def f(x):\n    return {x: [x + 1 for y in range(10)]}\n" * 2 + "}\n}\n}", None),
        (Quality.web(), "code", "var a = 1; var b = 2; " * 200, "quality.long_line"),
        (Quality.web(max_words=10), "web", ENGLISH * 9, "quality.long"),
        (Quality.instructions(), "instruction", "Answer: B", None),
    ],
)
def test_quality(filter, kind, content, reason):
    found = filter(document(content, kind))
    assert (found.reason if isinstance(found, Drop) else None) == reason
    if reason not in ("quality.title_only",):
        assert found.marks["quality.words"] == len(content.split())


# Gopher

_COMMON = ("the", "be", "to", "of", "and", "with", "a", "patient", "patients", "dyspnoea", "it's", "é")
_LITTER = ("-", "|", "#", "5", "3.4", "(", ")", "…", "...", "•", "\n", "\n\n", "\n- ", " …\n")
WORDS = st.sampled_from([*_COMMON, *_LITTER])
# Phrases that come again, so that the rules for repetition have something to find.
REPEATING = st.builds(
    lambda words, phrase, times, glue: " ".join(words) + (glue + " ".join(phrase)) * times,
    st.lists(WORDS, max_size=150),
    st.lists(WORDS, min_size=1, max_size=14),
    st.integers(0, 30),
    st.sampled_from([" ", "\n", "\n\n"]),
)


@pytest.mark.parametrize("how", ["space", "regex"])
@given(content=REPEATING)
@example(content="one")
@example(content="the the" + "\n" * 60)
@example(content="a b c d e a b c d e")
def test_gopher_decides_as_datatrove_does(how, content):
    if not content.split():
        return
    pairs = (
        (GopherQuality(words=how, min_doc_words=3), GopherQualityFilter(language=Words(how), min_doc_words=3)),
        (GopherRepetition(words=how), GopherRepetitionFilter(language=Words(how))),
    )
    for ours, theirs in pairs:
        found = ours(document(content))
        expected = theirs.filter(Theirs(text=content, id="1"))
        reason = "kept" if expected is True else "gopher." + expected[1].removeprefix("gopher_")
        assert (found.reason if isinstance(found, Drop) else "kept") == reason


def test_gopher_names_the_rule_and_its_numbers():
    found = GopherQuality()(document("# " * 30 + "word and the " * 60))
    assert found == Drop("gopher.too_many_hashes", "0.143 > 0.1 a word")
    assert found.marks["gopher.words"] == 180
    found = GopherRepetition()(document("A line that comes again\n" * 20))
    assert found.reason == "gopher.dup_line_frac"
    assert found.marks["gopher.dup_line_frac"] == 0.905


def test_a_full_paper_with_tables_stays():
    """spaCy's words, datatrove's default, lose such a paper: every comma and number is a word without a letter."""
    rows = "".join(f"{n}.5 | {n}.25 ± 0.0{n % 9} | (0.{n}, 1.{n}) | {n} | <0.001 |\n" for n in range(40))
    draw = random.Random(1)
    vocabulary = [
        "the",
        "of",
        "and",
        "patients",
        "were",
        "treated",
        "with",
        "drug",
        "placebo",
        "outcome",
        "risk",
        "trial",
    ]
    prose = "".join(
        f"In trial {n} (95% CI, 0.{n}–1.{n}; P = 0.{n}), {' '.join(draw.choices(vocabulary, k=12))}. "
        for n in range(60)
    )
    paper = document(prose + "\n\n" + rows, "fulltext")
    assert isinstance(GopherQuality.papers()(paper), Document)
    assert isinstance(GopherRepetition.papers()(paper), Document)
    assert GopherQuality(words="regex")(paper).reason == "gopher.below_alpha_threshold"


def test_web_rules_are_not_for_code():
    code = document("}\n" * 100, "code")
    assert GopherQuality.web()(code) is code
    assert GopherRepetition.web()(code) is code


def test_datatrove_s_own_filters_run():
    found = Datatrove("GopherQualityFilter", (("language", "regex"), ("min_doc_words", 20)))(document("too short"))
    assert found == Drop("datatrove.gopher_short_doc", "GopherQualityFilter")
    with pytest.raises(AttributeError):
        Datatrove("NoSuchFilter")(document("x"))


def test_words():
    assert split("It's 3.5 mg, (so)...") == ["It's", "3.5", "mg,", "(so)..."]
    assert split("It's 3.5 mg, (so)...", "regex") == ["It's", "3.5", "mg", ",", "(", "so", ")", "..."]


@pytest.mark.timeout(60)
def test_a_page_of_spaces_is_mended_at_once():
    text = f"a{' ' * 300_000}b\nc{' ' * 300_000}\nd"
    assert Repair()(document(text)).text == f"a{' ' * 300_000}b\nc\nd"
