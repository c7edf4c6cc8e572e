# ruff: noqa: E501 (a pattern reads better whole)
"""Places below the state, facilities, wards and employers. States and countries stay."""

from collections.abc import Iterator

import regex

from filters.phi import lists
from filters.phi.locales import Locale
from filters.phi.rules import Rule
from filters.phi.safe import EPONYMS, FUNCTION, PRODUCTS, STOPS
from filters.phi.scan import Scan
from filters.phi.spans import Span
from filters.phi.traits import traits

_CAP = r"(?:\p{Lu}[\p{L}'’]{1,24}(?:-\p{Lu}?[\p{L}'’]{1,24})?|\p{Lu}\.)"
_SUFFIX = (
    r"(?:Street|St|Avenue|Ave|Av|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Circle|Cir|Way|Place|Pl|Terrace|Ter|"
    r"Parkway|Pkwy|Highway|Hwy|Square|Sq|Trail|Trl|Loop|Plaza|Alley|Crescent|Cres|Close|Gardens|Gdns|Grove|Mews|Row|Walk|Hill|"
    r"Park|Rise|View|Green|Croft|Mount|Pike|Turnpike|Crossing|Xing|Cove|Point|Ridge|Run|Path|Pass|Bend|Glen|Heights|Hts|"
    r"Hollow|Manor|Meadows?|Mill|Mills|Landing|Knoll|Knolls|Isle|Island|Junction|Lakes?|Orchard|Oval|Overpass|Underpass|Parade|Quay|"
    r"Ranch|Rapids|Shores?|Spring|Springs|Spur|Spurs|Squares|Station|Stravenue|Stream|Streets|Summit|Throughway|Trace|Track|"
    r"Trafficway|Tunnel|Union|Unions|Valley|Valleys|Via|Viaduct|Village|Ville|Vista|Walks|Wall|Ways|Well|Wells|Burg|Burgs|Bypass|"
    r"Camp|Canyon|Cape|Causeway|Center|Centers|Circles|Cliff|Cliffs|Club|Common|Commons|Corner|Corners|Course|Courts|Coves|Creek|"
    r"Crest|Crossroad|Crossroads|Curve|Dale|Dam|Divide|Drives|Estate|Estates|Expressway|Extension|Extensions|Fall|Falls|Ferry|"
    r"Field|Fields|Flat|Flats|Ford|Fords|Forest|Forge|Forges|Fork|Forks|Fort|Freeway|Garden|Gateway|Glens|Greens|Groves|Harbor|"
    r"Harbors|Haven|Hills|Inlet|Key|Keys|Light|Lights|Lodge|Mall|Mission|Motorway|Mountain|Mountains|Neck|Parks|Parkways|"
    r"Passage|Pine|Pines|Plain|Plains|Plazas|Points|Port|Ports|Prairie|Radial|Ramp|Rest|Ridges|River|Roads|Route|Rue|Shoal|Shoals|"
    r"Skyway|STREET|ST|AVENUE|AVE|ROAD|RD|BOULEVARD|BLVD|LANE|LN|DRIVE|DR|COURT|CT|CIRCLE|WAY|PLACE|PL)"
)
# Suffixes that need no further proof that a number and capitals are an address.
_SURE = r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Circle|Cir|Way|Place|Pl|Terrace|Parkway|Pkwy|Highway|Hwy|Square|Trail|Loop|Alley|Crescent|Close|Gardens|Grove|Mews|STREET|ST|AVENUE|AVE|ROAD|RD|BOULEVARD|BLVD|LANE|LN|DRIVE|DR|COURT|CT|CIRCLE|WAY|PLACE|PL)"
_UNIT = r"(?:,?[ ](?:#|(?i:apt|apartment|suite|ste|unit|flat|floor|fl|room|rm|building|bldg|lot)\b\.?)[ ]?#?[\w-]{1,6})"
_NUMBER = r"\d{1,6}[A-Za-z]?(?:-\d{1,4})?"
_DIRECTION = r"(?:(?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\b\.?[ ])"

_FACILITY = (
    r"(?:Hospitals?|HOSPITAL|Medical Cent(?:er|re)|MEDICAL CENTER|Med(?:ical)? Ctr|Clinics?|CLINIC|Infirmary|INFIRMARY|Hospice|"
    r"Health System|Healthcare|Health Care(?: System| Center)?|Health Cent(?:er|re)|Nursing (?:Home|Facility)|NURSING HOME|Care (?:Home|Center|Centre)|"
    r"Rehab(?:ilitation)?(?: Center| Hospital| Centre| Institute)?|Surgery Center|Surgical Center|Cancer Cent(?:er|re)|Cancer Institute|Heart (?:Center|Institute)|"
    r"Medical Group|Medical Associates|Memorial|Sanatorium|Sanitarium|Pharmacy|NHS (?:Foundation )?Trust|Surgery|Medical Practice|"
    r"Assisted Living|Manor|Senior Living|Dialysis(?: Center)?|Health Services|Physicians Group|Eye (?:Center|Institute))"
)
# A facility's name made of these alone is a department or a kind, not a place.
_GENERIC: frozenset[str] = STOPS | lists.safe("facility")

_FACILITY_NEAR = regex.compile(
    r"\b(?:Hospital|HOSPITAL|Medical (?:Cent|Ctr|Group|Assoc|Pract)|MEDICAL CENTER|Med Ctr|Clinics?\b|CLINIC|Infirm|INFIRM|Hospice|Health|"
    r"Nursing|NURSING|Care (?:Home|Cent)|Rehab|Surgery|Surgical C|Cancer|Heart (?:C|I)|Memorial|Sanat|Sanit|Pharmacy|NHS|Assisted|Manor|"
    r"Senior L|Dialysis|Physicians G|Eye (?:C|I))"
)
_HOSPITAL = Rule(
    "HOSPITAL",
    "facility",
    rf"(?<![\w.])(?P<what>(?:(?:St|Mt|Ft)\.?[ ]|{_CAP}(?:[ ]|,[ ](?=\p{{L}}+ and ))|(?:of|the|and|&|for|at|in)[ ]){{1,7}}{_FACILITY}(?:[ ](?:of|at|in)[ ](?:the[ ])?{_CAP}(?:[ ]{_CAP}){{0,2}})?)(?!\w)",
    _FACILITY_NEAR,
    (80, 70),
)
_SAINT = Rule(
    "HOSPITAL",
    "saint",
    r"(?<!\w)(?:at|to|from|At|To|From)[ ](?:the[ ])?(?P<what>(?:St|Saint|Mt|Mount)\.?[ ]\p{Lu}\p{Ll}+(?:['’]s)?(?:[ ]\p{Lu}\p{Ll}+['’]s)?)(?!\w)",
    regex.compile(r"(?:St|Saint|Mt|Mount)\.? [A-Z]"),
    (12, 40),
)
_LABELLED = Rule(
    "HOSPITAL",
    "facility_labelled",
    rf"(?<!\w)(?i:facility|hospital|institution|clinic|practice|surgery|trust|pharmacy|site|location)(?i: name)?[ ]?:[ ]{{0,3}}(?P<what>{_CAP}(?:(?:[ ]|,[ ]|[ ]?[-&/][ ]?)(?:of |the |and |& )?{_CAP}){{0,7}})",
    (
        "facility:",
        "facility name",
        "hospital:",
        "hospital name",
        "institution:",
        "clinic:",
        "clinic name",
        "practice:",
        "practice name",
        "surgery:",
        "trust:",
        "pharmacy:",
        "site:",
        "location:",
    ),
    (4, 140),
    check=lambda match: _specific(match["what"]),
)
_WARD = Rule(
    "WARD",
    "ward",
    r"(?<!\w)(?<!(?i:operating|operation|procedure|theater|theatre|exam|examination|trauma|endoscopy|or|recovery|suite|waiting|living) )(?i:ward|room|rm\.?|bed|bay|cubicle)[ ]?(?i:no\.?|number|#|:)?[ ]?(?P<what>[A-Z]{0,2}-?\d{1,4}[A-Z]?(?:-\d{1,2}|-[A-Z])?)(?![\w]|[ ]?(?i:days?|hours?|years?|x\b|times|mm|cm|air|temp))|"
    r"(?<!\w)(?P<what>\p{Lu}\p{Ll}{2,15}(?: \p{Lu}\p{Ll}{2,15})?[ ]Ward)(?!\w)|(?<!\w)(?i:ward)[ ]?:[ ]{0,2}(?P<what>\p{Lu}\p{L}+(?: \p{Lu}?[\p{L}\d]+)?)",
    ("ward", "room", "rm ", "rm. ", "rm#", "bed ", "bed:", "bed#", "bay ", "cubicle"),
    (36, 30),
    check=lambda match: (
        not (match[0].lower().startswith(("room", "rm")) and len(match["what"]) < 2)
        and not (match[0].endswith("Ward") and match["what"].split(" ")[0].lower() in _GENERIC)
    ),
)
_NOT_EMPLOYERS: frozenset[str] = STOPS | {
    "i",
    "dr",
    "dr.",
    "mr",
    "ms",
    "mrs",
    "christmas",
    "thanksgiving",
    "easter",
    "halloween",
}
_EMPLOYER = Rule(
    "EMPLOYER",
    "employer",
    rf"(?<!\w)(?i:works?(?: (?:part|full)[- ]time)?(?: as an? \p{{Ll}}+(?: \p{{Ll}}+)?)? (?:at|for)|worked(?: as an? \p{{Ll}}+(?: \p{{Ll}}+)?)? (?:at|for)|working(?: as an? \p{{Ll}}+(?: \p{{Ll}}+)?)? (?:at|for)|employed (?:by|at|with)|employer(?: is| name)?[ ]?:?|place of work[ ]?:|retired from|(?:has|got) a job (?:at|with)|job at|laid off (?:from|by)|career at|(?:clerk|teacher|driver|manager|engineer|nurse|cook|welder|cashier|mechanic|accountant|analyst|supervisor) (?:at|for|with))[ ](?:the |a )?"
    rf"(?P<what>(?:{_CAP}|[A-Z]{{2,6}}|\d\p{{L}}+)(?:(?:[ ]|,[ ](?=Inc|LLC|Ltd|Co\b|\p{{Lu}}\p{{L}}+ and ))(?:of |the |and |& |- )?(?:{_CAP}|[A-Z]{{2,6}}|&)){{0,5}}\.?)",
    ("work", "employ", "retired from", "job ", "laid off", "career at", "clerk ", "teacher ", "driver ", "manager ", "engineer ",
     "nurse ", "cook ", "welder ", "cashier ", "mechanic ", "accountant ", "analyst ", "supervisor "),
    (4, 140),
    check=lambda match: match["what"].split(" ")[0].lower() not in _NOT_EMPLOYERS,
)  # fmt: skip
_SCHOOL = Rule(
    "EMPLOYER",
    "school",
    rf"(?<!\w)(?P<what>{_CAP}(?:[ ]{_CAP}){{0,3}}[ ](?:High School|Elementary School|Middle School|Elementary|Primary School|Secondary School|Academy|University|College|School District|Community College))(?!\w)|(?<!\w)(?P<what>University of {_CAP}(?:[ ]{_CAP})?)",
    regex.compile(r"School|Elementary|Academy|University|College"),
    (70, 40),
    check=lambda match: _school(match),
)
_COMPANY = Rule(
    "EMPLOYER",
    "company",
    rf"(?i:employer|occupation|works? (?:at|for)|company)[^\n.]{{0,40}}?(?P<what>{_CAP}(?:(?:[ ]|,[ ]|[ ]?&[ ])(?:and )?{_CAP}){{0,4}},?[ ](?:Inc|LLC|Ltd|PLC|Corp|Corporation|Company|Co|Group|Holdings|Industries|Enterprises)\b\.?)",
    ("employer", "occupation", "works at", "works for", "company"),
    (4, 140),
)
_TOWN_CUE = regex.compile(
    r"(?<!\w)(?P<cue>liv(?:es?|ing|ed) (?:in|near|outside)|resid(?:es?|ing|ed) in|resident of|from|moved (?:to|from)|born in|raised in|grew up in|native of|hometown(?: is| of|:)?|"
    r"travel(?:s|ed|ing|led|ling)? to|trip to|flew to|visit(?:ing|ed)|back from|relocated to|city[ ]?:|town[ ]?:|place of birth[ ]?:|birthplace[ ]?:|in|near|to|at|of)[ ](?:the city of |downtown |nearby |the )?$"
)
_WEAK = frozenset({"in", "near", "to", "at", "from", "of", "visited", "visiting"})
_MAX_TOWN_WORDS = 3


def rules(locales: tuple[Locale, ...]) -> tuple[Rule, ...]:
    """The pattern rules of places; towns by list are `_towns`."""
    regions = _regions(locales)
    tail = rf"(?:(?:,[ ]?|[ ]|[ ]?\n[ ]?){_CAP}(?:[ -]{_CAP}){{0,3}})?(?:,?[ \n]{{1,2}}(?:{regions})\b)?(?:,?[ \n]{{1,2}}\d{{5}}(?:-\d{{4}})?)?"
    near, five = regex.compile(r"\d[A-Za-z]?,? (?:[A-Z]|of |the |\d+[snrt])"), regex.compile(r"\d{5}")
    return (
        Rule("STREET", "street", rf"(?<![\w/.-])(?P<what>{_NUMBER},?[ ]{_DIRECTION}?(?:(?:(?:{_CAP}|\d{{1,3}}(?:st|nd|rd|th)|of|the)[ ]){{1,4}}?{_SURE}\b\.?(?:[ ](?:N|S|E|W|NE|NW|SE|SW)\b\.?)?|Broadway){_UNIT}?)(?!\w)",
             near, (8, 120), check=_street),
        Rule("STREET", "street_tail", rf"(?<![\w/.-])(?P<what>{_NUMBER},?[ ]{_DIRECTION}?(?:{_CAP}[ ]){{1,4}}?{_SUFFIX}\b\.?(?:{_UNIT}|(?=,?[ \n]{_CAP}(?:[ ]{_CAP}){{0,3}},[ ](?:{regions})\b)))(?!\w)", near, (8, 160)),
        Rule("STREET", "po_box", r"(?i)(?<!\w)(?:p\.? ?o\.? box|post office box)[ #]{1,2}\d{1,7}(?!\w)", ("box",), (12, 16)),
        Rule("STREET", "military", r"(?<!\w)(?:PSC|Unit|CMR|psc|unit|cmr) \d{3,5},? (?i:box) \d{2,5}(?:[ \n,]{1,3}(?i:APO|FPO|DPO) (?i:AA|AE|AP)[ ,]{0,2}(?:\d{5})?)?(?!\w)", ("box",), (14, 40)),
        Rule("STREET", "street_unit", r"(?<![\w/.-])(?P<what>\d{1,5}[A-Za-z]? [^\n,;:()]{3,44}?,?[ \n]{1,3}(?i:apt|apartment|suite|flat)\b\.? ?#?\d{1,5}[A-Z]?)(?!\w)", ("apt", "apartment", "suite", "flat"), (60, 20), check=_street_words),
        Rule("STREET", "unit", r"(?<!\w)(?<!(?:perative|perating|rocedure|urgical) )(?:Apt|Apartment|Suite|Ste|Flat|APT|SUITE|apt)\b\.? ?#?\d{1,5}[A-Z]?(?!\w)", ("apt", "apartment", "suite", "ste", "flat"), (14, 20)),
        Rule("STREET", "address_labelled", rf"(?<!\w)(?i:(?:home |mailing |street |residential |billing |postal )?address)(?:[ ]?:|[ ]is|[ ]to)[ ]{{0,3}}\n?(?P<what>(?:{_NUMBER}|Flat|Apt|Unit|\p{{Lu}}\p{{Ll}}+ (?:House|Cottage|Farm|Court|Lodge))[ ,][^\n,;]{{3,60}}{tail})", ("address",), (14, 200)),
        Rule("CITY", "city_region_zip", rf"(?<!\w)(?P<what>{_CAP}(?:[ -]{_CAP}){{0,3}}),?[ ](?=(?:{regions})\b[., ]{{0,2}}[ \n]?\d{{5}}(?!\d))", five, (80, 8)),
        Rule("CITY", "city_postcode", rf"(?<!\w)(?P<what>{_CAP}(?:[ -]{_CAP}){{0,2}}),?[ \n](?=[A-Z]{{1,2}}\d[A-Z\d]? \d[A-Z]{{2}}\b)", regex.compile(r" \d[A-Z]{2}\b"), (60, 4)),
        Rule("ZIP", "zip_after_region", rf"(?<!\w)(?:{regions})[.,]?[ \n]{{1,2}}(?P<what>\d{{5}}(?:-\d{{4}})?)(?![\w-])", five, (40, 8)),
        _HOSPITAL, _LABELLED, _WARD, _EMPLOYER, _SCHOOL, _COMPANY, _SAINT,
        *(rule for one in locales for rule in one.places),
    )  # fmt: skip


def _regions(locales: tuple[Locale, ...]) -> str:
    return "|".join(sorted({region for one in locales for region in one.regions}, key=lambda r: (-len(r), r)))


def _street(match: "regex.Match[str]") -> bool:
    """`2 Dr. Smith` and `3 St` are no addresses: a word stands between the number and its street."""
    words = match["what"].split()
    return len(words) > 2 and not (words[1].lower() in STOPS and words[2].rstrip(".") in ("Dr", "Pl", "Ct", "St"))


def _street_words(match: "regex.Match[str]") -> bool:
    """Between the number and the flat stands a name: nothing of a clinic's."""
    words = match["what"].lower().split()[1:-2]
    return bool(words) and not any(word.strip(".") in FUNCTION or traits(word.strip(".")).product for word in words)


def _specific(name: str) -> bool:
    words = [word.lower().strip(".,") for word in name.split()]
    return words[0] not in PRODUCTS and any(word not in _GENERIC for word in words)


def _school(match: "regex.Match[str]") -> bool:
    """`Roosevelt Elementary School`, and not `Community College`."""
    words = match["what"].lower().split()
    return any(
        word not in lists.words() and word not in STOPS for word in words[:-1] + words[-1:] * (words[0] == "university")
    )


# Codes of states that are also degrees or words: they need a town that is on the list.
_DEGREES = frozenset(
    [
        "MD",
        "PA",
        "MA",
        "OR",
        "DO",
        "CO",
        "IN",
        "ME",
        "OK",
        "DC",
        "CT",
        "MS",
        "HI",
        "PR",
        "AL",
        "LA",
        "DE",
        "MT",
        "ID",
        "AS",
        "VA",
    ]
)


class Places:
    """Facilities and towns, judged by lists."""

    def __init__(self, locales: tuple[Locale, ...]) -> None:
        self.rules = rules(locales)
        self._region = Rule(
            "CITY",
            "city_region",
            rf"(?<!\w)(?P<what>{_CAP}(?:[ -]{_CAP}){{0,3}}),[ ](?P<region>{_regions(locales)})(?!\w|-\w|\.\w)",
            regex.compile(r", [A-Z]"),
            (70, 30),
            check=_town_and_region,
        )
        self._kept = frozenset(region.lower() for one in locales for region in one.kept)
        self._towns_known = lists.cities() | {region.lower() for one in locales for region in one.regions} - self._kept
        self._first_words = frozenset(town.split(" ")[0].split("-")[0] for town in self._towns_known)

    def find(self, page: Scan) -> Iterator[Span]:
        for rule in (*self.rules, self._region):
            for span in rule.find(page):
                if rule is _HOSPITAL:
                    cut = _facility(page.text, span)
                    if cut is not None:
                        yield cut
                else:
                    yield span
        yield from self._towns(page)

    def _towns(self, page: Scan) -> Iterator[Span]:
        towns, text = self._towns_known, page.text
        reached = 0
        for start, _, word in page.capitalised:
            if start < reached or word.lower().split("-")[0] not in self._first_words:
                continue
            cue = _TOWN_CUE.search(page.lower, max(0, start - 40), start)
            if cue is None:
                continue
            found = _TOWN.match(text, start)
            if found is None:
                continue
            words = found[0].split(" ")
            for count in range(min(len(words), _MAX_TOWN_WORDS), 0, -1):
                name = " ".join(words[:count])
                low = name.lower()
                if low in self._kept or low in STOPS or low in _COUNTRIES:
                    break
                if low in towns and not (cue["cue"] in _WEAK and count == 1 and _doubtful(low)):
                    reached = start + len(name)
                    yield Span(start, reached, "CITY", "city")
                    break


# Towns of these names are far rarer in notes than the countries, which may stay.
_COUNTRIES = frozenset(("mexico", "brazil", "poland", "cuba", "england", "denmark", "norway", "bolivia"))
_TOWN = regex.compile(r"(?:(?:St|Mt|Ft)\.[ ])?\p{Lu}[\p{L}'’]+(?:[ -]\p{Lu}[\p{L}'’]+){0,2}(?!\w)")


def _town_and_region(match: "regex.Match[str]") -> bool:
    name, region = match["what"].lower(), match["region"]
    known = name in lists.cities() or name.split()[-1] in lists.cities()
    if name in STOPS or all(word in STOPS for word in name.split()):
        return False
    return known if region in _DEGREES else known or len(region) > 2 or not _doubtful(name)


def _doubtful(name: str) -> bool:
    return name in EPONYMS or name in lists.words() or name in lists.first() or lists.last().get(name, 0) > 1


def _facility(text: str, span: Span) -> Span | None:
    """The facility's name without the words before it that belong to the sentence; None for a mere kind."""
    value = text[span.start : span.end]
    kind = _KIND.search(value)
    if kind is None:
        return None
    if value.isupper() and text[span.end : span.end + 7] == " COURSE":
        return None
    words = [found for found in regex.finditer(r"\S+", value) if found.start() < kind.start()]
    ats = [number for number, word in enumerate(words) if word[0].lower() in _BETWEEN]
    words = words[ats[-1] + 1 :] if ats else words
    while words and words[0][0].lower().strip(",.") in _GENERIC:
        words.pop(0)
    telling = any(word[0].lower().strip(",.") not in _GENERIC for word in words)
    if not telling and not (kind["of"] and kind["of"].lower() not in _GENERIC):
        return None
    begin = span.start + (words[0].start() if telling else kind.start())
    return Span(begin, span.end, "HOSPITAL", "facility")


# Words that a facility's name does not go over, but for `of`, `the`, `and`.
_BETWEEN = FUNCTION - {"of", "the", "and"}
_KIND = regex.compile(_FACILITY + r"(?:[ ](?:of|at|in)[ ](?:the[ ])?(?P<of>\S+).*)?$")
