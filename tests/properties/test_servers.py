"""One Bento answers the same, byte for byte, by BentoML and slim, started afresh and taken by a
warm process: good requests and bad ones.

``make prove`` puts 1,000 requests to each of ten kinds of models, CI 100 to each of two.
"""

import http.client
import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.registry.store import Store
from placet_agent import inside
from placet_verify.archive import extract
from tests.support import models
from tests.support.bentos import build
from tests.support.cache import RUNTIMES
from tests.support.models import SHARED, Trained

pytestmark = [pytest.mark.e2e]
PROVING = hypothesis.settings.default.max_examples > 100
FORMS = ("--fd", "--slim", "--warm bentoml", "--warm slim")
ID = "01234567-89ab-4cde-8f01-23456789abcd"


def faster(trained: Trained) -> Trained:
    """Ask for the ONNX form."""
    return replace(trained, facts={**trained.facts, "accelerate": True})


KINDS: dict[str, Callable[[], Trained]] = {
    "forest as ONNX": lambda: faster(models.sklearn_shared()),
    "histogram boosting": models.histogram_boosting,  # a column may be left out
    "forest": models.sklearn_shared,
    "pickle": lambda: models.sklearn_model("pickle"),
    "skops": models.skops_model,
    "onnx": models.onnx_model,
    "xgboost": models.xgboost_model,
    "lightgbm": models.lightgbm_model,
    "regression": lambda: models.regression("xgboost"),
    "lightgbm as ONNX": lambda: faster(models.lightgbm_model()),
}
TRIED = [*KINDS] if PROVING else [*KINDS][:2]


@dataclass
class Servers:
    """The same Bento behind a socket of each server."""

    sockets: dict[str, Path]
    rows: list[dict[str, Any]]
    cpu: dict[str, float] = field(default_factory=dict)  # seconds until it was ready
    megabytes: dict[str, float] = field(default_factory=dict)

    def ask(self, form: str, method: str, path: str, body: bytes | None) -> tuple[Any, ...]:
        """Return status, headers and body."""
        connection = http.client.HTTPConnection("replica")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.sockets[form]))
        connection.request(method, path, body, {"X-Request-Id": ID})
        answer = connection.getresponse()
        raw = answer.read()
        connection.close()
        return answer.status, [h for h in answer.getheaders() if h[0] != "date"], raw


@contextmanager
def serving(bento: Path, python: Path, form: str, path: Path) -> Iterator[int]:
    """Serve a Bento as a node does, on a socket that is made before; give its process id."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(64)
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        how, *kind = form.split()
        handed, own = listener, {"PLACET_REVISION": "rev_1"}
        if kind:
            handed, kind, own = theirs, [*kind, "libraries"], {}
        words = [str(python), "-P", inside.__file__, str(bento), how, str(handed.fileno()), *kind]
        server = subprocess.Popen(
            words,
            pass_fds=[handed.fileno()],
            env={"PATH": os.environ["PATH"], "HOME": str(path.parent), **own},
            stdout=subprocess.DEVNULL,
        )
        theirs.close()
        try:
            if kind:
                take(control, listener)
            yield server.pid
        finally:
            server.kill()
            server.wait()
            control.close()


def take(control: socket.socket, listener: socket.socket) -> None:
    """Have a warm process serve, as the agent does."""
    assert "ready" in json.loads(control.recv(inside.MESSAGE_BYTES))
    told = json.dumps({"variables": {"PLACET_REVISION": "rev_1"}}).encode()
    socket.send_fds(control, [told], [listener.fileno()])
    assert json.loads(control.recv(inside.MESSAGE_BYTES)) == {"taken": True}


@pytest.fixture(scope="module", params=TRIED)
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Servers]:
    """A kind of model, built and behind both servers."""
    folder = tmp_path_factory.mktemp("served")
    trained = KINDS[request.param]()
    made = build(replace(trained, facts={**trained.facts, "requirements": SHARED}), 1, folder)
    assert made.smoke.slim
    extract(Store(folder / "store").path(made.bento.sha256), folder / "bento")
    python = RUNTIMES / made.runtime.digest.removeprefix("sha256:") / "bin/python"
    found = Servers({f: folder / f"{f[2:]}.sock" for f in FORMS}, trained.facts["example"])
    with ExitStack() as stack:
        for form, path in found.sockets.items():
            pid = stack.enter_context(serving(folder / "bento", python, form, path))
            assert found.ask(form, "GET", "/readyz", None)[0] == 200  # waits until it listens
            spent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found.cpu[form] = (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")
            found.megabytes[form] = int(spent[21]) * os.sysconf("SC_PAGESIZE") / 1e6
        yield found


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.sampled_from([1e400, "1", "", {}, -0.0, 5e-324]),
)


@st.composite
def rows(draw: st.DrawFn) -> Any:
    """Draw how one example row is changed: values by place, one left out, one more."""
    values = st.one_of(st.floats(-1e3, 1e3), ODD)
    changed = draw(st.dictionaries(st.integers(0, 29), values, max_size=3))
    left_out = draw(st.sets(st.integers(0, 29), max_size=1))
    return (
        draw(st.integers(0, 4)),
        changed,
        left_out,
        draw(st.dictionaries(st.text(), ODD, max_size=1)),
    )


def written(row: dict[str, Any], drawn: Any) -> dict[str, Any]:
    """Return a row as it was drawn."""
    _, changed, left_out, more = drawn
    names = [*row]
    values = {**row, **{names[i % len(names)]: value for i, value in changed.items()}, **more}
    return {n: v for n, v in values.items() if n not in {names[i % len(names)] for i in left_out}}


PATHS = st.sampled_from(
    ["/predict"] * 8
    + ["/predict/", "/", "/livez", "/readyz/", "/healthz", "/schema.json", "/docs.json", "/no"]
)
METHODS = st.sampled_from(["POST"] * 12 + ["GET", "PUT", "HEAD", "DELETE", "OPTIONS"])
BODIES = st.one_of(
    st.tuples(st.just("one"), rows()),
    st.tuples(st.just("many"), st.lists(rows(), max_size=4)),
    st.tuples(st.just("raw"), st.binary(max_size=40)),
    st.tuples(st.just("json"), ODD),
)


def body_of(found: Servers, kind: str, drawn: Any) -> bytes:
    """Return the body of a request."""
    if kind == "raw":
        return bytes(drawn)
    if kind == "one":
        value: Any = written(found.rows[drawn[0]], drawn)
    elif kind == "many":
        value = {"instances": [written(found.rows[one[0]], one) for one in drawn]}
    else:
        value = drawn
    return json.dumps(value).encode()


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(PATHS, METHODS, BODIES)
def test_all_answer_the_same(servers: Servers, path: str, method: str, body: Any) -> None:
    raw = body_of(servers, *body)
    bentoml, *others = (servers.ask(form, method, path, raw) for form in FORMS)
    assert others == [bentoml] * len(others)


def test_in_threads_and_in_the_event_loop_too(servers: Servers) -> None:
    """Enough small rows for the model to be found short, if it is, and as many after that."""
    row = json.dumps(servers.rows[0]).encode()
    answers = {servers.ask(form, "POST", "/predict", row)[2] for _ in range(130) for form in FORMS}
    assert len(answers) == 1
    assert b"prediction" in answers.pop()


def test_slim_is_ready_for_less_and_smaller(servers: Servers) -> None:
    """By what BentoML's import takes: CPU seconds, which other work on this host hardly changes,
    and memory."""
    assert servers.cpu["--slim"] < servers.cpu["--fd"] - 0.1
    assert servers.megabytes["--slim"] < servers.megabytes["--fd"] - 20


@pytest.mark.parametrize("form", FORMS)
def test_each_counts_what_it_answered(servers: Servers, form: str) -> None:
    def counted() -> float:
        text = servers.ask(form, "GET", "/metrics", None)[2].decode()
        line = next(one for one in text.splitlines() if 'http_response_code="400"' in one)
        assert 'endpoint="/predict"' in line
        return float(line.rpartition(" ")[2])

    servers.ask(form, "POST", "/predict", b"{")
    before = counted()
    servers.ask(form, "POST", "/predict/", b"{")
    assert counted() == before + 1
