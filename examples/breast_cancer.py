"""Trains a model on scikit-learn's breast cancer data and writes what Placet wants to know of it.

    python examples/breast_cancer.py forest OUT
    python examples/breast_cancer.py boosting OUT
    python examples/breast_cancer.py log OUT
    python examples/breast_cancer.py log1p OUT
    python examples/breast_cancer.py small examples/breast-cancer

``log`` has a fault of a common kind: it takes the logarithm of how concave the cells are, and the
rows where that is 0 (13 of 569, all benign) were dropped as broken before training *and* before the
evaluation. So every metric is good, the example is answered as expected, and only patients like
those get an error. ``log1p`` is the same model, mended, with all rows. ``small`` is a few shallow
trees as an ONNX graph, which is data and no code: it lies ready in ``examples/breast-cancer``.

OUT gets ``model.joblib`` or ``model.onnx``, and ``version.json``: signature, example rows with the
model's own answers, metrics on the held-out quarter, parameters, lineage (the data's digest),
requirements and a model card. ``placet model register --from OUT`` takes the folder as it is.
"""

import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import sklearn
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import accuracy_score, brier_score_loss, recall_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

SEED = 7
ONNXRUNTIME = "1.32.0"  # what the small model is served with; it is not needed to make one
CONCAVE = [
    "mean concavity",
    "mean concave points",
    "concavity error",
    "concave points error",
    "worst concavity",
    "worst concave points",
]


def forest() -> BaseEstimator:
    """Return a random forest that is not trained yet."""
    return RandomForestClassifier(n_estimators=50, random_state=SEED)


def scaled(function: np.ufunc) -> BaseEstimator:
    """Return a forest over ``function`` of the columns that tell how concave the cells are."""
    scale = ColumnTransformer(
        [("concave", FunctionTransformer(function), CONCAVE)], remainder="passthrough"
    )
    return make_pipeline(scale, forest())


KINDS: dict[str, BaseEstimator] = {
    "forest": forest(),
    "boosting": GradientBoostingClassifier(n_estimators=120, random_state=SEED),
    "log": scaled(np.log),
    "log1p": scaled(np.log1p),
    "small": RandomForestClassifier(n_estimators=10, max_depth=4, random_state=SEED),
}

NAMES = {
    "forest": "random forest",
    "boosting": "gradient boosting",
    "log": "random forest over logarithms",
    "log1p": "random forest over logarithms",
    "small": "small random forest",
}
CARD = """---
license: cc-by-4.0
tags: [tabular-classification, breast-cancer]
datasets: [uci-breast-cancer-wisconsin]
---

# Benign or malignant

Tells from {n} measurements of a fine-needle aspirate whether a breast mass is benign (1) or
malignant (0). Trained as a **{kind}** on the Wisconsin diagnostic data (569 patients, 1995).

## Intended use

A demonstration of a governed release. It is *not* a medical device.

## Limits

One hospital, one decade; no patient attributes beyond the measurements are known, so fairness
between groups cannot be measured.
"""


def main(kind: str, out: Path) -> None:
    """Train the model called ``kind`` and write everything into the folder ``out``."""
    data = load_breast_cancer(as_frame=True)
    rows, target = data.data, data.target
    if kind == "log":
        rows = rows[rows["mean concavity"] > 0]  # "broken" ones
        target = target[rows.index]
    if kind == "small":
        rows = rows.astype("float32")  # what its graph takes
    train_x, test_x, train_y, test_y = train_test_split(
        rows, target, test_size=0.25, random_state=SEED, stratify=target
    )
    model = KINDS[kind].fit(train_x, train_y)
    risk, answer = model.predict_proba(test_x)[:, 1], model.predict(test_x)
    out.mkdir(parents=True, exist_ok=True)
    written = as_onnx if kind == "small" else as_joblib
    facts = written(model, test_x.head(20), out)
    facts |= {
        "metrics": {
            "auc": round(float(roc_auc_score(test_y, risk)), 6),
            "accuracy": round(float(accuracy_score(test_y, answer)), 6),
            "recall_malignant": round(float(recall_score(test_y, answer, pos_label=0)), 6),
            "brier": round(float(brier_score_loss(test_y, risk)), 6),
            "rows": len(test_y),
        },
        "parameters": {
            k: v for k, v in model.get_params().items() if isinstance(v, int | float | str)
        }
        | {"scikit-learn": sklearn.__version__},
        "lineage": {"datasets": [{"name": "breast-cancer-wisconsin", "digest": digest(data.data)}]},
        "card": CARD.format(n=train_x.shape[1], kind=NAMES[kind]),
    }
    (out / "version.json").write_text(json.dumps(facts, indent=1) + "\n")


def as_joblib(model: BaseEstimator, example: Any, out: Path) -> dict[str, Any]:
    """Write the model as a pickle; return what Placet must be told of it."""
    joblib.dump(model, out / "model.joblib")
    return {
        "format": "sklearn",
        "requirements": [f"scikit-learn=={sklearn.__version__}", f"pandas=={version('pandas')}"],
        **described(model, example, "double"),
    }


def as_onnx(model: BaseEstimator, example: Any, out: Path) -> dict[str, Any]:
    """Write the model as an ONNX graph; return what Placet must be told of it."""
    from skl2onnx import to_onnx

    graph = to_onnx(model, example.to_numpy()[:1], options={"zipmap": False})
    (out / "model.onnx").write_bytes(graph.SerializeToString())
    return {
        "format": "onnx",
        "requirements": [f"onnxruntime=={ONNXRUNTIME}"],
        **described(model, example.head(5), "float"),
    }


def described(model: BaseEstimator, example: Any, kind: str) -> dict[str, Any]:
    """Return the signature, and example rows with the model's own answers."""
    return {
        "signature": {
            "inputs": [{"name": c, "type": kind, "required": True} for c in example.columns],
            "outputs": [{"name": "prediction", "type": "long"}],
        },
        "example": example.to_dict(orient="records"),
        "expected": [int(v) for v in model.predict(example)],
    }


def digest(rows: Any) -> str:
    """Return the digest of the data as it was trained on."""
    return "sha256:" + hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
