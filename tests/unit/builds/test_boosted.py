"""Native models of XGBoost and LightGBM answer what the signature names, on the real templates."""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

TEMPLATES = Path(__file__).resolve().parents[3] / "workers" / "builder" / "templates"
NAMES = ("placet_values", "placet_boosted", "model_xgboost", "model_lightgbm")
DATA: dict[str, Callable[..., Any]] = {
    "two": load_breast_cancer,
    "three": load_iris,
    "none": load_diabetes,
}
LABEL, RAW = {"name": "prediction", "type": "long"}, {"name": "prediction", "type": "double"}
CHANCE, CHANCES = {"name": "probability"}, {"name": "probabilities"}


@pytest.fixture(scope="module")
def sources() -> Iterator[dict[str, Any]]:
    """The templates as modules."""
    sys.path.insert(0, str(TEMPLATES))
    try:
        yield {name: importlib.import_module(name) for name in NAMES}
    finally:
        sys.path.remove(str(TEMPLATES))
        for name in NAMES:
            sys.modules.pop(name, None)


@pytest.fixture
def trained(sources: dict[str, Any], tmp_path: Path) -> Callable[..., Any]:
    """Train a booster with an objective, save it, and load it as the service does."""

    def make(library: str, objective: str, outputs: list[Any], data: str, **more: Any) -> Any:
        features, labels = DATA[data](return_X_y=True)
        classes = {"num_class": 3} if data == "three" else {}
        if library == "xgboost":
            import xgboost

            settings = {"objective": objective, "nthread": 1, **classes, **more}
            booster = xgboost.train(settings, xgboost.DMatrix(features, labels), 5)
            path = tmp_path / "model.json"
        else:
            import lightgbm

            settings = {"objective": objective, "verbose": -1, **classes, **more}
            booster = lightgbm.train(settings, lightgbm.Dataset(features, labels), 5)
            path = tmp_path / "model.txt"
        booster.save_model(str(path))
        inputs = [{"name": f"c{n}", "type": "double"} for n in range(features.shape[1])]
        info = {
            "model_path": str(path),
            "format": library,
            "signature": {"inputs": inputs, "outputs": outputs},
        }
        head = features[::40][:6]
        rows = [{f"c{n}": float(v) for n, v in enumerate(row)} for row in head]
        return sources[f"model_{library}"].Model(info).predict(rows), raw(library, booster, head)

    return make


def raw(library: str, booster: Any, head: numpy.ndarray) -> Any:
    """Return what the library itself predicts."""
    if library == "lightgbm":
        return booster.predict(head)
    import xgboost

    return booster.predict(xgboost.DMatrix(head))


@pytest.mark.parametrize(
    ("library", "objective"), [("xgboost", "binary:logistic"), ("lightgbm", "binary")]
)
def test_two_classes(trained: Any, library: str, objective: str) -> None:
    answers, wanted = trained(library, objective, [LABEL, CHANCE, CHANCES], "two")
    for answer, chance in zip(answers, wanted, strict=True):
        assert answer["prediction"] == int(chance > 0.5)
        assert answer["probability"] == pytest.approx(chance)
        assert answer["probabilities"] == pytest.approx([1 - chance, chance], abs=1e-6)
    assert {answer["prediction"] for answer in answers} == {0, 1}
    json.dumps(answers)


@pytest.mark.parametrize(
    ("library", "objective"),
    [("xgboost", "multi:softprob"), ("lightgbm", "multiclass"), ("lightgbm", "multiclassova")],
)
def test_three_classes(trained: Any, library: str, objective: str) -> None:
    answers, wanted = trained(library, objective, [LABEL, CHANCES], "three")
    for answer, chances in zip(answers, wanted, strict=True):
        assert answer["prediction"] == int(chances.argmax())
        assert answer["probabilities"] == pytest.approx(list(chances))
    assert {answer["prediction"] for answer in answers} == {0, 1, 2}


def test_an_objective_that_gives_labels_has_chances_all_the_same(trained: Any) -> None:
    answers, wanted = trained("xgboost", "multi:softmax", [LABEL, CHANCES], "three")
    for answer, label in zip(answers, wanted, strict=True):
        assert answer["prediction"] == int(label)
        assert sum(answer["probabilities"]) == pytest.approx(1)
        assert int(numpy.argmax(answer["probabilities"])) == int(label)


@pytest.mark.parametrize(
    ("library", "objective", "data"),
    [
        ("xgboost", "reg:squarederror", "none"),
        ("lightgbm", "regression", "none"),
        ("xgboost", "binary:logistic", "two"),
        ("lightgbm", "binary", "two"),
        ("xgboost", "multi:softprob", "three"),
        ("lightgbm", "multiclass", "three"),
        ("xgboost", "binary:logitraw", "two"),
    ],
)
def test_a_prediction_of_fractions_is_what_the_library_predicts(
    trained: Any, library: str, objective: str, data: str
) -> None:
    answers, wanted = trained(library, objective, [RAW], data)
    assert numpy.allclose(answers, wanted)


def test_a_linear_booster_answers_too(trained: Any) -> None:
    quiet = {"booster": "gblinear", "verbosity": 0}  # XGBoost warns that it will go some day
    answers, wanted = trained("xgboost", "reg:squarederror", [RAW], "none", **quiet)
    assert numpy.allclose(answers, wanted)


@pytest.mark.parametrize(
    ("library", "objective", "data"),
    [
        ("xgboost", "reg:squarederror", "none"),
        ("xgboost", "binary:hinge", "two"),
        ("lightgbm", "regression", "none"),
    ],
)
def test_chances_that_an_objective_has_not_are_refused_at_the_start(
    trained: Any, library: str, objective: str, data: str
) -> None:
    with pytest.raises(ValueError, match="names probabilities"):
        trained(library, objective, [CHANCE], data)


def test_labels_of_a_hinge_are_whole_numbers(trained: Any) -> None:
    answers, wanted = trained("xgboost", "binary:hinge", [LABEL], "two")
    assert answers == [int(label) for label in wanted]


def test_columns_go_by_name_then_by_place_and_their_number_must_fit(
    sources: dict[str, Any],
) -> None:
    ordered = sources["placet_boosted"].ordered
    a, b = {"name": "a", "type": "long"}, {"name": "b", "type": "double"}
    assert ordered([b, a], ["a", "b"], 2) == [a, b]
    assert ordered([b, a], ["x", "y"], 2) == [b, a]
    with pytest.raises(ValueError, match="3 features, the signature 2 inputs"):
        ordered([b, a], ["x", "y", "z"], 3)
    with pytest.raises(ValueError, match="'t' is none"):
        ordered([{"name": "t", "type": "string"}], ["t"], 1)


@pytest.mark.parametrize("best", ["-1", "-3", "-1000000", "3", "2147483647", "4294967296", "x"])
def test_a_best_round_that_is_none_of_a_boosters_is_refused_at_the_start(
    best: str, sources: dict[str, Any], tmp_path: Path
) -> None:
    """XGBoost reads foreign memory where there is no such round."""
    import xgboost

    features, labels = load_iris(return_X_y=True)
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(features, labels), 3)
    inputs = [{"name": f"c{n}", "type": "double"} for n in range(4)]
    path = tmp_path / "model.json"
    info = {"model_path": str(path), "signature": {"inputs": inputs, "outputs": []}}
    for said, refused in (("1", False), (best, True)):
        booster.set_attr(best_iteration=said)
        booster.save_model(str(path))
        if not refused:
            assert sources["model_xgboost"].Model(info)
            continue
        with pytest.raises(ValueError, match="best_iteration"):
            sources["model_xgboost"].Model(info)
