"""Models behind the OpenAI protocol, commercial or self-hosted, as the harness asks them.

The harness has a client of its own; this one keeps to rate limits (Retry-After, x-ratelimit-*, a number of
requests a minute), tells what may be tried again from what may not, gives every answer as it comes, so that
none is paid for twice, and keeps the key out of everything that is written.

`chat` posts to /chat/completions: generated answers only. Otherwise /completions is asked, and the
likelihood of a given answer is read from an echoed prompt's log-probabilities (vLLM and TGI give them;
OpenAI's own no longer do).
"""

import json
import random
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any
from urllib.parse import urlsplit

import requests
from lm_eval.api.model import LM

AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529}
LONGEST = 60.0  # seconds between two tries, unless the server asks for more
STOPS = 4  # strings that OpenAI's protocol takes


class Pace:
    """When the next request may go: after what the server asks for, and so many a minute."""

    def __init__(self, per_minute: float | None) -> None:
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def turn(self) -> None:
        """Waits for a turn."""
        with self._lock:
            now = time.monotonic()
            at = max(now, self._next)
            self._next = at + self._gap
        time.sleep(max(0.0, at - now))

    def hold(self, seconds: float) -> None:
        """Nobody goes before so many seconds have passed."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


def seconds(said: str | None) -> float | None:
    """`20`, `1s`, `6m0s`, `120ms` (OpenAI's reset headers) as seconds; None for anything else."""
    if not said:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", said):
        return float(said)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", said)
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    return sum(float(number) * units[unit] for number, unit in parts) if parts else None


class Endpoint(LM):  # type: ignore[misc]
    """Raises ValueError for what a user has to mend: a wrong key or name, an address that never answers."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str | None = None,
        chat: bool = True,
        concurrency: int = 8,
        per_minute: float | None = None,
        timeout: float = 120.0,
        tries: int = 8,
    ) -> None:
        super().__init__()
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("--endpoint: an address like https://host/v1 is needed, without a key or a name in it")
        if parts.scheme == "http" and key and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError(f"--endpoint http://{parts.hostname}: a key would go unencrypted; use https")
        self.url, self.model, self.chat = url.rstrip("/"), model, chat
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._concurrency, self._timeout, self._tries = concurrency, timeout, tries
        self._pace = Pace(per_minute)
        self._local = threading.local()
        self._lacking: set[str] = set()  # parameters that this server does not take
        self.waits = 0  # tries that came to nothing, for whoever wants to know

    @property
    def tokenizer_name(self) -> str:
        return "endpoint"

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Messages, kept as JSON until they are sent."""
        messages = [{"role": each["role"], "content": each["content"]} for each in chat_history]
        return json.dumps(messages, ensure_ascii=False)

    def each(self, kind: str, asked: Sequence[Any], done: Callable[[int, Any], None]) -> None:
        """Asks all, several at a time; `done(number, answer)` is called in this thread's place, one at a time."""
        ask = {"generate_until": self._generate, "loglikelihood": self._weigh}.get(kind)
        if ask is None:
            raise ValueError(f"{kind} is not to be had from an endpoint")
        lock, stop = threading.Lock(), threading.Event()

        def work(number: int) -> None:
            if stop.is_set():
                return
            try:
                answer = ask(*asked[number].args)
            except BaseException:
                stop.set()
                raise
            with lock:
                done(number, answer)

        with ThreadPoolExecutor(self._concurrency) as pool:
            futures = [pool.submit(work, number) for number in range(len(asked))]
            finished, _ = wait(futures, return_when=FIRST_EXCEPTION)
            stop.set()
        for future in futures:
            if future in finished or future.done():
                future.result()

    def _all(self, kind: str, asked: Sequence[Any]) -> list[Any]:
        held: dict[int, Any] = {}
        self.each(kind, asked, held.__setitem__)
        return [held[number] for number in range(len(asked))]

    def generate_until(self, requests: Sequence[Any], **_: Any) -> list[str]:
        return self._all("generate_until", requests)

    def loglikelihood(self, requests: Sequence[Any], **_: Any) -> list[tuple[float, bool]]:
        return self._all("loglikelihood", requests)

    def loglikelihood_rolling(self, requests: Sequence[Any], **_: Any) -> list[float]:
        raise ValueError("the likelihood of whole texts is not to be had from an endpoint")

    def _generate(self, prompt: str, settings: dict[str, Any]) -> str:
        until = settings.get("until") or []
        payload: dict[str, Any] = {
            "model": self.model,
            "max_tokens": settings.get("max_gen_toks", 256),
            "temperature": settings.get("temperature", 0.0),
        }
        if until:
            payload["stop"] = until[:STOPS]
        if self.chat:
            messages = json.loads(prompt) if prompt.startswith("[{") else [{"role": "user", "content": prompt}]
            answer = self._post("/chat/completions", payload | {"messages": messages})
            text = answer["choices"][0]["message"].get("content") or ""
        else:
            text = self._post("/completions", payload | {"prompt": prompt})["choices"][0]["text"]
        # A server may not know `stop`.
        return min((text.split(each)[0] for each in until if each), key=len, default=text)

    def _weigh(self, context: str, continuation: str) -> tuple[float, bool]:
        if self.chat:
            raise ValueError("a chat endpoint gives no likelihoods: say --score generated, or --api completions")
        prompt = context + continuation
        payload = {
            "model": self.model,
            "prompt": prompt,
            "max_tokens": 1,
            "echo": True,
            "logprobs": 1,
            "temperature": 0,
        }
        held = self._post("/completions", payload)["choices"][0].get("logprobs") or {}
        tokens, sums, starts = (held.get(name) or [] for name in ("tokens", "token_logprobs", "text_offset"))
        best = held.get("top_logprobs") or [None] * len(tokens)
        mine = [n for n, at in enumerate(starts) if at < len(prompt) and at + len(tokens[n]) > len(context)]
        if (
            not mine
            or any(sums[n] is None for n in mine)
            or not "".join(tokens[n] for n in mine).endswith(continuation)
        ):
            raise ValueError(
                f"{self.url}/completions does not echo the prompt's log-probabilities as OpenAI's protocol says; "
                "say --score generated"
            )
        greedy = all(not best[n] or sums[n] >= max(best[n].values()) for n in mine)
        return sum(sums[n] for n in mine), greedy

    def _post(self, path: str, payload: dict[str, Any]) -> dict[str, Any]:
        session = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
        for turn in range(self._tries):
            self._pace.turn()
            try:
                reply = session.post(
                    self.url + path, json=self._without(payload), headers=self._headers, timeout=self._timeout
                )
            except (requests.ConnectionError, requests.Timeout) as error:
                why, pause = type(error).__name__, None
            else:
                self._heed(reply)
                if reply.ok:
                    try:
                        return dict(reply.json())
                    except ValueError:
                        why, pause = "an answer that is no JSON", None
                elif reply.status_code in AGAIN and _code(reply) != "insufficient_quota":
                    why, pause = str(reply.status_code), seconds(reply.headers.get("Retry-After"))
                    if pause is not None and reply.status_code == 429:
                        self._pace.hold(pause)
                elif self._learns(reply, payload):
                    continue
                else:
                    raise ValueError(self._refused(reply))
            self.waits += 1
            if turn + 1 < self._tries:
                drawn = random.uniform(0.5, 1.0)  # so that many clients do not come back together
                time.sleep(pause if pause is not None else min(LONGEST, 0.5 * 2**turn) * drawn)
        raise ValueError(
            f"{self.url} did not answer in {self._tries} tries (last: {why}); "
            "what was answered is kept: the same command again asks the rest"
        )

    def _heed(self, reply: requests.Response) -> None:
        """OpenAI's headers: how many requests and tokens are left, and when there will be more."""
        for what in ("requests", "tokens"):
            left = reply.headers.get(f"x-ratelimit-remaining-{what}")
            pause = seconds(reply.headers.get(f"x-ratelimit-reset-{what}"))
            if left is not None and left.isdigit() and int(left) == 0 and pause:
                self._pace.hold(min(pause, 300.0))

    def _without(self, payload: dict[str, Any]) -> dict[str, Any]:
        said = {name: value for name, value in payload.items() if name not in self._lacking}
        if "max_tokens" in self._lacking:  # newer models of OpenAI
            said["max_completion_tokens"] = payload["max_tokens"]
        return said

    def _learns(self, reply: requests.Response, payload: dict[str, Any]) -> bool:
        """Whether the server refuses a parameter that can be left out: some models take no temperature or stop."""
        name = _error(reply).get("param")
        fresh = name in ("max_tokens", "temperature", "stop") and name in payload and name not in self._lacking
        if reply.status_code == 400 and fresh:
            self._lacking.add(str(name))
            return True
        return False

    def _refused(self, reply: requests.Response) -> str:
        """Status and code alone: a server's message may quote the prompt, or the key."""
        hints = {
            401: "the key is wrong or missing (--key-from names the environment variable that holds it)",
            403: "this key may not use this model",
            404: f"there is no model {self.model!r}, or no such path at this address",
            400: "the request was not understood; a prompt may be longer than the model's context",
            413: "a prompt is too long",
            429: "the quota of this key is used up",
        }
        code = _code(reply)
        hint = hints.get(reply.status_code, "see the server's log")
        return f"{self.url} answered {reply.status_code}{f' ({code})' if code else ''}: {hint}"


def _error(reply: requests.Response) -> dict[str, Any]:
    try:
        held = reply.json().get("error")
    except (ValueError, AttributeError):
        return {}
    return held if isinstance(held, dict) else {}


def _code(reply: requests.Response) -> str:
    code = str(_error(reply).get("code") or "")
    return code if re.fullmatch(r"[\w.-]{1,60}", code) else ""
