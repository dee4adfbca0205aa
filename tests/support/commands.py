"""What tests of the command line share: whose token it uses, a folder to register, its answer."""

import json
from pathlib import Path
from typing import Any

import joblib
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression

from tests.support import factories
from tests.support.world import World


def become(world: World, name: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a token of ``name`` from now on."""
    monkeypatch.setenv("PLACET_URL", url)
    monkeypatch.setenv("PLACET_TOKEN", factories.token_for(world.people[name]))


def folder(home: Path) -> Path:
    """A folder as a training job leaves it."""
    out = home / "out"
    (out / "extra").mkdir(parents=True)
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    joblib.dump(model, out / "model.joblib")
    version = {
        "format": "sklearn",
        "requirements": [f"scikit-learn=={sklearn.__version__}"],
        "signature": {
            "inputs": [{"name": "age", "type": "double", "required": True}],
            "outputs": [{"name": "prediction", "type": "long"}],
        },
        "example": [{"age": 0.5}],
        "expected": [1],
        "metrics": {"auc": 0.9},
    }
    (out / "version.json").write_text(json.dumps(version))
    (out / "extra").rmdir()
    return out


def answer(capsys: pytest.CaptureFixture[str]) -> Any:
    """Return what was printed as JSON."""
    return json.loads(capsys.readouterr().out)
