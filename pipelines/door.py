"""The door's manners: how often and how patiently a host is asked."""

import contextlib
import functools
import math
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from random import random
from typing import Any, TypeVar

import requests

from corpus.files import BadInput
from pipelines import transport
from pipelines.progress import say, span
from pipelines.transport import Interrupted, Reply, Stopped

T = TypeVar("T")

_SIDE_CAR = re.compile(r'href="([^"/?]+\.md5)"')
PATIENCE = 3.0  # seconds of a pause that is told of: who waits so long wants to know for what
BEAT = 10.0  # seconds between two such lines for one host
HOPELESS = 4  # after so many failures in a row, the rest would fail too


@dataclass(frozen=True)
class Manners:
    """How patient and how polite: tries without any progress, pauses in seconds, requests at once.

    Pauses double from `pause` to `longest`, with chance added, and are never shorter than a server's
    Retry-After. NCBI states no limit for its file server; other mirrors of it use up to four
    connections (`per_host`). Object stores take many (`per_bucket`). `spare` bytes of disk stay free.
    """

    tries: int = 8
    pause: float = 1.0
    longest: float = 300.0
    timeout: float = 60.0
    per_host: int = 4
    per_bucket: int = 64
    spare: int = 1 << 30


class _Host:
    """Who may ask one host now: so many at once, and nobody before the pause is over."""

    def __init__(self, places: int) -> None:
        self.places = threading.Semaphore(places)
        self.not_before = 0.0
        self.told = -math.inf

    def tell(self, line: str) -> None:
        """Says that somebody waits, but not for everybody who does."""
        now = time.monotonic()
        if now - self.told >= BEAT:
            self.told = now
            say(line)


class Door:
    """Opens addresses, patiently and politely. Called with an address it gives a small file's bytes.

    `restricted` sends http requests through wget, which PhysioNet insists on. `bucket` says that its
    hosts are object stores, whatever their names.
    """

    def __init__(self, manners: Manners | None = None, restricted: bool = False, bucket: bool = False) -> None:
        self.manners = manners or Manners()
        self.restricted = restricted
        self.bucket = bucket
        self.stop = threading.Event()
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        self._s3: Any = None
        self._named: dict[str, int] = {}
        self._asked: dict[str, Future[bytes]] = {}
        self._pool: ThreadPoolExecutor | None = None

    def __call__(self, url: str) -> bytes:
        """The bytes of a listing or a side-car; a folder on the disk answers as its server would.

        A web page in place of a side-car or list is asked for once more, then left to the caller to
        judge. The side-cars that a folder's page names are asked for ahead, several at once, when the
        first of them is wanted: one after the other, PubMed's 1,600 take minutes.
        """
        transport.checked(url)
        kind = transport.scheme(url)
        if kind == "file" and (listing := transport.local_listing(url)) is not None:
            return listing
        if kind == "s3" and (listing := transport.s3_listing(self.s3, url)) is not None:
            return listing
        if url in self._named:
            body = self._ahead(url)
        else:
            body = self.patiently(url, lambda: self._whole(url))
            if kind == "http" and url.endswith("/") and not self.restricted:
                names = [urllib.parse.urljoin(url, name) for name in _SIDE_CAR.findall(body.decode("utf-8", "replace"))]
                self._named |= {name: number for number, name in enumerate(names, len(self._named))}
        if transport.is_page(body[:512]) and transport.is_data(url) and not self.stop.wait(self.manners.pause):
            body = self.patiently(url, lambda: self._whole(url))
        return body

    def _ahead(self, url: str) -> bytes:
        """A side-car's bytes, and those of the next few in the listing on their way."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.places(url), "listing")
        names = list(islice(self._named, self._named[url], self._named[url] + 4 * self.places(url)))
        for name in names:
            if name not in self._asked:
                self._asked[name] = self._pool.submit(self.patiently, name, functools.partial(self._whole, name))
        return self._asked.pop(url).result()

    def close(self) -> None:
        """Ends what was asked for ahead and is not wanted any more."""
        if self._pool is not None:
            self.stop.set()
            self._pool.shutdown(wait=True, cancel_futures=True)
            self.stop.clear()
            self._pool = None
        self._named, self._asked = {}, {}

    def _whole(self, url: str) -> bytes:
        if self.by_wget(url):
            return transport.wget(url, None, self.manners.timeout, self.stop.is_set)
        reply = self.open(url, 0, None)
        body = b"".join(self.flowing(reply.chunks))
        if reply.total is not None and len(body) != reply.total:
            raise Interrupted(f"{len(body)} of {reply.total} bytes came")
        return body

    def open(self, url: str, start: int, validator: str | None) -> Reply:
        """One request, without waiting or trying again."""
        kind = transport.scheme(url)
        if kind == "file":
            return transport.open_local(url, start)
        if kind == "s3":
            return transport.open_s3(self.s3, url, start, validator)
        return transport.open_http(self.session, url, start, validator, self.manners.timeout)

    def flowing(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The chunks, until the run is stopped."""
        for chunk in chunks:
            if self.stop.is_set():
                raise Stopped
            yield chunk

    def by_wget(self, url: str) -> bool:
        return self.restricted and transport.scheme(url) == "http"

    def patiently(self, url: str, attempt: Callable[[], T], advanced: Callable[[], bool] = lambda: False) -> T:
        """The result of `attempt`, tried again after what another try may mend.

        Tries are counted anew when `advanced` says that the last one brought something.
        Raises BadInput when the tries are used up.
        """
        failed = 0
        while True:
            try:
                with self._turn(url):
                    return attempt()
            except Interrupted as error:
                failed = 1 if advanced() else failed + 1
                if failed >= self.manners.tries:
                    raise BadInput(
                        f"{url}: {error}; given up after {failed} tries: run the same command again later, "
                        "what has come is kept"
                    ) from error
                pause = self.manners.pause * 2 ** (failed - 1) * (0.75 + random() / 2)
                pause = min(max(pause, error.after), self.manners.longest)
                if error.after:  # the server spoke to everybody who asks it
                    self._host(url).not_before = time.monotonic() + pause
                if pause >= PATIENCE:
                    again = f"try {failed + 1} of {self.manners.tries} in {span(pause)}"
                    self._host(url).tell(f"  {urllib.parse.urlsplit(url).hostname}: {error}; {again}")
                if self.stop.wait(pause):
                    raise Stopped from error

    @contextlib.contextmanager
    def _turn(self, url: str) -> Iterator[None]:
        host = self._host(url)
        with host.places:
            left = host.not_before - time.monotonic()
            if self.stop.wait(left) if left > 0 else self.stop.is_set():
                raise Stopped
            yield

    def _host(self, url: str) -> _Host:
        name = transport.host(url)
        with self._lock:
            return self._hosts.setdefault(name, _Host(self.places(url)))

    def places(self, url: str) -> int:
        """How many requests may be open at its host at once."""
        return self.manners.per_bucket if self.bucket or transport.is_bucket(url) else self.manners.per_host

    @property
    def session(self) -> requests.Session:
        with self._lock:
            if self._session is None:
                self._session = requests.Session()
                self._session.headers["User-Agent"] = transport.AGENT
                adapter = requests.adapters.HTTPAdapter(pool_maxsize=self.manners.per_bucket)
                self._session.mount("https://", adapter)
                self._session.mount("http://", adapter)
            return self._session

    @property
    def s3(self) -> Any:
        with self._lock:
            if self._s3 is None:
                self._s3 = transport.s3_client(self.manners.per_bucket)
            return self._s3

    def size(self, url: str) -> int | None:
        """The size of a file in bytes, when it is to be had without fetching it."""
        if transport.scheme(url) == "file":
            path = transport.local_path(url)
            return path.stat().st_size if path.is_file() else None
        if transport.scheme(url) != "http" or self.restricted:
            return None
        try:
            with self._turn(url):
                answer = self.session.head(url, timeout=self.manners.timeout, allow_redirects=True)
        except requests.RequestException:
            return None  # the transfer itself will say what is wrong
        length = answer.headers.get("Content-Length", "")
        return int(length) if answer.ok and length.isdecimal() else None
