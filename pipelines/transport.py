"""How bytes come from an address: http(s), S3, the local disk, and wget where PhysioNet wants it.

Every way answers with the same `Reply`, from byte `start` on when it can resume and from 0 when it
cannot. What another try may mend is `Interrupted`; what it will not mend is `BadInput`. Nothing here
writes files, counts tries or waits: that is `pipelines.download`.
"""

import contextlib
import email.utils
import os
import re
import shutil
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import requests
import urllib3

from corpus.files import BadInput

BLOCK = 1 << 18
PACKET = 1 << 16  # read from a socket at once: what is lost of it when the connection breaks
AGENT = "medical-corpus/0.1"
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # statuses that another try may mend
_PAGE = (b"<!doctype html", b"<html")


class Interrupted(Exception):
    """A transfer that another try may mend; `after` is how many seconds the server asks to wait."""

    def __init__(self, why: str, after: float = 0.0, restart: bool = False) -> None:
        super().__init__(why)
        self.after = after
        self.restart = restart  # what is there already cannot be continued


class Stopped(Exception):
    """Another thread failed or the user stopped the run: put the pen down."""


class Missing(BadInput):
    """The publisher has no such file."""


@dataclass
class Reply:
    """An answer: bytes from `start` on; `total` is the size of the whole, `validator` names its state."""

    start: int
    total: int | None
    validator: str | None
    chunks: Iterator[bytes]


def is_page(head: bytes) -> bool:
    """Whether these first bytes are of a web page."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:64].lower().startswith(_PAGE)


def is_data(url: str) -> bool:
    """Whether an address, by its ending, is of data and not of a page."""
    return urllib.parse.urlsplit(url).path.endswith((".md5", ".txt", ".json", ".jsonl", ".csv", ".gz", ".xml", ".zst"))


def scheme(url: str) -> str:
    """http, s3 or file; a plain path is file."""
    kind = urllib.parse.urlsplit(url).scheme.lower()
    if kind in ("http", "https"):
        return "http"
    if kind == "s3":
        return "s3"
    if kind in ("", "file"):
        return "file"
    raise BadInput(f"{url}: addresses begin with https://, http://, s3:// or file://, or are paths; found {kind}://")


def host(url: str) -> str:
    """Whom a request burdens."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}:{parts.port or ''}" if parts.scheme else "file://"


def is_bucket(url: str) -> bool:
    """Whether the address is an object store's, which is made for many requests at once."""
    name = urllib.parse.urlsplit(url).hostname or ""
    return scheme(url) == "s3" or name.endswith(
        (".amazonaws.com", "storage.googleapis.com", ".r2.cloudflarestorage.com")
    )


def checked(url: str) -> str:
    """The address itself; refuses one with a user name or password, which manifests and logs would keep."""
    parts = urllib.parse.urlsplit(url)
    if parts.username or parts.password:
        plain = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        raise BadInput(f"{plain}: this address holds a user name or password; put them into ~/.netrc instead")
    return url


# ---- the local disk ----


def local_path(url: str) -> Path:
    """The path that a file:// address or a plain path names, without a query."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme.lower() != "file":
        return Path(url.partition("?")[0])
    return Path(urllib.parse.unquote(parts.path))


def open_local(url: str, start: int) -> Reply:
    """A file's bytes; folders are `local_listing`'s."""
    path = local_path(url)
    try:
        file = open(path, "rb")  # noqa: SIM115 (the chunks that are returned own it)
    except FileNotFoundError as error:
        raise Missing(f"{url}: there is no such file; check the address") from error
    except (IsADirectoryError, PermissionError) as error:
        raise BadInput(f"{url}: {error.strerror}; check the address") from error
    stat = os.fstat(file.fileno())
    if start > stat.st_size:
        start = 0
    file.seek(start)

    def chunks() -> Iterator[bytes]:
        with file:
            while block := file.read(BLOCK):
                yield block

    return Reply(start, stat.st_size, f"{stat.st_size}-{stat.st_mtime_ns}", chunks())


def local_listing(url: str) -> bytes | None:
    """A folder as its server would show it: a bucket's XML when the query asks for it, else a page.

    None when the address is no folder. A folder with an index.html shows that.
    """
    path, query = local_path(url), dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    if not path.is_dir():
        return None
    if query.get("list-type") == "2":
        return bucket_xml(path, query)
    if (path / "index.html").is_file():
        return (path / "index.html").read_bytes()
    names = sorted(entry.name + "/" * entry.is_dir() for entry in path.iterdir())
    rows = "".join(f'<a href="{escape(urllib.parse.quote(name))}">{escape(name)}</a>\n' for name in names)
    return f"<html><body><pre>\n{rows}</pre></body></html>\n".encode()


def bucket_xml(root: Path, query: Mapping[str, str]) -> bytes:
    """What S3 answers to ListObjectsV2 (prefix, delimiter) for a folder that stands for a bucket."""
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    folder = root / prefix.rpartition("/")[0]
    keys, prefixes = [], set()
    if folder.is_dir():
        for entry in sorted(folder.iterdir() if delimiter else folder.rglob("*")):
            key = entry.relative_to(root).as_posix()
            if not key.startswith(prefix):
                continue
            if entry.is_dir() and delimiter:
                prefixes.add(key + "/")
            elif entry.is_file():
                keys.append(key)
    rows = "".join(f"<Contents><Key>{escape(key)}</Key></Contents>" for key in keys)
    rows += "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in sorted(prefixes))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Prefix>{escape(prefix)}</Prefix><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"
    ).encode()


# ---- http and https ----


def open_http(session: requests.Session, url: str, start: int, validator: str | None, timeout: float) -> Reply:
    """A body as it lies on the server (no decoding); resumes with Range and If-Range."""
    headers = {"Accept-Encoding": "identity"} | _hub_token(url)
    if start and validator:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    try:
        response = session.get(url, headers=headers, stream=True, timeout=timeout)
    except requests.exceptions.SSLError as error:
        raise BadInput(
            f"{url}: the connection is not safe ({_short(error)}); check the address and the clock"
        ) from error
    except (requests.ConnectionError, requests.Timeout) as error:
        raise Interrupted(_short(error)) from error
    except (requests.RequestException, ValueError) as error:
        raise BadInput(f"{url}: cannot be asked for ({_short(error)}); check the address") from error
    if response.status_code == 416 and response.headers.get("Content-Range") == f"bytes */{start}":
        response.close()
        return Reply(start, start, validator, iter(()))  # all of it is there already
    if response.status_code not in (200, 206):
        with response:
            raise refused(url, response.status_code, response.headers)
    begin, total = 0, _number(response.headers.get("Content-Length"))
    if response.status_code == 206:
        found = re.match(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != start:
            response.close()
            raise Interrupted("the server sent another range than was asked for", restart=True)
        begin, total = start, _number(found[2])
    return Reply(begin, total, _validator(response.headers), _body(response))


def _hub_token(url: str) -> dict[str, str]:
    """What says to the hub, and to nobody else, who is asking: the token of HF_TOKEN or of `hf auth login`."""
    hub = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    if not url.startswith(hub.rstrip("/") + "/"):
        return {}
    from huggingface_hub import get_token

    token = get_token()
    return {"Authorization": f"Bearer {token}"} if token else {}


def _body(response: requests.Response) -> Iterator[bytes]:
    with response:
        try:
            yield from response.raw.stream(PACKET, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Interrupted(_short(error)) from error


def refused(url: str, status: int, headers: Mapping[str, str]) -> Exception:
    """What a status other than 200 and 206 means for the next try."""
    if status in _PASSING:
        return Interrupted(f"status {status}", retry_after(headers.get("Retry-After")))
    if status == 416:
        return Interrupted("the server has no such range", restart=True)
    if status in (401, 403):
        return BadInput(f"{url}: status {status}, access is refused; check your credentials and what they permit")
    if status in (404, 410):
        return Missing(
            f"{url}: status {status}, there is no such file; the publisher may have moved it: check the address"
        )
    return BadInput(f"{url}: status {status}; check the address, or try again later")


def retry_after(value: str | None) -> float:
    """Seconds that a Retry-After header asks for: a number, or a date (RFC 9110, 10.2.3)."""
    if not value:
        return 0.0
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0


def _validator(headers: Mapping[str, str]) -> str | None:
    """What may stand in If-Range: a strong ETag, else the date of the last change."""
    tag = headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


def _number(value: str | None) -> int | None:
    return int(value) if value and value.isdecimal() else None


def _short(error: BaseException) -> str:
    """What went wrong, without the address and objects that the libraries print."""
    inner = error
    while inner.args and isinstance(inner.args[0], BaseException):
        inner = inner.args[0]
    reason = getattr(inner, "reason", None)
    inner = reason if isinstance(reason, BaseException) else inner
    return re.sub(r"<[^>]*object at 0x[^>]*>:? ?|\bat 0x[0-9a-f]+", "", str(inner))[:200] or type(inner).__name__


# ---- S3 ----


def open_s3(client: Any, url: str, start: int, validator: str | None) -> Reply:
    """An object's bytes; resumes only while its ETag is the same."""
    import botocore.exceptions

    parts = urllib.parse.urlsplit(url)
    wanted: dict[str, str] = {"Bucket": parts.netloc, "Key": urllib.parse.unquote(parts.path.lstrip("/"))}
    if start and validator:
        wanted |= {"Range": f"bytes={start}-", "IfMatch": validator}
    try:
        answer = client.get_object(**wanted)
    except botocore.exceptions.ClientError as error:
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if status in (412, 416):
            raise Interrupted("the object changed", restart=True) from error
        raise refused(url, status, error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})) from error
    except botocore.exceptions.BotoCoreError as error:
        raise Interrupted(_short(error)) from error
    begin = start if "ContentRange" in answer else 0
    length = int(answer["ContentLength"])

    def chunks() -> Iterator[bytes]:
        with contextlib.closing(answer["Body"]) as body:
            try:
                yield from body.iter_chunks(PACKET)
            except (botocore.exceptions.BotoCoreError, urllib3.exceptions.HTTPError, OSError) as error:
                raise Interrupted(_short(error)) from error

    return Reply(begin, begin + length, answer.get("ETag"), chunks())


def s3_listing(client: Any, url: str) -> bytes | None:
    """The XML of `s3://bucket/?list-type=2&prefix=…&delimiter=/`; None for any other address."""
    parts = urllib.parse.urlsplit(url)
    query = dict(urllib.parse.parse_qsl(parts.query))
    if query.get("list-type") != "2":
        return None
    rows = []
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=parts.netloc, Prefix=query.get("prefix", ""), Delimiter=query.get("delimiter", "")
    )
    for page in pages:
        rows += [f"<Contents><Key>{escape(one['Key'])}</Key></Contents>" for one in page.get("Contents", ())]
        rows += [
            f"<CommonPrefixes><Prefix>{escape(one['Prefix'])}</Prefix></CommonPrefixes>"
            for one in page.get("CommonPrefixes", ())
        ]
    return f"<ListBucketResult>{''.join(rows)}</ListBucketResult>".encode()


def s3_client(connections: int) -> Any:
    """An anonymous client; AWS_ENDPOINT_URL names another endpoint. Tries are counted by the caller."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    return boto3.client(
        "s3",
        region_name=os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
        config=Config(
            signature_version=UNSIGNED,
            max_pool_connections=connections,
            retries={"total_max_attempts": 1},
            connect_timeout=30,
            read_timeout=60,
        ),
    )


# ---- PhysioNet ----

_STATUS = re.compile(rb"HTTP/[\d.]+ (\d{3})")
CREDENTIALS = (
    "give wget your PhysioNet name and password: in ~/.netrc (`machine physionet.org login NAME password WORD`, "
    "mode 0600), or by a program named in WGET_ASKPASS; and sign the project's agreement on its page"
)


def wget(url: str, into: Path | None, timeout: float, stopped: Callable[[], bool] = lambda: False) -> bytes:
    """The real wget, because PhysioNet hears passwords from no other program.

    Into a file, going on where it ends; or, without one, the body as bytes. The name and password
    come from ~/.netrc, ~/.wgetrc or the program in WGET_ASKPASS, never from the command line.
    It is ended when `stopped` says so.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise BadInput(f"{url}: restricted data is fetched by https alone; write the address with https://")
    program = shutil.which("wget")
    if program is None:
        raise BadInput(
            f"{url}: PhysioNet answers to wget alone, and there is no wget here; install it, or put the files "
            "that you have into a folder and give that with --raw"
        )
    command = [program, "--server-response", "--no-verbose", "--no-hsts", "--tries=1", f"--timeout={timeout:g}"]
    if os.environ.get("WGET_ASKPASS"):
        command.append(f"--use-askpass={os.environ['WGET_ASKPASS']}")
    command += ["--continue", "-O", str(into)] if into is not None else ["-O", "-"]
    with subprocess.Popen(
        [*command, "--", url], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            while True:
                try:
                    body, said = process.communicate(timeout=0.5)
                    break
                except subprocess.TimeoutExpired:
                    if stopped():
                        raise Stopped from None
        except BaseException:
            process.kill()
            raise
    statuses = [int(found) for found in _STATUS.findall(said)]
    status = statuses[-1] if statuses else 0
    if process.returncode == 0:
        return body
    if status in (401, 403):
        raise BadInput(f"{url}: status {status}, access is refused; {CREDENTIALS}")
    if status == 416 or (status == 206 and process.returncode != 4):
        raise Interrupted("what is there cannot be continued", restart=True)
    if status and status not in (200, 206):
        raise refused(url, status, _headers(said))
    if process.returncode == 3:
        raise BadInput(f"{url}: wget could not write {into}; the disk is full, or the folder is not yours: see to it")
    if process.returncode == 5:
        raise BadInput(f"{url}: wget does not trust the server's certificate; check the address and the clock")
    if process.returncode == 2:
        raise BadInput(f"{url}: wget does not understand its settings; check ~/.wgetrc and ~/.netrc")
    raise Interrupted(f"wget ended with status {process.returncode}")


def _headers(said: bytes) -> dict[str, str]:
    """The headers of the last response that `wget --server-response` printed."""
    last = re.split(rb"HTTP/[\d.]+ \d{3}", said)[-1].decode("latin-1")
    return {name: value.strip() for name, value in re.findall(r"^\s*([\w-]+): (.*)$", last, re.M)}
