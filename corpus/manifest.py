"""What exactly went in and came out, as JSON that is the same for the same content.

Keys are sorted, there are no time stamps, and the manifest of a build is the last file that is
written: where it exists, the build is complete.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpus.files import BadInput, text_digest, writing

NAME = "manifest.json"
FORMAT = 1


def dump(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1) + "\n"


def write(path: Path, content: Any, mode: int = 0o644) -> None:
    """Writes JSON, whole or not at all; a file that says the same already is not touched."""
    text = dump(content)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    with writing(path, mode) as partial:
        partial.write_text(text, encoding="utf-8")


def key(content: Any) -> str:
    """The hexadecimal digest of what `content` says."""
    return text_digest(dump(content)).removeprefix("sha256:")


def load(build: Path) -> Mapping[str, Any]:
    """The manifest of a finished build, given its folder.

    Raises BadInput when the folder holds no finished build.
    """
    path = Path(build) / NAME
    if not path.exists():
        raise BadInput(
            f"{build} holds no finished build: there is no {NAME}; name the folder that "
            "`python -m pipelines.build` printed, or run it again to finish what was begun"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}: not JSON ({error}); the file was changed after the build: build again") from error
    if content.get("format") != FORMAT:
        raise BadInput(
            f"{path}: format {content.get('format')!r}, expected {FORMAT}; "
            "this build was made by another version: use that version, or build again"
        )
    return content  # type: ignore[no-any-return]


def read(path: Path) -> Any:
    """The content of a JSON file that `write` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))
