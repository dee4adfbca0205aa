"""Real models in the formats that tests upload, each with what its author knows about it."""

import io
import pickle
import tempfile
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROWS = 5
# One runtime for every test of these formats: installing one takes long and much disk.
SHARED = [
    f"{name}=={version(name)}"
    for name in (
        "joblib",
        "lightgbm",
        "numpy",
        "onnxmltools",
        "scikit-learn",
        "skl2onnx",
        "skops",
        "xgboost-cpu",
    )
] + ["onnxruntime"]


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
    """Return a small forest that serves with two threads. It is fitted in this process: one of
    joblib's was seen to warn that it knew no filters of warnings, which ends a test."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(20, random_state=0).fit(features, labels).set_params(n_jobs=2)


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
    outputs = [
        {"name": "label", "type": "long"},
        {"name": "probabilities", "type": "float", "shape": [2]},
    ]
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


def cancer_facts(model: Any, features: Any, requirements: list[str]) -> Any:
    """Return the facts of a classifier of two classes: label and chance."""
    chances = model.predict_proba(features.head(ROWS))[:, 1]
    expected = [
        {"prediction": int(label), "probability": float(chance)}
        for label, chance in zip(model.predict(features.head(ROWS)), chances, strict=True)
    ]
    outputs = [{"name": "prediction", "type": "long"}, {"name": "probability", "type": "double"}]
    return {**facts_of(features, expected, outputs, "double"), "requirements": requirements}


def skops_model() -> Trained:
    """Train a pipeline of linear parts and store it with skops."""
    import skops.io
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, labels = breast_cancer()
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(features, labels)
    files = {"model.skops": skops.io.dumps(model)}
    return Trained("skops", files, cancer_facts(model, features, SHARED))


def skops_forest() -> Trained:
    """Train a forest and store it with skops, which calls for types that it does not trust."""
    import skops.io

    features, labels = breast_cancer()
    model = forest(features, labels)
    files = {"model.skops": skops.io.dumps(model)}
    return Trained("skops", files, cancer_facts(model, features, SHARED))


def booster_bytes(model: Any, ending: str) -> bytes:
    """Return what an XGBoost or LightGBM model writes as its own file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"model{ending}")
        booster = model.booster_ if hasattr(model, "booster_") else model
        booster.save_model(str(path))
        return path.read_bytes()


def xgboost_model(ending: str = ".json") -> Trained:
    """Train boosted trees on two classes; XGBoost's own file."""
    from xgboost import XGBClassifier

    features, labels = breast_cancer()
    model = XGBClassifier(n_estimators=20, max_depth=3).fit(features, labels)
    files = {f"model{ending}": booster_bytes(model, ending)}
    return Trained("xgboost", files, cancer_facts(model, features, SHARED))


def sklearn_shared() -> Trained:
    """Train a forest, pickled, on the runtime that the other formats share."""
    trained = sklearn_model()
    return Trained("sklearn", trained.files, {**trained.facts, "requirements": SHARED})


def histogram_boosting() -> Trained:
    """Train histogram boosting on rows of which some lack their first value."""
    import joblib
    from sklearn.ensemble import HistGradientBoostingClassifier

    features, labels = breast_cancer()
    holed = features.copy()
    holed.iloc[::3, 0] = float("nan")
    model = HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(holed, labels)
    file = io.BytesIO()
    joblib.dump(model, file)
    facts = cancer_facts(model, features, SHARED)
    facts["signature"]["inputs"][0]["required"] = False
    return Trained("sklearn", {"model.joblib": file.getvalue()}, facts)


def fine_differences() -> Trained:
    """Train a line on differences that 32 bits cannot hold: its ONNX form answers otherwise."""
    import joblib
    import numpy
    import pandas
    from sklearn.linear_model import LinearRegression

    random = numpy.random.default_rng(0)
    features = pandas.DataFrame(1 + random.random((200, 2)) * 1e-5, columns=["a", "b"])
    model = LinearRegression().fit(features, 1e8 * (features["a"] - features["b"]))
    file = io.BytesIO()
    joblib.dump(model, file)
    expected = [float(value) for value in model.predict(features.head(ROWS))]
    outputs = [{"name": "prediction", "type": "double"}]
    facts = {**facts_of(features, expected, outputs, "double"), "requirements": SHARED}
    return Trained("sklearn", {"model.joblib": file.getvalue()}, facts)


def several_facts(model: Any, features: Any) -> Any:
    """Return the facts of a classifier of several classes: label and all chances."""
    head = features.head(ROWS)
    expected = [
        {"prediction": int(label), "probabilities": [float(c) for c in chances]}
        for label, chances in zip(model.predict(head), model.predict_proba(head), strict=True)
    ]
    shape = [len(expected[0]["probabilities"])]
    outputs = [
        {"name": "prediction", "type": "long"},
        {"name": "probabilities", "type": "double", "shape": shape},
    ]
    return {**facts_of(features, expected, outputs, "double"), "requirements": SHARED}


def lightgbm_model() -> Trained:
    """Train boosted trees on three classes; LightGBM's own file."""
    from lightgbm import LGBMClassifier
    from sklearn.datasets import load_iris

    features, labels = load_iris(return_X_y=True, as_frame=True)
    model = LGBMClassifier(n_estimators=20, verbose=-1).fit(features, labels)
    features = features.iloc[[0, 60, 70, 120, 140]]  # rows of every class
    return Trained(
        "lightgbm", {"model.txt": booster_bytes(model, ".txt")}, several_facts(model, features)
    )


def regression(kind: str) -> Trained:
    """Train a regression; the native file of ``kind``."""
    from sklearn.datasets import load_diabetes

    features, target = load_diabetes(return_X_y=True, as_frame=True)
    if kind == "xgboost":
        from xgboost import XGBRegressor

        model, ending = XGBRegressor(n_estimators=20).fit(features, target), ".ubj"
    else:
        from lightgbm import LGBMRegressor

        model, ending = LGBMRegressor(n_estimators=20, verbose=-1).fit(features, target), ".txt"
    expected = [float(value) for value in model.predict(features.head(ROWS))]
    facts = facts_of(features, expected, [{"name": "prediction", "type": "double"}], "double")
    facts["requirements"] = SHARED
    return Trained(kind, {f"model{ending}": booster_bytes(model, ending)}, facts)
