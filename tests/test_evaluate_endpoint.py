"""A server on loopback that speaks the OpenAI protocol, and fails in the ways that services fail."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from tests import harness
from trainer import evaluate
from trainer.endpoint import Endpoint, Pace, seconds

KEY = "sk-planted-secret-0123456789"


class Service(ThreadingHTTPServer):
    """Answers every chat with `says`; `faults` come first, one a request: a status, headers, seconds to wait."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: list[tuple[int, dict, float]] = []
        self.seen: list[dict] = []
        self.times: list[float] = []
        self.headers: dict[str, str] = {}
        self.says = "C"
        self.lm = None
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.seen.append({"path": self.path, "key": self.headers.get("Authorization"), **body})
            server.times.append(time.monotonic())
            status, headers, pause = server.faults.pop(0) if server.faults else (200, server.headers, 0)
        time.sleep(pause)
        if status != 200:
            error = headers.pop("error", {"message": f"bad {KEY}: {body}"})
            return self.answer(status, headers, {"error": error})
        if self.path == "/v1/chat/completions":
            return self.answer(200, headers, {"choices": [{"message": {"role": "assistant", "content": server.says}}]})
        if body.get("echo"):
            with server.lock:
                return self.answer(
                    200, headers, {"choices": [{"text": "", "logprobs": server.weighed(body["prompt"])}]}
                )
        return self.answer(200, headers, {"choices": [{"text": f" {server.says}\n\nmore"}]})

    def answer(self, status: int, headers: dict, content: dict) -> None:
        data = json.dumps(content).encode()
        try:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):  # the client did not wait
            self.close_connection = True

    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def service():
    server = Service()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def asked(count: int, **settings) -> list:
    return [SimpleNamespace(args=(f"question {n}", {"until": ["\n"], **settings})) for n in range(count)]


def test_faults_that_pass_are_tried_again_and_every_answer_comes(service):
    service.faults = [
        (429, {"Retry-After": "0.3"}, 0),
        (503, {}, 0),
        (500, {}, 0),
        (200, {}, 3),  # slower than the client waits
        (429, {"error": {"code": "rate_limit_exceeded"}, "Retry-After": "0.1"}, 0),
    ]
    endpoint = Endpoint(service.url, "m", concurrency=3, timeout=1)
    assert endpoint.generate_until(asked(12)) == ["C"] * 12
    assert endpoint.waits == 5
    assert len(service.seen) == 17
    # After "come back in 0.3 seconds" nobody came sooner.
    assert min(at for at in service.times[3:]) - service.times[0] >= 0.29


def test_a_limit_that_the_headers_tell_is_kept(service):
    service.faults = [(200, {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "400ms"}, 0)]
    Endpoint(service.url, "m", concurrency=1).generate_until(asked(2))
    assert service.times[1] - service.times[0] >= 0.39
    assert [seconds(said) for said in ("6m0s", "120ms", "20", "1h2s", "soon", None)] == [
        360,
        0.12,
        20,
        3602,
        None,
        None,
    ]


def test_so_many_a_minute(service):
    Endpoint(service.url, "m", concurrency=4, per_minute=600).generate_until(asked(5))
    assert max(service.times) - min(service.times) >= 0.38
    Pace(None).turn()


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (401, {"code": "invalid_api_key"}, "--key-from"),
        (404, {"code": "model_not_found"}, "no model 'm'"),
        (429, {"code": "insufficient_quota"}, "quota"),
        (400, {"message": "too long"}, "longer than the model"),
    ],
)
def test_faults_that_stay_end_at_once_in_words_without_key_or_prompt(service, status, error, words):
    service.faults = [(status, {"error": error | {"message": f"{KEY} question 0"}}, 0)]
    with pytest.raises(ValueError, match=words) as caught:
        Endpoint(service.url, "m", key=KEY, concurrency=1).generate_until(asked(3))
    assert len(service.seen) == 1
    assert KEY not in str(caught.value)
    assert "question" not in str(caught.value).split(":", 3)[-1].replace("the request", "")


def test_a_server_that_never_answers_is_given_up(service, monkeypatch):
    monkeypatch.setattr("trainer.endpoint.LONGEST", 0.01)
    service.faults = [(503, {}, 0) for _ in range(9)]
    with pytest.raises(ValueError, match="in 3 tries"):
        Endpoint(service.url, "m", concurrency=1, tries=3).generate_until(asked(1))


def test_parameters_that_a_model_does_not_take_are_left_out(service):
    service.faults = [
        (400, {"error": {"code": "unsupported_parameter", "param": "max_tokens"}}, 0),
        (400, {"error": {"code": "unsupported_value", "param": "temperature"}}, 0),
    ]
    assert Endpoint(service.url, "m", concurrency=1).generate_until(asked(2)) == ["C", "C"]
    assert len(service.seen) == 4
    assert service.seen[-1].keys() >= {"max_completion_tokens", "stop"}
    assert not service.seen[-1].keys() & {"max_tokens", "temperature"}


@pytest.mark.parametrize("url", ["ftp://x/v1", "https://me:pw@x/v1", "http://x.org/v1", "x"])
def test_addresses_that_would_give_a_key_away_are_refused(url):
    with pytest.raises(ValueError, match="--endpoint") as caught:
        Endpoint(url, "m", key=KEY)
    assert KEY not in str(caught.value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return harness.benchmarks(tmp_path_factory.mktemp("benchmarks"))


def run(service, folder, out, *more: str) -> int:
    given = ["--endpoint", service.url, "--model", "m", "--data", str(folder), "--out", str(out)]
    return evaluate.main([*given, "--key-from", "PLANTED_KEY", *more])


def test_a_chat_is_evaluated_and_its_key_stands_nowhere(service, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PLANTED_KEY", KEY)
    service.faults = [(429, {"Retry-After": "0.05"}, 0), (502, {}, 0)]
    assert run(service, folder, tmp_path, "--tasks", "medqa,pubmedqa") == 0
    content = json.loads((tmp_path / "results.json").read_text())
    held = [json.loads(line) for line in (tmp_path / "items/medqa-generated.jsonl").read_text().splitlines()]
    assert content["results"]["medqa"]["generated"]["acc"] == sum(row["gold"] == 2 for row in held) / len(held)
    assert content["results"]["pubmedqa"]["generated"]["unparsed"] == 1  # "C" is neither yes, no nor maybe
    assert {each["key"] for each in service.seen} == {f"Bearer {KEY}"}
    assert service.seen[-1]["messages"][0]["role"] == "system"
    written = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert KEY not in written + "".join(capsys.readouterr())
    # Again, and after a stop in the middle: only what is missing is asked, and paid for.
    before = len(service.seen)
    assert run(service, folder, tmp_path, "--tasks", "medqa,pubmedqa") == 0
    assert len(service.seen) == before
    lines = (tmp_path / "journal.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "journal.jsonl").write_text("".join(lines[:10]))
    service.faults = [(401, {}, 0)]
    assert run(service, folder, tmp_path, "--tasks", "medqa,pubmedqa", "--concurrency", "1") == 2
    assert run(service, folder, tmp_path, "--tasks", "medqa,pubmedqa") == 0
    assert len(service.seen) == before + 24 - 9 + 1


def test_echoed_likelihoods_are_those_of_the_model_itself(service, folder, tmp_path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    path = harness.model(tmp_path / "model")
    tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModelForCausalLM.from_pretrained(path)

    def weighed(prompt: str) -> dict:
        held = tokenizer(prompt, return_offsets_mapping=True)
        ids = torch.tensor([held["input_ids"]])
        with torch.no_grad():
            sums = model(ids).logits[0].log_softmax(-1)
        best = [None, *(float(row.max()) for row in sums[:-1])]
        mine = [None, *(float(sums[n, token]) for n, token in enumerate(ids[0, 1:].tolist()))]
        return {
            "tokens": [prompt[start:end] for start, end in held["offset_mapping"]],
            "token_logprobs": mine,
            "text_offset": [start for start, _ in held["offset_mapping"]],
            "top_logprobs": [None if value is None else {"x": value} for value in best],
        }

    service.weighed = weighed
    args = ["--tasks", "medqa", "--score", "likelihood", "--limit", "4"]
    assert run(service, folder, tmp_path / "api", "--api", "completions", *args) == 0
    here = ["--model", str(path), "--data", str(folder), "--out", str(tmp_path / "here"), "--dtype", "float32"]
    assert evaluate.main([*here, *args]) == 0
    for one, two in zip(*(rows(tmp_path / name) for name in ("api", "here")), strict=True):
        assert one["likelihoods"] == pytest.approx(two["likelihoods"], abs=1e-4)
        assert one["answer"] == two["answer"]


def rows(out) -> list[dict]:
    return [json.loads(line) for line in (out / "items/medqa-likelihood.jsonl").read_text().splitlines()]


def test_a_service_that_echoes_nothing_is_answered_in_words(service, folder, tmp_path, capsys):
    service.weighed = lambda prompt: None
    args = ["--tasks", "medqa", "--limit", "1", "--score", "likelihood"]
    assert run(service, folder, tmp_path, "--api", "completions", *args) == 2
    assert "does not echo" in capsys.readouterr().err
    assert run(service, folder, tmp_path / "chat", *args) == 2
    assert "chat endpoint gives no likelihoods" in capsys.readouterr().err
