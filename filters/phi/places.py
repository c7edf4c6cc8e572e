# ruff: noqa: E501 (a pattern reads better whole)
"""Places below the state, facilities, wards and employers. States and countries stay."""

from collections.abc import Iterator

import regex

from filters.phi import lists
from filters.phi.locales import Locale
from filters.phi.rules import TIMEOUT, Late, Rule
from filters.phi.safe import STOPS
from filters.phi.spans import Span

_CAP = r"(?:\p{Lu}[\p{L}'’]+(?:-\p{Lu}?[\p{L}'’]+)?|\p{Lu}\.)"
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
_GENERIC = STOPS | frozenset(
    ["the", "a", "an", "our", "your", "this", "that", "local", "outside", "community", "emergency", "urgent", "pain", "wound", "day", "same", "sleep", "memory", "eye", "women", "womens", "women's", "children", "childrens", "children's", "mens", "veterans", "va", "state", "county", "city", "acute", "subacute", "skilled", "primary", "secondary", "tertiary", "main", "area", "mobile", "field", "base", "foot", "hand", "headache", "diabetes", "diabetic", "asthma", "allergy", "stroke", "fracture", "transplant", "infusion", "chemotherapy", "anticoagulation", "coumadin", "methadone", "travel", "walk-in", "walk", "in", "weight", "loss", "fertility", "prenatal", "hypertension", "hepatitis", "arthritis", "osteoporosis", "lipid", "epilepsy", "seizure", "spine", "joint", "back", "breast", "cardiac", "minor", "major", "elective", "open", "robotic", "laser", "cosmetic", "bariatric", "reconstructive", "laparoscopic", "thoracic", "cataract", "refractive", "previous", "prior", "status", "post", "bypass", "coronary", "brain", "heart", "lung", "liver", "kidney", "home", "inpatient", "outpatient", "ambulatory", "another", "and", "of", "for", "at", "to", "in", "on", "or", "by", "with", "from", "behavioral", "mental", "occupational", "sports", "dental", "ent", "gi", "gyn", "ob", "obgyn", "retail", "specialty", "compounding", "mail", "order", "nearest", "retina", "glaucoma", "cornea", "low", "vision", "dermatologic", "mohs", "plastic", "oral", "orthognathic", "maxillofacial", "gastric", "general", "new", "old", "great", "greater", "grand"]
)  # fmt: skip

_HOSPITAL = regex.compile(
    rf"(?<![\w.])(?P<what>(?:(?:St|Mt|Ft)\.?[ ]|{_CAP}(?:[ ]|,[ ](?=\p{{L}}+ and ))|(?:of|the|and|&|for|at|in)[ ]){{1,7}}{_FACILITY}(?:[ ](?:of|at|in)[ ](?:the[ ])?{_CAP}(?:[ ]{_CAP}){{0,2}})?)(?!\w)",
    regex.V1,
)
_SAINT = Rule(
    "HOSPITAL",
    "saint",
    r"(?<!\w)(?:at|to|from|At|To|From)[ ](?:the[ ])?(?P<what>(?:St|Saint|Mt|Mount)\.?[ ]\p{Lu}\p{Ll}+(?:['’]s)?(?:[ ]\p{Lu}\p{Ll}+['’]s)?)(?!\w)",
)
_LABELLED = Rule(
    "HOSPITAL",
    "facility_labelled",
    rf"(?<!\w)(?i:facility|hospital|institution|clinic|practice|surgery|trust|pharmacy)(?i: name)?[ ]?:[ ]{{0,3}}(?P<what>{_CAP}(?:(?:[ ]|,[ ]|[ ]?[-&/][ ]?)(?:of |the |and |& )?{_CAP}){{0,7}})",
    ("facility", "hospital", "institution", "clinic", "practice", "surgery", "trust", "pharmacy"),
)
_WARD = Rule(
    "WARD",
    "ward",
    r"(?<!\w)(?i:ward|room|rm\.?|bed|bay|cubicle|bay)[ ]?(?i:no\.?|number|#|:)?[ ]?(?P<what>[A-Z]{0,2}-?\d{1,4}[A-Z]?(?:-\d{1,2}|-[A-Z])?)(?![\w]|[ ]?(?i:days?|hours?|years?|x\b|times|mm|cm))|"
    r"(?<!\w)(?P<what>\p{Lu}\p{Ll}{2,15}(?: \p{Lu}\p{Ll}{2,15})?[ ]Ward)(?!\w)|(?<!\w)(?i:ward)[ ]?:[ ]{0,2}(?P<what>\p{Lu}\p{L}+(?: \p{Lu}?[\p{L}\d]+)?)",
    ("ward", "room", "rm", "bed", "bay", "cubicle"),
)  # fmt: skip
_EMPLOYER = Rule(
    "EMPLOYER",
    "employer",
    rf"(?<!\w)(?i:works?(?: (?:part|full)[- ]time)? (?:at|for)|worked (?:at|for)|working (?:at|for)|employed (?:by|at|with)|employer(?: is| name)?[ ]?:?|retired from|(?:has|got) a job (?:at|with)|(?:clerk|teacher|driver|manager|engineer|nurse|cook|welder|cashier|mechanic|accountant|analyst|supervisor) (?:at|for|with))[ ](?:the |a )?"
    rf"(?P<what>(?:{_CAP}|[A-Z]{{2,6}}|\d\p{{L}}+)(?:(?:[ ]|,[ ](?=Inc|LLC|Ltd|Co\b|\p{{Lu}}\p{{L}}+ and ))(?:of |the |and |& |- )?(?:{_CAP}|[A-Z]{{2,6}})){{0,5}}\.?)",
    ("work", "employ", "retired", "job", " at ", " for ", " with "),
)
_SCHOOL = Rule(
    "EMPLOYER",
    "school",
    rf"(?<!\w)(?P<what>{_CAP}(?:[ ]{_CAP}){{0,3}}[ ](?:High School|Elementary School|Middle School|Elementary|Primary School|Secondary School|Academy|University|College|School District|Community College))(?!\w)|(?<!\w)(?P<what>University of {_CAP}(?:[ ]{_CAP})?)",
    ("school", "elementary", "academy", "university", "college"),
)
_CITY_CUE = regex.compile(
    r"(?<!\w)(?i:liv(?:es?|ing|ed) in|resid(?:es?|ing|ed) in|resident of|from|moved to|moved from|born in|raised in|grew up in|native of|hometown(?: is| of)?|"
    r"travel(?:s|ed|ing|led|ling)? to|trip to|flew to|visit(?:ing|ed)|back from|relocated to|city[ ]?:|town[ ]?:|in|near|to|at)[ ](?:the city of |downtown |nearby )?"
    r"(?P<what>(?:(?:St|Mt|Ft)\.[ ])?\p{Lu}[\p{L}'’]+(?:[ -]\p{Lu}[\p{L}'’]+){0,2})(?![\w])",
    regex.V1,
)
_WEAK = frozenset({"in", "near", "to", "at", "from", "visited", "visiting"})
_MAX_CITY_WORDS = 3


def rules(locales: tuple[Locale, ...]) -> tuple[Rule, ...]:
    """The pattern rules of places; facilities and cities by list are `find`."""
    regions = "|".join(sorted({region for one in locales for region in one.regions}, key=lambda r: (-len(r), r)))
    tail = rf"(?:(?:,[ ]?|[ ]|[ ]?\n[ ]?){_CAP}(?:[ -]{_CAP}){{0,3}})?(?:,?[ \n]{{1,2}}(?:{regions})\b)?(?:,?[ \n]{{1,2}}\d{{5}}(?:-\d{{4}})?)?"
    return (
        Rule("STREET", "street", rf"(?<![\w/.-])(?P<what>{_NUMBER},?[ ]{_DIRECTION}?(?:(?:{_CAP}|\d{{1,3}}(?:st|nd|rd|th)|of|the)[ ]){{1,4}}?{_SURE}\b\.?{_UNIT}?)(?!\w)"),
        Rule("STREET", "street_tail", rf"(?<![\w/.-])(?P<what>{_NUMBER},?[ ]{_DIRECTION}?(?:{_CAP}[ ]){{1,4}}?{_SUFFIX}\b\.?(?:{_UNIT}|(?=,[ ]?{_CAP}(?:[ ]{_CAP}){{0,3}},[ ](?:{regions})\b)))(?!\w)"),
        Rule("STREET", "po_box", r"(?i)(?<!\w)(?:p\.? ?o\.? box|post office box)[ #]{1,2}\d{1,7}(?!\w)", ("box",)),
        Rule("STREET", "address_labelled", rf"(?<!\w)(?i:(?:home |mailing |street |residential |billing |postal )?address)[ ]?:[ ]{{0,3}}(?P<what>{_NUMBER}[ ][^\n,;]{{3,60}}{tail})", ("address",)),
        Rule("CITY", "city_region_zip", rf"(?<!\w)(?P<what>{_CAP}(?:[ -]{_CAP}){{0,3}}),?[ ](?=(?:{regions})\b[., ]{{0,2}}[ \n]?\d{{5}}(?!\d))"),
        Rule("ZIP", "zip_after_region", rf"(?<!\w)(?:{regions})[.,]?[ \n]{{1,2}}(?P<what>\d{{5}}(?:-\d{{4}})?)(?![\w-])"),
        _LABELLED, _WARD, _EMPLOYER, _SCHOOL, _SAINT,
        *(rule for one in locales for rule in one.places if rule.name != "us_zip"),
    )  # fmt: skip


def _city_region(locales: tuple[Locale, ...]) -> "regex.Pattern[str]":
    regions = "|".join(sorted({region for one in locales for region in one.regions}, key=lambda r: (-len(r), r)))
    return regex.compile(rf"(?<!\w)(?P<what>{_CAP}(?:[ -]{_CAP}){{0,3}}),[ ](?P<region>{regions})(?!\w|-\w)", regex.V1)


_DEGREES = frozenset(
    {"MD", "PA", "MA", "OR", "DO", "CO", "IN", "ME", "OK", "DC", "CT", "MS", "HI", "PR", "AL", "LA", "DE", "MT"}
)


class Places:
    """Facilities and towns, judged by lists."""

    def __init__(self, locales: tuple[Locale, ...]) -> None:
        self.rules = rules(locales)
        self._region = _city_region(locales)
        self._regions = frozenset(region.lower() for one in locales for region in one.regions)

    def find(self, text: str, lower: str) -> Iterator[Span]:
        for rule in self.rules:
            yield from rule.find(text, lower)
        yield from self._facilities(text)
        yield from self._towns(text)

    def _facilities(self, text: str) -> Iterator[Span]:
        try:
            for match in _HOSPITAL.finditer(text, timeout=TIMEOUT):
                span = _facility(match)
                if span is not None:
                    yield span
        except TimeoutError:
            raise Late("hospital") from None

    def _towns(self, text: str) -> Iterator[Span]:
        towns = lists.cities()
        for match in self._region.finditer(text):
            name, region = match["what"], match["region"]
            known = name.lower() in towns or name.split()[-1].lower() in towns
            if known or (len(region) > 2 and region not in _DEGREES) or region not in _DEGREES:
                if name.lower() in STOPS or (region in _DEGREES and not known):
                    continue
                yield Span.of(match, "what", "CITY", "city_region")
        for match in _CITY_CUE.finditer(text):
            words = match["what"].split(" ")
            cue = match[0][: match.start("what") - match.start()].strip().lower()
            for count in range(min(len(words), _MAX_CITY_WORDS), 0, -1):
                name = " ".join(words[:count]).lower()
                if name in self._regions or name in STOPS:
                    break
                if name in towns and not (cue in _WEAK and count == 1 and _doubtful(name)):
                    start = match.start("what")
                    yield Span(start, start + len(" ".join(words[:count])), "CITY", "city")
                    break


def _doubtful(name: str) -> bool:
    return name in lists.words() or name in lists.first() or name in lists.last()


def _facility(match: "regex.Match[str]") -> Span | None:
    """The facility's name without the words before it that belong to the sentence."""
    words = list(regex.finditer(r"\S+", match["what"]))
    start = 0
    while start < len(words) and words[start][0].lower().strip(",.") in _GENERIC:
        start += 1
    kind = regex.search(_FACILITY + r"(?:[ ](?:of|at|in)[ ].*)?$", match["what"])
    if kind is None:
        return None
    telling = [
        word for word in words[start:] if word.start() < kind.start() and word[0].lower().strip(",.") not in _GENERIC
    ]
    tail = regex.search(r"[ ](?:of|at|in)[ ](?:the[ ])?(\S+)", kind[0])
    if not telling and not (tail and tail[1].lower() not in _GENERIC):
        return None
    begin = match.start("what") + (words[start].start() if telling else kind.start())
    return Span(begin, match.end("what"), "HOSPITAL", "facility")
