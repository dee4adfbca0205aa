"""Trains the sample models that an installation can load to look around in, and writes them.

    python examples/samples.py apps/builds/samples

Four models of four trades, each in three versions: a decision tree, a small random forest, a small
gradient boosting, as ONNX graphs, which are data and no code. OUT gets ``<model>/<number>/`` with
``model.onnx`` and ``version.json``, and ``<model>/model.json`` with what the model is for.

The diagnosis learns from the breast cancer data that scikit-learn brings. Applicants, sales and
welds are made up here, from fixed seeds; the training on them, the metrics on held-out rows, the
fairness and the importances are real. Trees alone, and numbers with few digits: the files come out
the same, byte for byte, with the same packages.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from skl2onnx import to_onnx
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.inspection import permutation_importance
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    mean_absolute_error,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
    root_mean_squared_error,
)
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

SEED = 7
ONNXRUNTIME = "1.32.0"  # what they are served with; it is not needed to make them
CLASSIFIERS = (
    ("decision tree", DecisionTreeClassifier(max_depth=3, random_state=SEED)),
    ("random forest", RandomForestClassifier(n_estimators=12, max_depth=4, random_state=SEED)),
    ("gradient boosting", GradientBoostingClassifier(n_estimators=40, random_state=SEED)),
)
REGRESSORS = (
    ("decision tree", DecisionTreeRegressor(max_depth=4, random_state=SEED)),
    ("random forest", RandomForestRegressor(n_estimators=12, max_depth=5, random_state=SEED)),
    ("gradient boosting", GradientBoostingRegressor(n_estimators=40, random_state=SEED)),
)
CARD = """---
license: cc-by-4.0
tags: [sample, {tag}]
datasets: [{dataset}]
---

# {title}

**Sample data.** {what}

Trained as a {kind} on {train} rows; the metrics are of {test} rows that it has not seen.

## Intended use

To look around in Placet. Nobody should be {decided} by it.

## Limits

{limits}
"""
Rows, Answers = pd.DataFrame, pd.Series


@dataclass(frozen=True)
class Sample:
    """A model: its data, what is measured of it, and what people are told."""

    title: str
    description: str
    tag: str
    dataset: str
    data: Callable[[], tuple[Rows, Answers]]
    metrics: Callable[[BaseEstimator, Rows, Answers], dict[str, float]]
    words: dict[str, str]
    models: tuple[tuple[str, BaseEstimator], ...] = CLASSIFIERS
    group: tuple[str, float] | None = None  # fairness: rows below a value of a column, and others


def applicants() -> tuple[Rows, Answers]:
    """Make up people who ask for a loan, and who of them did not pay it back."""
    draw, many = np.random.default_rng(SEED), 3000
    rows = pd.DataFrame(
        {
            "age": draw.integers(18, 75, many),
            "income": draw.gamma(4.0, 11.0, many).round(1),
            "debt_ratio": draw.beta(2.0, 4.0, many).round(3),
            "credit_used": draw.beta(2.0, 3.0, many).round(3),
            "late_payments": draw.poisson(0.7, many),
            "years_employed": draw.gamma(2.0, 3.0, many).round(1),
        }
    )
    risk = 3.0 * rows.debt_ratio + 2.0 * rows.credit_used + 0.8 * rows.late_payments
    risk -= 0.02 * rows.income + 0.05 * rows.years_employed + 0.01 * rows.age
    return rows, (risk + draw.logistic(0.0, 0.6, many).round(3) > 2.0).astype(int)


def patients() -> tuple[Rows, Answers]:
    """Return ten of the thirty measurements of the Wisconsin diagnostic data; 1 is malignant."""
    data = load_breast_cancer(as_frame=True)
    return data.data.iloc[:, :10], 1 - data.target


def sales() -> tuple[Rows, Answers]:
    """Make up what shops sell in a week."""
    draw, many = np.random.default_rng(SEED + 1), 2000
    rows = pd.DataFrame(
        {
            "week": draw.integers(1, 53, many),
            "price": draw.uniform(1.5, 4.0, many).round(2),
            "promotion": draw.integers(0, 2, many),
            "temperature": draw.normal(12.0, 8.0, many).round(1),
            "last_week": draw.gamma(9.0, 12.0, many).round(0),
            "competitor_price": draw.uniform(1.5, 4.0, many).round(2),
        }
    )
    sold = 40 + 0.6 * rows.last_week - 14 * (rows.price - rows.competitor_price)
    sold += 25 * rows.promotion + 0.9 * rows.temperature + 15 * (rows.week >= 48)
    return rows, (sold + draw.normal(0.0, 9.0, many)).clip(lower=0).round(0)


def welds() -> tuple[Rows, Answers]:
    """Make up pictures of welds, 8 by 8 pixels in rows; every third has a gap in its seam, which
    runs across the middle."""
    draw, many = np.random.default_rng(SEED + 2), 1500
    pictures = draw.normal(0.4, 0.08, (many, 8, 8))
    pictures[:, 3:5] += 0.3
    broken = np.arange(many) % 3 == 0
    for place in np.flatnonzero(broken):
        left, depth = draw.integers(1, 6), draw.uniform(0.1, 0.4)
        pictures[place, 3:5, left : left + 2] -= depth
    names = [f"pixel_{y}_{x}" for y in range(8) for x in range(8)]
    rows = pd.DataFrame(pictures.reshape(many, 64).clip(0, 1).round(2), columns=names)
    return rows, pd.Series(broken.astype(int))


def told_apart(model: BaseEstimator, rows: Rows, truth: Answers) -> dict[str, float]:
    """Measure how well two classes are told apart."""
    chance, answer = model.predict_proba(rows)[:, 1], model.predict(rows)
    return {
        "auc": roc_auc_score(truth, chance),
        "accuracy": accuracy_score(truth, answer),
        "precision": precision_score(truth, answer),
        "recall": recall_score(truth, answer),
        "brier": brier_score_loss(truth, chance),
    }


def foretold(model: BaseEstimator, rows: Rows, truth: Answers) -> dict[str, float]:
    """Measure how near a number is foretold."""
    answer = model.predict(rows)
    return {
        "mae": mean_absolute_error(truth, answer),
        "rmse": root_mean_squared_error(truth, answer),
        "r2": r2_score(truth, answer),
    }


MADE_UP = "The rows are made up: they show how the pages look, and nothing about the world."
SAMPLES = {
    "credit-scoring": Sample(
        "Who pays a loan back",
        "Sample, finance: tells from six facts about applicants who will not pay a loan back (1).",
        "finance",
        "sample-applicants",
        applicants,
        told_apart,
        {
            "what": "Tells from six facts about applicants who will not pay a loan back (1).",
            "decided": "refused or granted a loan",
            "limits": MADE_UP,
        },
        group=("age", 30),
    ),
    "diagnosis": Sample(
        "Benign or malignant",
        "Sample, health: tells from ten measurements of cells whether they are malignant (1).",
        "health",
        "breast-cancer-wisconsin",
        patients,
        told_apart,
        {
            "what": "Tells from ten measurements of cells (the Wisconsin diagnostic data) whether "
            "they are malignant (1).",
            "decided": "diagnosed",
            "limits": "One hospital, one decade, 569 patients; it is no medical device.",
        },
    ),
    "demand": Sample(
        "What a shop will sell",
        "Sample, retail: foretells how many pieces of an article a shop sells in a week.",
        "retail",
        "sample-sales",
        sales,
        foretold,
        {
            "what": "Foretells how many pieces of an article a shop sells in a week.",
            "decided": "supplied",
            "limits": MADE_UP,
        },
        REGRESSORS,
    ),
    "weld-defects": Sample(
        "Whole or broken",
        "Sample, manufacturing: finds gaps (1) in pictures of welds, 8 by 8 pixels.",
        "manufacturing",
        "sample-welds",
        welds,
        told_apart,
        {
            "what": "Finds gaps (1) in pictures of welds, 8 by 8 pixels from 0 (dark) to 1.",
            "decided": "paid or blamed",
            "limits": MADE_UP,
        },
    ),
}


def main(out: Path) -> None:
    """Train every version of every sample and write it below ``out``."""
    for name, sample in SAMPLES.items():
        rows, truth = sample.data()
        rows = rows.astype("float32")  # what a graph takes
        parts = train_test_split(rows, truth, test_size=0.25, random_state=SEED)
        for number, (kind, model) in enumerate(sample.models, 1):
            folder = out / name / str(number)
            folder.mkdir(parents=True, exist_ok=True)
            write(folder, sample, kind, model, parts)
        (out / name / "model.json").write_text(
            json.dumps({"description": sample.description}, indent=1) + "\n"
        )


def write(folder: Path, sample: Sample, kind: str, model: BaseEstimator, parts: list[Any]) -> None:
    """Train a version and write its graph and what Placet is told of it."""
    train, test, train_truth, truth = parts
    model.fit(train.to_numpy(), train_truth)
    unseen = test.to_numpy()
    options = {"zipmap": False} if sample.models is CLASSIFIERS else None
    graph = to_onnx(model, unseen[:1], options=options)
    opsets = sorted(graph.opset_import, key=lambda opset: str(opset.domain))  # else in any order
    del graph.opset_import[:]
    graph.opset_import.extend(opsets)
    (folder / "model.onnx").write_bytes(graph.SerializeToString())
    whole = sample.models is CLASSIFIERS
    example = pd.concat([test[truth == answer].head(2) for answer in (0, 1)]) if whole else test[:3]
    answers = model.predict(example.to_numpy())
    facts = {
        "format": "onnx",
        "requirements": [f"onnxruntime=={ONNXRUNTIME}"],
        "signature": {
            "inputs": [{"name": c, "type": "float", "required": True} for c in train.columns],
            "outputs": [{"name": "prediction", "type": "long" if whole else "float"}],
        },
        "example": [{c: short(v) for c, v in row.items()} for row in example.to_dict("records")],
        "expected": [int(v) if whole else float(np.float32(v)) for v in answers],
        "metrics": rounded(sample.metrics(model, unseen, truth)) | {"rows": len(truth)},
        "parameters": {
            name: value
            for name, value in model.get_params().items()
            if isinstance(value, int | float | str) and value != "deprecated"
        }
        | {"scikit-learn": sklearn.__version__},
        "lineage": {"datasets": [{"name": sample.dataset, "digest": digest(train, test)}]},
        "evidence": evidence(sample, model, test, truth),
        "card": CARD.format(
            **sample.words,
            tag=sample.tag,
            dataset=sample.dataset,
            title=sample.title,
            kind=kind,
            train=len(train),
            test=len(test),
        ),
    }
    (folder / "version.json").write_text(json.dumps(facts, indent=1) + "\n")


def evidence(sample: Sample, model: BaseEstimator, rows: Rows, truth: Answers) -> dict[str, Any]:
    """Measure what each column is worth, and how two groups fare where a column tells them."""
    values = rows.to_numpy()
    worth = permutation_importance(model, values, truth, n_repeats=2, random_state=SEED)
    best = sorted(zip(worth.importances_mean, rows.columns, strict=True), reverse=True)[:10]
    measured = {
        "explainability": {
            "method": "permutation importance",
            "importances": rounded({name: value for value, name in best}),
        }
    }
    if sample.group is not None:
        column, limit = sample.group
        chosen, inside = model.predict(values) == 0, (rows[column] < limit).to_numpy()
        good = truth.to_numpy() == 0
        shares = {
            "granted_below": chosen[inside].mean(),
            "granted_others": chosen[~inside].mean(),
            "equal_opportunity_difference": chosen[inside & good].mean()
            - chosen[~inside & good].mean(),
        }
        measured["fairness"] = {"attribute": f"{column} below {limit}", "metrics": rounded(shares)}
    return measured


def rounded(values: dict[str, Any]) -> dict[str, float]:
    """Return numbers as people read them."""
    return {name: round(float(value), 4) for name, value in values.items()}


def short(value: Any) -> float:
    """Return the shortest number that is this one as a graph takes it."""
    return float(str(np.float32(value)))


def digest(*parts: Rows) -> str:
    """Return the digest of the rows as they were trained on and measured with."""
    rows = pd.concat(parts).sort_index().to_numpy()
    return "sha256:" + hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
