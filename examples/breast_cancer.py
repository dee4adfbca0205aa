"""Trains a model on scikit-learn's breast cancer data and writes what Placet wants to know of it.

    python examples/breast_cancer.py forest OUT
    python examples/breast_cancer.py boosting OUT

OUT gets ``model.joblib`` and ``version.json``: signature, example rows with the model's own
answers, metrics on the held-out quarter, parameters, lineage (the data's digest), requirements and
a model card. ``placet model register --from OUT`` takes the folder as it is.
"""

import hashlib
import json
import sys
from pathlib import Path

import joblib
import numpy as np
import sklearn
from sklearn.base import ClassifierMixin
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import accuracy_score, brier_score_loss, recall_score, roc_auc_score
from sklearn.model_selection import train_test_split

SEED = 7
KINDS: dict[str, ClassifierMixin] = {
    "forest": RandomForestClassifier(n_estimators=50, random_state=SEED),
    "boosting": GradientBoostingClassifier(n_estimators=120, random_state=SEED),
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
    train_x, test_x, train_y, test_y = train_test_split(
        data.data, data.target, test_size=0.25, random_state=SEED, stratify=data.target
    )
    model = KINDS[kind].fit(train_x, train_y)
    risk, answer = model.predict_proba(test_x)[:, 1], model.predict(test_x)
    example = test_x.head(20)
    out.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, out / "model.joblib")
    version = {
        "format": "sklearn",
        "requirements": [f"scikit-learn=={sklearn.__version__}", f"pandas=={_version('pandas')}"],
        "signature": {
            "inputs": [{"name": c, "type": "double", "required": True} for c in train_x.columns],
            "outputs": [{"name": "prediction", "type": "long"}],
        },
        "example": example.to_dict(orient="records"),
        "expected": [int(v) for v in model.predict(example)],
        "metrics": {
            "auc": round(float(roc_auc_score(test_y, risk)), 6),
            "accuracy": round(float(accuracy_score(test_y, answer)), 6),
            "recall_malignant": round(float(recall_score(test_y, answer, pos_label=0)), 6),
            "brier": round(float(brier_score_loss(test_y, risk)), 6),
            "rows": len(test_y),
        },
        "parameters": {
            k: v for k, v in model.get_params().items() if isinstance(v, int | float | str)
        },
        "lineage": {
            "datasets": [
                {
                    "name": "breast-cancer-wisconsin",
                    "digest": "sha256:"
                    + hashlib.sha256(np.ascontiguousarray(data.data).tobytes()).hexdigest(),
                }
            ],
        },
        "card": CARD.format(n=train_x.shape[1], kind=type(model).__name__),
    }
    (out / "version.json").write_text(json.dumps(version, indent=1))


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
