"""Real models, real builds and real served Bentos for tests.

Runtimes are installed once per machine and user: the folder is shared by every test process, and
a file lock makes the second wait for the first.
"""

import contextlib
import hashlib
import io
import json
import os
import pickle
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.factories import ApiClient

RUNTIMES = Path(tempfile.gettempdir()) / f"placet-test-runtimes-{os.getuid()}"
ROWS = 5


@dataclass(frozen=True)
class Trained:
    """A model folder with what its author knows about it."""

    format: str
    files: dict[str, bytes]
    facts: dict[str, Any]


def breast_cancer() -> Any:
    """Return the features as a frame, and the labels."""
    from sklearn.datasets import load_breast_cancer

    return load_breast_cancer(return_X_y=True, as_frame=True)


def forest(features: Any, labels: Any) -> Any:
    """Return a small fitted forest."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(20, random_state=0, n_jobs=2).fit(features, labels)


def facts_of(features: Any, expected: list[Any], outputs: list[dict[str, Any]], kind: str) -> Any:
    """Return the signature, example and expected outputs of a model over ``features``."""
    return {
        "signature": {
            "inputs": [{"name": str(name), "type": kind} for name in features.columns],
            "outputs": outputs,
        },
        "example": features.head(ROWS).to_dict("records"),
        "expected": expected,
    }


def sklearn_model(how: str = "joblib") -> Trained:
    """Train a forest and store it with joblib or pickle."""
    import joblib
    import sklearn

    features, labels = breast_cancer()
    model = forest(features, labels)
    file = io.BytesIO()
    joblib.dump(model, file) if how == "joblib" else pickle.dump(model, file)
    chances = model.predict_proba(features.head(ROWS))[:, 1]
    expected = [
        {"prediction": int(label), "probability": float(chance)}
        for label, chance in zip(model.predict(features.head(ROWS)), chances, strict=True)
    ]
    outputs = [{"name": "prediction", "type": "long"}, {"name": "probability", "type": "double"}]
    facts = facts_of(features, expected, outputs, "double")
    facts["requirements"] = [f"scikit-learn=={sklearn.__version__}"]
    name = "model.joblib" if how == "joblib" else "model.pkl"
    return Trained("sklearn", {name: file.getvalue()}, facts)


def onnx_model() -> Trained:
    """Train a forest and convert it with skl2onnx."""
    import numpy
    from skl2onnx import to_onnx

    features, labels = breast_cancer()
    features = features.astype("float32")
    model = forest(features.to_numpy(), labels)
    graph = to_onnx(model, features.to_numpy()[:1], options={"zipmap": False})
    head = features.head(ROWS).to_numpy().astype(numpy.float32)
    expected = [
        {"label": int(label), "probabilities": [float(c) for c in chances]}
        for label, chances in zip(model.predict(head), model.predict_proba(head), strict=True)
    ]
    outputs = [{"name": "label", "type": "long"},
               {"name": "probabilities", "type": "float", "shape": [2]}]  # fmt: skip
    facts = facts_of(features, expected, outputs, "float")
    facts["requirements"] = ["onnxruntime"]
    return Trained("onnx", {"model.onnx": graph.SerializeToString()}, facts)


def mlflow_model() -> Trained:
    """Have mlflow write a model folder; signature, example and requirements are its own."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, labels = breast_cancer()
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(features, labels)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow
        from mlflow.models import infer_signature

        home = Path(folder, "model")
        signature = infer_signature(features, model.predict(features))
        mlflow.sklearn.save_model(
            model, home, signature=signature, input_example=features.head(ROWS)
        )
        files = {
            path.relative_to(home).as_posix(): path.read_bytes()
            for path in home.rglob("*")
            if path.is_file()
        }
    expected = [int(label) for label in model.predict(features.head(ROWS))]
    return Trained("mlflow", files, {"expected": expected})


def register(client: ApiClient, model: str, trained: Trained) -> str:
    """Create, fill and finalise a version over the API; return its address."""
    client.post("/projects/risk/models", {"name": model})
    made = client.post(f"/projects/risk/models/{model}/versions", trained.facts)
    assert made.status_code == 201, made.content
    address = f"/projects/risk/models/{model}/versions/{made.json()['number']}"
    for path, data in trained.files.items():
        announced = {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        upload = client.post(f"{address}/uploads", announced)
        if upload.status_code == 200:  # the store holds these bytes already
            continue
        sent = client.patch(
            f"/uploads/{upload.json()['upload']['id']}", raw=data, upload_offset="0",
            content_type="application/offset+octet-stream",
        )  # fmt: skip
        assert sent.status_code < 300, sent.content
    finalised = client.post(f"{address}/finalise")
    assert finalised.status_code == 200, finalised.content
    return address


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Served:
    """A Bento that is being served."""

    port: int

    def call(self, path: str, body: Any = None, raw: bytes | None = None) -> Answer:
        """GET, or POST when there is a body."""
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return _answer(answer.status, answer.read(), answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.read(), error.headers)

    def predict(self, body: Any) -> Answer:
        """POST to /predict."""
        return self.call("/predict", body)


def _answer(status: int, raw: bytes, headers: Any) -> Answer:
    try:
        body = json.loads(raw)
    except ValueError:
        body = raw.decode("utf-8", "replace")
    return Answer(status, body, {k.lower(): v for k, v in headers.items()})


@contextlib.contextmanager
def served(archive: Path, python: Path, folder: Path, **variables: str) -> Iterator[Served]:
    """Unpack a Bento archive and serve it with plain ``bentoml serve`` on a loopback port."""
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    log = (folder.parent / "serve.log").open("wb")
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder.parent),
        "BENTOML_HOME": str(folder.parent),
        "BENTOML_DO_NOT_TRACK": "true",
        **variables,
    }
    server = subprocess.Popen(
        ["bwrap", "--dev-bind", "/", "/", "--unshare-pid", "--proc", "/proc", "--die-with-parent",
         str(python), "-m", "bentoml", "serve", str(folder), "--host", "127.0.0.1",
         "--port", str(port)],
        stdout=log, stderr=log, env=environment,
    )  # fmt: skip
    try:
        yield _ready(Served(port), server, folder.parent / "serve.log")
    finally:
        server.kill()
        server.wait()
        log.close()


def _ready(found: Served, server: subprocess.Popen[bytes], log: Path) -> Served:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError):
            if found.call("/readyz").status == 200:
                return found
        time.sleep(0.1)
    raise AssertionError(f"the Bento did not become ready:\n{log.read_text()[-3000:]}")
