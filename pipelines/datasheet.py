"""What a build is, for people (DATASHEET.md) and for machines (croissant.json).

The datasheet follows the questions of "Datasheets for Datasets" (Gebru et al., arXiv 1803.09010);
the metadata is MLCommons Croissant 1.0 (https://docs.mlcommons.org/croissant/docs/croissant-spec.html).
Both are made from the manifest and the shards' licences, say no date, and are the same for the same build.
"""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpus.shards import schema
from pipelines.page import along
from pipelines.progress import amount

NAME, CROISSANT = "DATASHEET.md", "croissant.json"
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_FIELDS = {
    "id": "the source's name and the source's own key",
    "source": "where the document was published",
    "text": "the text after cleaning; absent where the build leaves it out",
    "license": "what the publisher says",
    "created": "a date, a month or a year",
    "meta": "a JSON object of what else the source says",
    "tokens": "token ids: BOS, the text, EOS",
    "prompt": "how many leading tokens carry no loss",
}


def _licences(content: Mapping[str, Any], build: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for (_, licence), (_, tokens) in along(content, build).licences.items():
        found[licence] += tokens
    return found


def _read(source: Mapping[str, Any]) -> int:
    return sum(file["documents"] for file in source["files"])


def croissant(content: Mapping[str, Any], build: Path) -> str:
    """Croissant metadata of a build whose shards are written: JSON-LD."""
    files = [
        {
            "@type": "cr:FileObject",
            "@id": item["path"],
            "name": item["path"],
            "contentUrl": item["path"],
            "encodingFormat": "application/vnd.apache.arrow.file",
            "contentSize": f"{item['bytes']} B",
            "sha256": item["sha256"],
        }
        for item in content["shards"]
    ]
    shards = {
        "@type": "cr:FileSet",
        "@id": "shards",
        "name": "shards",
        "description": "the stream, in the order of the shards' names and rows",
        "encodingFormat": "application/vnd.apache.arrow.file",
        "includes": "shards/*.arrow",
    }
    fields = []
    for field in schema(int(content["tokenizer"]["width"])):
        kind = "sc:Integer" if field.name in ("tokens", "prompt") else "sc:Text"
        told = {
            "@type": "cr:Field",
            "@id": f"documents/{field.name}",
            "name": field.name,
            "description": _FIELDS[field.name],
            "dataType": kind,
            "source": {"fileSet": {"@id": "shards"}, "extract": {"column": field.name}},
        }
        fields.append({**told, "repeated": True} if field.name == "tokens" else told)
    licences = sorted(_licences(content, build))
    of = content["mix"]
    told = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": content["name"],
        "version": f"1.0.0+{content['key'][:12]}",
        "description": (
            f"{content['tokens']} tokens in {content['documents']} documents for the training of a medical language "
            f"model: {', '.join(of['asked'])} at {':'.join(map(str, of['asked'].values()))} by tokens. "
            + ("Holds credentialed or private text; not to be published." if content["restricted"] else "")
        ).strip(),
        "identifier": content["key"],
        "license": licences or "none stated",
        "keywords": ["medicine", "language model", "pretraining", *of["asked"]],
        "isAccessibleForFree": not content["restricted"],
        "distribution": [*files, shards],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "documents",
                "name": "documents",
                "description": "one record for every time that a document stands in the stream",
                "field": fields,
            }
        ],
        "rai:dataCollection": "; ".join(
            f"{source['name']}: {len(source['files'])} files of the publisher, {_read(source)} documents"
            for source in content["sources"]
        ),
        "rai:dataPreprocessingProtocol": content["recipe"],
        "rai:personalSensitiveInformation": (
            "clinical notes, de-identified before they were written; the ledger counts what was masked"
            if content["restricted"]
            else "published literature and web pages"
        ),
    }
    return json.dumps(told, ensure_ascii=False, indent=1) + "\n"


def datasheet(content: Mapping[str, Any], build: Path) -> str:
    """The datasheet of a build whose shards and ledgers are written: Markdown."""
    of = content["mix"]
    whole = max(1, content["tokens"])
    lines = [
        f"# {content['name']}, build {content['key'][:12]}",
        "",
        "## Why it was made",
        "To train a medical language model on biomedical, clinical and general text in a fixed ratio by tokens.",
        "",
        "## What it holds",
        f"{content['tokens']:,} tokens in {content['documents']:,} documents, which stand {content['rows']:,} times in "
        f"{len(content['shards'])} shards. Tokenizer: {content['tokenizer']['name']} "
        f"({content['tokenizer']['vocabulary']:,} ids, sha256 {content['tokenizer']['sha256'][:16]}…).",
        "",
        "| group | asked | realised | tokens | share |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {of['asked'][name]} | {of['realised'][name]:.4f} | {amount(tokens)} | "
            f"{100 * tokens / whole:.2f} % |"
            for name, tokens in of["tokens"].items()
        ),
        "",
        f"In no prefix of the stream is a group more than {of['largest_deviation']:,} tokens from its share. "
        + (
            f"{sum(item['rows'] for item in content['heldout']):,} documents are held out for validation."
            if content["heldout"]
            else "Nothing is held out."
        ),
        "",
        "## Where it comes from",
        "| source | group | files | documents read | restricted |",
        "|---|---|---|---|---|",
        *(
            f"| {one['name']} | {one['group']} | {len(one['files']):,} | {_read(one):,} | "
            f"{'yes' if one['restricted'] else 'no'} |"
            for one in content["sources"]
        ),
        "",
        "manifest.json names every file with its size and sha256.",
        "",
        "## What was done to it",
        "Every document read has a row in ledger/ that says what became of it, by which rule and with which numbers; "
        "report.html adds them up. The recipe, as a value:",
        "",
        f"    {content['recipe']}",
        "",
        "## Licences",
        *(
            f"- {licence}: {amount(tokens)} tokens ({100 * tokens / whole:.2f} %)"
            for licence, tokens in _licences(content, build).most_common()
        ),
        "",
        "## What it may be used for",
        (
            "It holds credentialed or private text: only by those whom the data use agreements of its restricted "
            "sources name, and only where those allow. It may not be published, and neither may a model trained on "
            "it without asking what the agreements say of models."
            if content["restricted"]
            else "As the licences above allow. It is no medical advice, and a model trained on it gives none."
        ),
        "",
        "## How it is kept",
        "`python -m pipelines.verify BUILD` checks it, `python -m pipelines.why ID BUILD` answers for one document, "
        "`python -m pipelines.diff OLD NEW` compares two builds, and `python -m pipelines.erase BUILD ID` takes a "
        "document out.",
    ]
    return "\n".join(lines) + "\n"
