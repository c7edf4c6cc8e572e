"""The sets of instructions that are known: where they are published, under which terms, how they are read.

`SETS` are those that the Me-LLaMA paper names (arXiv 2402.12749; 214K samples in all; how many of which
is not in what its authors publish beside the paper). Hub ids and licences are what the sets' own
pages say, which name no terms for many of them ("unknown"): look before you publish a model.
"""

from dataclasses import dataclass

GROUPS = ("general", "medical", "clinical")
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Fields:
    """Which columns to read: for each field the names that it may have; the first found counts.

    Case, spaces, dashes and underscores do not matter. Fields that are given here in place of the
    defaults must be there.
    """

    conversation: tuple[str, ...] = ("conversations", "conversation", "messages")
    question: tuple[str, ...] = ("instruction", "question", "query", "prompt", "task", "patient_question", "front")
    context: tuple[str, ...] = ("input", "context", "passage")
    answer: tuple[str, ...] = (
        *("output", "response", "answer", "completion", "answers", "target", "ground_truth", "doctor_answer", "back"),
    )
    system: tuple[str, ...] = ("system", "system_prompt")
    history: tuple[str, ...] = ("history",)
    id: tuple[str, ...] = ("id", "_id", "qid", "question_id", "conversation_id", "prompt_id", "uid")
    patient: tuple[str, ...] = ("subject_id", "patient_id", "patient")


DEFAULT = Fields()


@dataclass(frozen=True)
class Set:
    """One set: its folder's name, its group of the mix, where it is published, and how it is read.

    `hub` is an id on the Hugging Face hub ("" for sets that nobody may publish: `advice` says what
    to do); `files` a pattern for those of its files that are read; `many` the rows that it has, where
    that is known.
    """

    name: str
    group: str
    hub: str = ""
    license: str = UNKNOWN
    many: int = 0
    fields: Fields = DEFAULT
    files: str = ""
    revision: str = "main"
    advice: str = ""


_BRING = "not published: lay your own files in instructions/SET, in one of the forms of corpus/sources/instructions.py"
_PHYSIONET = (
    "made of MIMIC's notes, for which PhysioNet's credentials and data use agreement are needed: make them, and lay "
    "them in instructions/SET"
)
_UMLS = (
    "made of UMLS, for which NLM's licence is needed (uts.nlm.nih.gov): lay questions about its relations in "
    "instructions/SET"
)
_NLM = "made of articles: lay files of NLM's baseline in instructions/SET"
_PMC = "made of articles: lay articles of PMC in instructions/SET"
_MEADOW = "medalpaca/medical_meadow_"

SETS = (
    Set("alpaca", "general", "tatsu-lab/alpaca", "CC-BY-NC-4.0", 52_002),
    Set("dolly", "general", "databricks/databricks-dolly-15k", "CC-BY-SA-3.0", 15_011),
    Set(
        "sharegpt",
        "general",
        "anon8231489123/ShareGPT_Vicuna_unfiltered",
        files=r"ShareGPT_V3_unfiltered_cleaned_split\.json$",
    ),
    Set("healthcaremagic", "medical", "lavita/ChatDoctor-HealthCareMagic-100k", many=112_165),
    Set(
        "icliniq",
        "medical",
        "lavita/ChatDoctor-iCliniq",
        many=7_321,
        fields=Fields(question=("input",), context=(), answer=("answer_icliniq",)),
    ),
    Set("medinstruct", "medical", "lavita/AlpaCare-MedInstruct-52k", many=52_002),
    Set("flashcards", "medical", f"{_MEADOW}medical_flashcards", "CC", 33_955),
    Set("mediqa", "medical", f"{_MEADOW}mediqa", many=2_208),
    Set("wikidoc-patient", "medical", f"{_MEADOW}wikidoc_patient_information", "CC", 5_942),
    Set("medicationqa", "medical", "truehealth/medicationqa"),
    Set("liveqa", "medical", "hyesunyun/liveqa_medical_trec2017"),
    Set("guideline-qa", "medical", advice=_BRING),
    Set("pubmed-tasks", "medical", advice=_NLM),
    Set("pmc-tasks", "medical", advice=_PMC),
    Set("umls-relations", "clinical", license="UMLS Metathesaurus License", advice=_UMLS),
    Set("mimic-iii-tasks", "clinical", license="PhysioNet Credentialed Health Data License", advice=_PHYSIONET),
    Set("mimic-iv-tasks", "clinical", license="PhysioNet Credentialed Health Data License", advice=_PHYSIONET),
)
