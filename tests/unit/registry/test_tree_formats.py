"""skops, XGBoost and LightGBM files are recognised by what stands in them."""

import io
import json
from typing import Any

import pytest

from apps.registry import formats
from apps.registry.errors import FormatUnknown
from apps.registry.formats import Files
from apps.registry.rules import signature_faults
from placet.kernel.problems import TooLarge
from tests.support.models import Trained, lightgbm_model, regression, skops_model, xgboost_model


def files_of(contents: dict[str, bytes]) -> Files:
    def read(path: str, limit: int) -> bytes:
        if len(contents[path]) > limit:
            raise TooLarge
        return contents[path]

    sizes = {path: len(raw) for path, raw in contents.items()}
    return Files(sizes, read, lambda path: io.BytesIO(contents[path]))


def xgboost_text(**learner: Any) -> bytes:
    given = {"attributes": {}, "feature_names": ["a", "b"], "gradient_booster": {}, **learner}
    return json.dumps({"learner": given, "version": [3, 4, 1]}).encode()


@pytest.mark.parametrize("trained", [xgboost_model(), lightgbm_model(), regression("lightgbm")])
def test_the_signature_comes_out_of_the_file(trained: Trained) -> None:
    files = files_of({**trained.files, "version.json": b"{}", "requirements.txt": b"numpy\n"})
    assert formats.detect(files) == trained.format
    found = formats.derive(trained.format, files).signature
    assert found is not None
    assert signature_faults(found) == []
    told = trained.facts["signature"]
    assert [o["name"] for o in found["outputs"]] == [o["name"] for o in told["outputs"]]
    assert [i["name"].replace(" ", "_") for i in found["inputs"]] == [
        i["name"].replace(" ", "_") for i in told["inputs"]
    ]


def test_a_binary_xgboost_file_leaves_the_signature_to_its_author() -> None:
    files = files_of(xgboost_model(".ubj").files)
    assert formats.detect(files) == "xgboost"
    found = formats.derive("xgboost", files)
    assert found.signature is None
    assert "give the signature yourself" in found.faults[0].detail


@pytest.mark.parametrize("ending", [".json", ".ubj"])
def test_settings_of_xgboost_beside_a_model_are_no_model(ending: str) -> None:
    from xgboost import Booster

    trained = xgboost_model(ending)
    ((_, model),) = trained.files.items()
    settings = Booster(model_file=bytearray(model)).save_config().encode()
    files = files_of({**trained.files, "settings.json": settings})
    assert formats.detect(files) == "xgboost"
    assert formats.derive("xgboost", files) == formats.derive("xgboost", files_of(trained.files))


def test_a_skops_file_tells_its_format_only() -> None:
    files = files_of(skops_model().files)
    assert formats.detect(files) == "skops"
    assert formats.derive("skops", files).signature is None


@pytest.mark.parametrize(
    ("name", "raw", "why"),
    [
        ("m.skops", b"\x80\x04.", "m.skops: not a skops file"),
        ("m.ubj", b"{U\x03key", "m.ubj: not an XGBoost model"),
        ("m.json", b'{"learner":{"attributes":', "m.json: not valid JSON at line 1"),
        ("m.json", b'{"learner":{}}', "m.json: not an XGBoost model"),
        ("m.txt", b"tree\nversion=v4\nfeature_names=a b\n", "m.txt: not a whole LightGBM model"),
        (
            "m.txt",
            b"tree\nversion=v4\nmax_feature_idx=7\nfeature_names=a b\n\n",
            "feature_names and max_feature_idx",
        ),
    ],
)
def test_a_broken_file_is_named(name: str, raw: bytes, why: str) -> None:
    files = files_of({name: raw})
    with pytest.raises(FormatUnknown, match=why) as refused:
        formats.derive(formats.detect(files), files)
    assert refused.value.errors[0].pointer == f"/files/{name}"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (xgboost_text(feature_names=[]), "names no features"),
        (xgboost_text(feature_types=["float", "c"]), "categories in 'b'"),
    ],
)
def test_what_an_xgboost_file_does_not_tell_is_said(raw: bytes, why: str) -> None:
    found = formats.derive("xgboost", files_of({"m.json": raw}))
    assert found.signature is None
    assert why in found.faults[0].detail


@pytest.mark.parametrize(
    ("objective", "sizes", "outputs"),
    [
        ("reg:squarederror", {"num_target": "1"}, ["prediction"]),
        ("reg:squarederror", {"num_target": "3"}, ["prediction"]),
        ("binary:logistic", {}, ["prediction", "probability"]),
        ("multi:softmax", {"num_class": "4"}, ["prediction", "probabilities"]),
        ("rank:ndcg", {"num_class": "0"}, ["prediction"]),
        ("binary:logitraw", {}, ["prediction"]),
    ],
)
def test_outputs_follow_the_objective(objective: str, sizes: Any, outputs: list[str]) -> None:
    raw = xgboost_text(objective={"name": objective}, learner_model_param=sizes)
    found = formats.derive("xgboost", files_of({"m.json": raw})).signature
    assert found is not None
    assert [output["name"] for output in found["outputs"]] == outputs
    shapes = [output.get("shape") for output in found["outputs"]]
    assert shapes[-1] == {"4": [4]}.get(sizes.get("num_class"), shapes[-1])
    assert signature_faults(found) == []


@pytest.mark.parametrize("place", ["../../etc/passwd", "/etc/passwd", "a/../../b", "C:\\x", ""])
def test_onnx_weights_outside_the_model_are_refused_when_it_is_frozen(place: str) -> None:
    from onnx import TensorProto, helper

    weights = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    weights.ClearField("float_data")
    weights.data_location = TensorProto.EXTERNAL
    entry = weights.external_data.add()
    entry.key, entry.value = "location", place
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    node = helper.make_node("Add", ["x", "w"], ["y"])
    model = helper.make_model(helper.make_graph([node], "g", [value], [out], [weights]))
    files = files_of({"m.onnx": model.SerializeToString()})
    with pytest.raises(FormatUnknown, match=r"m\.onnx: its weights lie outside"):
        formats.derive("onnx", files)
    entry.value = "weights.bin"
    model = helper.make_model(helper.make_graph([node], "g", [value], [out], [weights]))
    beside = files_of({"m.onnx": model.SerializeToString()})
    assert formats.derive("onnx", beside).signature is not None


def test_two_models_are_refused_by_name() -> None:
    both = {**xgboost_model().files, **lightgbm_model().files}
    with pytest.raises(FormatUnknown, match=r"model\.json, model\.txt"):
        formats.detect(files_of(both))
    with pytest.raises(FormatUnknown, match="No model file found"):
        formats.detect(files_of({"notes.txt": b"tree", "data.json": b'{"learner": 1}'}))
