"""A hospital's own tables of notes, with identifiers of every HIPAA kind in known places."""

import csv
from pathlib import Path
from random import Random
from typing import Any

from corpus.world import prose
from corpus.world.files import plain_text

NOTES = 150  # for size 1
TABLES = ("progress_notes.csv", "letters.csv")
COLUMNS = ("note_id", "patient_id", "patient_name", "mrn", "birth_date", "note_date", "note_type", "note_text")
KNOWN = {"NAME": "patient_name", "MRN": "mrn", "BIRTH_DATE": "birth_date"}

# The identifiers of 45 CFR 164.514(b)(2)(i), A to R, and how a note speaks of each.
SENTENCES = {
    "NAME": ("{NAME} was seen today with a daughter.", "I spoke with {NAME} about the plan.", "Dr. {NAME} agrees."),
    "PATIENT": ("{PATIENT} is doing well.", "Today {PATIENT} came alone.", "Re: {PATIENT}."),
    "LOCATION": ("Lives at {LOCATION}.", "Moved from {LOCATION} recently.", "Home visit to {LOCATION}."),
    "DATE": ("Next visit on {DATE}.", "Surgery was on {DATE}.", "Symptoms began {DATE}."),
    "BIRTH_DATE": ("DOB: {BIRTH_DATE}.", "Born {BIRTH_DATE}."),
    "AGE": ("This {AGE}-year-old lives alone.", "At {AGE} years of age, the risk is high."),
    "PHONE": ("Call {PHONE} with results.", "The sister can be reached at {PHONE}."),
    "FAX": ("Records to be faxed to {FAX}.", "Fax: {FAX}."),
    "EMAIL": ("Write to {EMAIL} for the leaflet.", "Portal address is {EMAIL}."),
    "SSN": ("SSN {SSN} on file.", "Social security number: {SSN}."),
    "MRN": ("MRN: {MRN}.", "Chart number {MRN} was merged."),
    "HEALTH_PLAN": ("Insurance member ID {HEALTH_PLAN}.", "Health plan number {HEALTH_PLAN} was checked."),
    "ACCOUNT": ("Billing account {ACCOUNT} is open.", "Account no. {ACCOUNT}."),
    "LICENSE": ("Driver's license {LICENSE} was shown.", "DEA number {LICENSE}."),
    "VEHICLE": ("Parked car with plate {VEHICLE}.", "Involved vehicle: {VEHICLE}."),
    "DEVICE": ("Pacemaker serial number {DEVICE}.", "Insulin pump S/N {DEVICE} was replaced."),
    "URL": ("Diary kept at {URL}.", "See {URL} for the film."),
    "IP": ("Logged in from {IP} for the video visit.", "Device address {IP}."),
    "BIOMETRIC": ("Fingerprint template {BIOMETRIC} was enrolled.", "Voice print ID {BIOMETRIC}."),
    "PHOTO": ("Wound photograph {PHOTO} was stored.", "Face image file {PHOTO}."),
    "ID": ("Study subject code {ID}.", "Specimen accession {ID} was sent."),
}

FIRST = (  # noqa: SIM905
    "Adelaide Bartholomew Cordelia Dashiell Evangeline Fitzgerald Gwendolyn Horatio Isadora Jedediah Katarina "
    "Leopold Marguerite Nathaniel Ophelia Peregrine Quentin Rosamund Sebastian Theodora Ulysses Valentina "
    "Wolfgang Xanthe Yolanda Zachariah Min-Jun Aisha Oluwaseun Mei Hiroshi Fatima Andrzej Ingrid Santiago "
    "Priya Mary James Linda Robert"
).split(" ")
LAST = (  # noqa: SIM905
    "Abernathy Blackwood Castellano Delacroix Eisenhart Featherstone Grimshaw Hawthorne Ibarra Jankowski "
    "Kowalczyk Lindqvist Montgomery Nakamura O'Sullivan Papadopoulos Quintero Rasmussen Szymanski Thistlewood "
    "Umarov Vandermeer Wetherby Yamamoto Zimmerman Nguyen Okonkwo Patel Haddad Kim Smith Young Long Bright"
).split(" ")
STREETS = ("Maple Avenue", "Old Mill Road", "Harbor Street", "Juniper Lane", "Second Street", "Cathedral Square")
CITIES = ("Springvale", "Port Larkin", "Eastbrook", "Milton Ferry", "Cedar Junction", "Lakemont")
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November")


def write(folder: Path, size: int, seed: int) -> dict[str, Any]:
    """Two tables below `folder`; spans of every identifier by note, with start and end in characters."""
    count = NOTES * size
    truth: dict[str, Any] = {"columns": list(COLUMNS), "known": KNOWN, "notes": count, "tables": {}, "phi": {}}
    for table, name in enumerate(TABLES):
        span = range(count * table // 2, count * (table + 1) // 2)
        truth["tables"][name] = len(span)
        with plain_text(folder / name) as out:
            rows = csv.writer(out, lineterminator="\r\n")
            rows.writerow(COLUMNS)
            for number in span:
                row, phi = note(seed, number)
                rows.writerow(row)
                truth["phi"][str(row[0])] = phi
    return truth


def note(seed: int, number: int) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    """One row, and the identifiers in its text: `{"type", "start", "end", "text"}` in order."""
    rng = Random(f"{seed} note {number}")
    person = Random(f"{seed} person {number // 3}")
    first, last = person.choice(FIRST), person.choice(LAST)
    birth = f"{person.randint(1930, 2005)}-{person.randint(1, 12):02d}-{person.randint(1, 28):02d}"
    mrn = f"{person.randint(1_000_000, 9_999_999)}"
    values = {"PATIENT": rng.choice((f"{first} {last}", f"{last}, {first}", last, f"{first} {last}".upper()))}
    values |= {"MRN": mrn, "BIRTH_DATE": rng.choice((birth, f"{birth[5:7]}/{birth[8:]}/{birth[:4]}"))}
    kinds = list(SENTENCES)
    # Each kind in turn, so that every one is in many notes, and a few by chance.
    chosen = [kinds[(number * 3 + n) % len(kinds)] for n in range(3)] + rng.sample(kinds, rng.randint(2, 5))
    theme = prose.theme(rng, disease=2, drug=3, symptom=4, lab=3, organ=2, procedure=2)
    parts: list[str | tuple[str, str]] = [f"{rng.choice(('PROGRESS NOTE', 'CLINIC LETTER', 'Consultation'))}\n\n"]
    plain = prose.sentences(rng, "hpi", rng.randint(5, 8), theme) + prose.sentences(
        rng, "hospital", rng.randint(4, 8), theme
    )
    spots = sorted(rng.sample(range(len(plain) + len(chosen)), len(chosen)))
    for spot in range(len(plain) + len(chosen)):
        if spots and spot == spots[0]:
            spots.pop(0)
            kind = chosen.pop(0)
            before, after = rng.choice(SENTENCES[kind]).split("{" + kind + "}")
            parts += [before, (kind, values.get(kind) or identifier(rng, kind)), after]
        else:
            parts.append(plain.pop(0))
        parts.append("\n" if rng.random() < 0.2 else " ")
    parts += ["\nSigned by ", ("NAME", f"{rng.choice(FIRST)} {rng.choice(LAST)}"), ", MD"]
    text, phi = "", []
    for part in parts:
        if isinstance(part, tuple):
            type = "NAME" if part[0] == "PATIENT" else part[0]
            phi.append({"type": type, "start": len(text), "end": len(text) + len(part[1]), "text": part[1]})
            text += part[1]
        else:
            text += part
    date = f"{rng.randint(2015, 2024)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    kind = rng.choice(("progress", "letter", "consult"))
    return (f"N{number:07d}", f"P{number // 3:06d}", f"{first} {last}", mrn, birth, date, kind, text), phi


def identifier(rng: Random, kind: str) -> str:
    """An invented value of one kind, in one of the ways that people write it."""

    def digits(count: int) -> str:
        return "".join(str(rng.randrange(10)) for _ in range(count))

    letters = "".join(rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ") for _ in range(3))
    day, month, year = rng.randint(1, 28), rng.randint(1, 11), rng.randint(2012, 2024)
    house = f"{rng.randint(1, 990)} {rng.choice(STREETS)}"
    first, last = rng.choice(FIRST), rng.choice(LAST)
    plain = last.lower().replace("'", "")
    written = f"{MONTHS[month - 1]} {day}, {year}"
    ways: dict[str, tuple[str, ...]] = {
        "NAME": (f"{first} {last}", last, f"{first[0]}. {last}"),
        "LOCATION": (house, f"{house}, {rng.choice(CITIES)}", f"{rng.choice(CITIES)}, OH {rng.randint(43000, 45999)}"),
        "DATE": (f"{month}/{day}/{year}", f"{year}-{month:02d}-{day:02d}", written, f"{month}/{day}"),
        "AGE": (str(rng.randint(90, 104)),),
        "PHONE": (f"({rng.randint(201, 989)}) 555-{digits(4)}", f"{rng.randint(201, 989)}-555-{digits(4)}"),
        "FAX": (f"({rng.randint(201, 989)}) 555-{digits(4)}", f"{rng.randint(201, 989)}.555.{digits(4)}"),
        "EMAIL": (f"{first.lower()}.{digits(2)}@example.org", f"{plain}@mail.example.com"),
        "SSN": (f"{rng.randint(100, 665)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}",),
        "HEALTH_PLAN": (f"{letters}{digits(9)}", f"H{digits(10)}"),
        "ACCOUNT": (f"{digits(4)}-{digits(6)}", f"AC{digits(8)}"),
        "LICENSE": (f"{letters[:2]}{digits(7)}", f"{letters[0]}{digits(8)}"),
        "VEHICLE": (f"{letters} {digits(4)}", f"1H{letters}{digits(6)}{letters}{digits(3)}"),
        "DEVICE": (f"{letters}-{digits(7)}", f"SN{digits(9)}"),
        "URL": (f"https://www.{plain}-diary.example.net/{digits(3)}", f"www.example.com/~{first.lower()}"),
        "IP": (f"10.{rng.randint(0, 255)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}",),
        "BIOMETRIC": (f"FP-{digits(8)}", f"VP{digits(6)}{letters}"),
        "PHOTO": (f"IMG_{digits(6)}.jpg", f"face-{digits(5)}.png"),
        "ID": (f"{letters}-{digits(3)}-{digits(4)}", f"S{year % 100}-{digits(5)}"),
    }  # fmt: skip
    return rng.choice(ways[kind])
