"""The miniature world on loopback: a web server with the publishers' habits, and with faults on demand.

    with World(folder) as world:
        world.fault("n0002.xml.gz", "reset", times=2)
        ... fetch from world.url ...

    python -m tests.world FOLDER [--port 8000] [--latency 0.1]

It lists folders as Apache does, a bucket as S3 does, answers Range and If-Range, and below `/mimic/`
hears a name and password from wget alone, as PhysioNet does.
"""

import argparse
import base64
import socket
import struct
import threading
import time
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pipelines.transport import bucket_xml, local_listing

PAGE = b"<!DOCTYPE html>\n<html><body>Please log in, or come back later.</body></html>\n"
USER, PASSWORD = "somebody@example.org", "correct horse battery staple"

KINDS = {
    "reset": "the connection is reset in mid-body",
    "truncate": "the connection is closed in mid-body",
    "short": "the first half of the body, as if it were all",
    "corrupt": "one byte is another",
    "page": "a web page with status 200",
    "busy": "429 with Retry-After",
    "unavailable": "503",
    "missing": "404",
    "slow": "the body stops half-way for a while",
    "no range": "Range is ignored",
    "login": "a redirect to a login page",
    "other": "a side-car with another digest",
}


@dataclass
class Fault:
    """What goes wrong, where (a part of the path), and how often."""

    where: str
    kind: str
    times: float
    seconds: float
    met: int = 0


@dataclass
class World:
    """A server over a folder. `asked` counts requests by path; `most` is how many ran at once.

    `tokens` are those that clients of the hub gave, "" of one that gave none.
    """

    folder: Path
    latency: float = 0.0
    port: int = 0  # any that is free
    faults: list[Fault] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    agents: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    running: int = 0
    most: int = 0

    def __enter__(self) -> "World":
        world = self

        class Handler(_Handler):
            pass

        Handler.world = world
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", self.port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fault(self, where: str, kind: str, times: float = 1, seconds: float = 0.0) -> Fault:
        """From now on, the next `times` requests for paths that contain `where` go wrong."""
        assert kind in KINDS, kind
        fault = Fault(where, kind, times, seconds)
        self.faults.append(fault)
        return fault

    def due(self, path: str) -> Fault | None:
        with self._lock:
            for fault in self.faults:
                if fault.where in path and fault.met < fault.times:
                    fault.met += 1
                    return fault
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address) -> None:  # resets are meant
        pass


class _Handler(BaseHTTPRequestHandler):
    world: World
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else head and body of each answer wait 40 ms for each other

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        world = self.world
        with world._lock:
            world.running += 1
            world.most = max(world.most, world.running)
        try:
            time.sleep(world.latency)
            path = urllib.parse.unquote(self.path)
            world.agents.add(self.headers.get("User-Agent", "").partition("/")[0])
            world.tokens.add(self.headers.get("Authorization", "").partition("Bearer ")[2])
            if body:
                world.asked[path] += 1
            if path.startswith("/login"):
                self._send(200, PAGE, {"Content-Type": "text/html"})
            elif path.startswith("/mimic/") and (refusal := self._refusal()):
                self._send(refusal, b"", {"WWW-Authenticate": 'Basic realm="PhysioNet"'} if refusal == 401 else {})
            else:
                self._serve(path, body, world.due(path) if body else None)
        finally:
            with world._lock:
                world.running -= 1

    def _refusal(self) -> int | None:
        """PhysioNet's rule: passwords are heard from wget alone; from others, 403 whatever they say."""
        if not self.headers.get("User-Agent", "").startswith(("Wget/", "libwfdb/")):
            return 403
        told = self.headers.get("Authorization", "")
        right = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return None if told == right else 401

    def _serve(self, path: str, body: bool, fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        if kind == "busy":
            return self._send(429, b"", {"Retry-After": f"{fault.seconds:g}" if fault else "0"})
        if kind in ("unavailable", "missing"):
            return self._send(503 if kind == "unavailable" else 404, b"")
        if kind == "login":
            return self._send(302, b"", {"Location": f"{self.world.url}/login/?next={path}"})
        if kind == "page":
            return self._send(200, PAGE, {"Content-Type": "text/html"})
        place, _, query = path.partition("?")
        target = self.world.folder / place.lstrip("/")
        if "list-type=2" in query:
            return self._send(200, bucket_xml(target, dict(urllib.parse.parse_qsl(query))))
        if target.is_dir():
            return self._send(200, local_listing(target.as_uri()) or b"", {"Content-Type": "text/html"})
        if not target.is_file():
            return self._send(404, b"")
        self._file(target, body, fault)

    def _file(self, target: Path, body: bool, fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        data = target.read_bytes()
        if kind == "short":
            data = data[: len(data) // 2]
        if kind == "corrupt":
            data = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
        if kind == "other":
            data = data[:-33] + data[-33:].translate(bytes.maketrans(b"0123456789", b"1234567890"))
        tag = f'"{target.stat().st_mtime_ns:x}-{target.stat().st_size:x}"'
        start, headers = 0, {"ETag": tag, "Accept-Ranges": "bytes"}
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes=") and kind != "no range" and self.headers.get("If-Range", tag) == tag:
            start = int(asked[6:].partition("-")[0])
            if start >= len(data):
                return self._send(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        if kind in ("reset", "truncate", "slow"):
            half = start + (len(data) - start) // 2
            self._send(206 if "Content-Range" in headers else 200, data[start:half], headers, len(data) - start)
            self.wfile.flush()
            self.close_connection = True
            if kind == "slow":
                time.sleep(fault.seconds if fault else 0)
                self.wfile.write(data[half:])
            if kind == "reset":  # RST in place of FIN, once the client has read what came before
                time.sleep(0.05)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            return None
        self.world.sent[self.path] += (len(data) - start) * body
        return self._send(
            206 if "Content-Range" in headers else 200, data[start:] if body else b"", headers, len(data) - start
        )

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None, length: int | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.world", description="Serve a world until interrupted.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    asked = parser.parse_args()
    with World(asked.folder, asked.latency, asked.port) as world:
        print(world.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
