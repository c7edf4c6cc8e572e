"""Which parts of an article are about the paper and not about its subject.

Read off the headings, section types and abstract types of 2,450 articles of several hundred
journals; a heading counts only as a whole, so that "Conflict of interest in surgery" stays.
"""

import re
from functools import lru_cache

_INTERESTS = (
    r"(?:competing|conflicts?|conflicting|declar\w+|dual\w*|potential|financial|commercial|disclosures?|no|non)"
)
_STATEMENT = r"(?: (?:statements?|disclosures?|declarations?|forms?|policy))?"
_HEADINGS = (
    # who did it
    r"(?:individual |(?:the )?(?:author|authorship|contributor)(?:s|ship)? )?contributions?(?: statement| and .*)?",
    r"(?:the )?(?:author|authors|authorship)(?: (?:information|details|notes?|roles|statement|affiliations?|"
    r"disclosures?.*))?",
    r"contributions? (?:by|of) (?:the )?authors?|about (?:the )?authors?|authors' statements?|sources? of support|"
    r"contributors?(?:hip)?" + _STATEMENT + r"|credit (?:author.*|taxonomy.*)|author(?:ship)? credit.*|guarantors?",
    r"acknowledge?ments?.*|thanks|dedication|orcid(?: .*)?|group members?|members of the .*|study group members?",
    # who paid, and what they want
    rf"(?:{_INTERESTS} (?:of |and )*)+(?:the )?(?:authors? )?(?:financial )?(?:interests?|disclosures?)" + _STATEMENT,
    rf"(?:declarations?|statement|disclosures?) of (?:{_INTERESTS} )*(?:of )?(?:financial )?interests?" + _STATEMENT,
    r"interests?|conflicts?|declarations?|disclosures?"
    + _STATEMENT
    + r"|transparency(?: .*)?|financial & competing .*",
    r"(?:study |research |source of |sources of |external |details of )?(?:fund(?:ing|s|ers?)|financial support|"
    r"grants?|"
    r"financial disclosures?|grant support|sponsor(?:ship|s)?)(?:[ /]+(?:sources?|statement|information|support|"
    r"disclosures?|program|acknowledge?ments?|and .*|agency|agencies))*",
    r"role of (?:the )?(?:funding sources?|funders?|sponsors?|study sponsors?).*|(?:hosting|"
    r"participating) institutions?",
    # where its files are
    r"(?:electronic |online )?supplement(?:s|ary|al|aly|ing)?(?: (?:online )?(?:materials?|information|info|"
    r"data|files?|figures?"
    r"|tables?|content|methods|text|videos?|digital content|legends?|documents?|note)(?: .*)?)?|e-?component",
    r"supporting (?:information|materials?|data|files?)(?: .*)?|additional (?:online )?(?:files?|materials?|"
    r"data|data files?|"
    r"information|supporting information|supplementary .*|information and declarations)|web extra(?: material)?",
    r"(?:appendix [a-z0-9]*\.? ?)supplementary (?:data|materials?|information)|extended data(?: .*)?|associated data",
    r"(?:(?:data|code|software|materials?|resources?|datasets?|source code|samples?|and|&|/|,) ?)+"
    r"(?:availability|accessibility|sharing|deposition|access|archiving)(?: (?:statements?|and .*|of .*|section|"
    r"plan))?",
    r"availability(?: (?:statement|and requirements?|of (?:supporting |the )?(?:data|materials?|code|"
    r"software).*))?|accessibility|open (?:data|research|practices).*",
    r"(?:data|sequence) deposition|(?:gene ?bank )?accession (?:numbers?|codes?)(?: and .*)?|reporting summary|"
    r"life sciences reporting summary|(?:key )?resources? table",
    # what the journal asks for
    r"(?:patients? |written |informed )*consents? (?:(?:for|to) (?:publication|publish|participate).*|forms?|"
    r"statements?)|"
    r"(?:patient|informed) consents?",
    r"ethic(?:s|al)?(?: (?:approvals?|statements?|standards?|policy|consents?|declarations?|review|"
    r"committee approval))?"
    r"(?: (?:and|&|/) (?:(?:informed |patient |written )*consent|approval|permission|compliance|"
    r"registration).*)?|(?:compliance|accordance) with ethic.*|statement of ethics|"
    r"institutional review board statement",
    r"(?:statement of )?human and animal rights.*|research involving .*|provenance(?: and peer review)?|"
    r"(?:clinical )?trial registration(?: number)?|registration(?: number)?|protocol registration",
    r"publisher(?:'s|s)?(?: ?')? ?note|disclaimers?|editor(?:'s|s|ial)? notes?|"
    r"(?:open )?peer[- ]review(?:er)?s?(?: (?:information|files?|history|reports?|comments|statement))?|"
    r"reviewers?|review history|(?:pre-?publication|change|version) history|history|linked articles?",
    r"rights and permissions|about this article|copyright(?: .*)?|citations?|how to cite.*|article info(?:rmation)?|"
    r"third[- ]party .*|other information|key ?words?|open access|licen[cs]e",
    # what is no prose
    r"(?:list of )?(?:non-?standard )?abbreviations?(?: (?:and acronyms|used|list|used in .*|in this .*))?|glossary|"
    r"nomenclature|(?:further|suggested|recommended) reading|references?(?: (?:and notes|cited))?|literature cited|"
    r"bibliography|(?:foot|end)?notes?|figures?(?: and tables?)?|tables?(?: and figures?)?|figure legends?|"
    r"web ?sites?|"
    r"referências(?: bibliográficas)?|referencias(?: bibliográficas)?|agradecimentos?|agradecimientos?|"
    r"conflitos? de interesses?|conflictos? de inter[eé]s(?:es)?|financiamento|financiación|colaborador(?:es|as)",
)
_ASIDE = re.compile("|".join(f"(?:{heading})" for heading in _HEADINGS), re.I)
_NUMBER = re.compile(r"^(?:(?:\d++\.?)++|[ivxIVX]+\.|[A-Z]\.)\s+")
_TYPES = {
    *("supplementary-material", "supplementary material", "data-availability", "coi-statement", "funding-information"),
    *("author-contributions", "author-contribution", "ethics-statement", "additional-information", "funding", "ack"),
    *("conflict", "code-availability", "display-objects", "datasets", "associated-data", "author-note", "citation"),
    *("competing-interests", "contributors", "financial-disclosure", "financial disclosure", "data-deposition"),
}  # fmt: skip
# below the first level these are parts of the methods
_METHODS = re.compile(
    r"ethic.*|.*consents?.*|trial registration.*|registration.*|data and .*|authors?|"
    r"materials?|participating .*|history|reviewers?|grants?|funds?|interests?|conflicts?|notes?|figures?|tables?|"
    r"samples?.*|datasets?.*|abbreviations?|sponsors?|nomenclature|key resources? table",
    re.I,
)

# abstracts that repeat the main one in few words or pictures
_REPEATS = ("graphic", "teaser", "toc", "short", "video", "precis", "editor", "object", "ascii", "web-summary")
_MAIN = {"", "abstract", "primary", "main", "normal", "structured", "section", "background"}


@lru_cache(4096)  # articles share most of these headings
def aside(heading: str, kind: str, top: bool) -> bool:
    """Whether a section is left out, by its heading, its `sec-type`, and whether it stands at the first level."""
    if kind.strip().lower() in _TYPES:
        return True
    bare = _NUMBER.sub("", heading).replace("’", "'").replace("`", "'").strip(" .:")
    bare = re.sub(r"'?s'?(?= )", lambda m: "s" if "'" in m.group() else m.group(), bare)
    # a heading longer than that is a sentence of the article
    return len(bare) < 150 and _ASIDE.fullmatch(bare) is not None and (top or _METHODS.fullmatch(bare) is None)


def rank_of_abstract(kind: str | None) -> int | None:
    """0 for the main abstract, 1 for one that adds to it (a lay summary, key points), None for one that repeats it."""
    name = (kind or "").strip().lower()
    if name in _MAIN:
        return 0
    return None if name.startswith(_REPEATS) else 1
