"""The site's secret key: read from a file or the environment, and held nowhere else.

A filter or a source carries where the key lies and a short id derived from it, never the key.
"""

import functools
import hashlib
import hmac
import os
from pathlib import Path

from corpus.files import BadInput

VARIABLE, FILE_VARIABLE = "MEDICAL_CORPUS_KEY", "MEDICAL_CORPUS_KEY_FILE"
SHORTEST = 16  # bytes; shorter keys can be guessed from their id

_HOW = "make one with `openssl rand -hex 32 > key` and keep it readable by you alone"


@functools.lru_cache(maxsize=8)
def _of_file(path: str) -> bytes:
    try:
        return _checked(Path(path).read_bytes().strip(), f"the key file {path}")
    except OSError as error:
        raise BadInput(f"the key file {path} cannot be read ({error.strerror}); {_HOW}") from None


def _checked(key: bytes, where: str) -> bytes:
    if len(key) < SHORTEST:
        raise BadInput(f"{where} has {len(key)} bytes, and {SHORTEST} are the least; {_HOW}")
    return key


def read_key(path: str | None) -> bytes | None:
    """The key in `path`, else in $MEDICAL_CORPUS_KEY_FILE, else $MEDICAL_CORPUS_KEY; None without any."""
    where = path or os.environ.get(FILE_VARIABLE)
    if where:
        return _of_file(where)
    value = os.environ.get(VARIABLE)
    return _checked(value.encode().strip(), f"${VARIABLE}") if value else None


def key_id(key: bytes | None) -> str:
    """Eight hexadecimal digits that change when the key changes, and do not give it away."""
    return "none" if key is None else hmac.digest(key, b"medical-corpus key id", "sha256").hex()[:8]


def same_key(path: str | None, id: str, who: str) -> bytes | None:
    """The key with this id, read again; BadInput when another one lies there now."""
    if id == "none":
        return None
    key = read_key(path)
    if key_id(key) != id:
        raise BadInput(
            f"{who}: the site's key here is not the one with id {id} that it was made with; give every worker the "
            f"same key file or {VARIABLE}"
        )
    return key


def keyed(key: bytes, *parts: str) -> bytes:
    """32 bytes from HMAC-SHA256 over the parts (each preceded by its length)."""
    message = b"".join(len(part.encode()).to_bytes(8, "big") + part.encode() for part in parts)
    return hmac.digest(key, message, hashlib.sha256)


def pseudonym(key: bytes, kind: str, value: str) -> str:
    """16 hexadecimal digits that stand for a patient or a note: the same in every run with this key."""
    return keyed(key, kind, value).hex()[:16]
