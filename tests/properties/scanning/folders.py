"""Families of model folders: MLflow's in every style of YAML, code beside models, many files."""

import pickle
from typing import Any

import onnx

from tests.properties.scanning.archives import SOURCE, zipped
from tests.properties.scanning.drawn import EVERY, Chance, Family, Files, Made
from tests.properties.scanning.opcodes import called, harmless
from tests.properties.scanning.polyglots import gif
from tests.properties.scanning.wrappers import keras_config, nodes_of_skops
from tests.support.models import xgboost_model

OWN = b"import placet_marker\n\ndef _load_pyfunc(path):\n    placet_marker.fire()\n"
HEAD = "mlflow_version: 3.17.2\nartifact_path: model\n"


def value(random: Chance, word: str) -> str:
    """Return a text as YAML can have it written."""
    escaped = '"' + "".join(f"\\x{ord(c):02x}" if random.random() < 0.3 else c for c in word) + '"'
    return random.choice(
        (
            word,
            f"'{word}'",
            f'"{word}"',
            escaped,
            f"!!str {word}",
            f"&a {word}",
            f'"{word[:3]}\\\n    {word[3:]}"',
            f"|-\n      {word}",
            f">-\n      {word}",
            f"{word}  # {word}.txt",
        )
    )


def flavor(random: Chance, settings: dict[str, str], name: str = "python_function") -> str:
    """Return a flavor with these settings, in block or flow style, with keys quoted or not."""
    style = random.randrange(5)
    if style == 0:
        inner = ", ".join(f"{key}: {word!r}" for key, word in settings.items())
        return f"flavors: {{{name}: {{{inner}}}}}\n"
    if style == 1:
        inner = ", ".join(f'"{key}": "{word}"' for key, word in settings.items())
        return f'{{"flavors": {{"{name}": {{{inner}}}}}}}'
    if style == 2:
        lines = [f"    ? {key}\n    : {word}\n" for key, word in settings.items()]
    elif style == 3:
        lines = [
            f"    {key}: harmless\n    {key}: {value(random, word)}\n"
            for key, word in settings.items()
        ]
    else:
        lines = [f'    "{key}": {value(random, word)}\n' for key, word in settings.items()]
    return f"flavors:\n  {name}:\n{''.join(lines)}"


def mlmodel(random: Chance, settings: dict[str, str]) -> bytes:
    """Return an MLmodel file of this flavor."""
    body = flavor(random, settings)
    if body.startswith("{"):
        return body.encode()
    if random.random() < 0.15:  # by a merge key
        body = (
            body.replace("  python_function:\n", "  base: &b\n")
            + "  python_function:\n    <<: *b\n"
        )
    start = random.choice(("", "---\n", "%YAML 1.1\n---\n", "# a model\n", "\ufeff"))
    return (start + HEAD + body).encode()


def loader_modules(random: Chance) -> Made:
    module = random.choice(("own", "own", "placet_marker_imported", "this", "own.inner"))
    files: Files = {"MLmodel": mlmodel(random, {"loader_module": module, "code": "code"})}
    place = random.choice(("code/own.py", "code/own/__init__.py"))
    files[place] = OWN
    return files, ("mlflow",)


def modules_that_are_there(random: Chance) -> Made:
    """No file of its own runs: what is named is installed."""
    module = random.choice(("placet_marker_imported", "this", "antigravity", "idlelib.idle"))
    return {"MLmodel": mlmodel(random, {"loader_module": module})}, ("mlflow",)


def code_in_odd_places(random: Chance) -> Made:
    path = random.choice(("code", "code.zip", "data", ".", "./code", "code/../code"))
    settings = {"loader_module": "own", "code": path}
    files: Files = {"MLmodel": mlmodel(random, settings)}
    if path == "code.zip":
        files[path] = zipped(("own.py", OWN))
    else:
        files[{"data": "data/own.py", ".": "own.py"}.get(path, "code/own.py")] = OWN
    return files, ("mlflow",)


def paths_that_lead_out(random: Chance) -> Made:
    path = random.choice(("..", "../../..", "/tmp", "code/../../x", "..\\x", "file:///tmp"))
    key = random.choice(("code", "data", "model_path", "python_model"))
    return {"MLmodel": mlmodel(random, {"loader_module": "mlflow.sklearn", key: path})}, ("mlflow",)


def a_python_model(random: Chance) -> Made:
    """``loader_module: mlflow.pyfunc.model`` unpickles whatever the settings name."""
    path = random.choice(("python_model.txt", "python_model.pkl", "data/plot.gif", "README.md"))
    data = harmless(random) + called(random) + b"."
    if path.endswith(".gif"):
        [data] = gif(random)[0].values()
    settings = {
        "loader_module": "mlflow.pyfunc.model",
        "python_model": path,
        "cloudpickle_version": "3.1.3",
    }
    return {"MLmodel": mlmodel(random, settings), path: data}, ("mlflow",)


def models_of_sklearn(random: Chance) -> Made:
    path = random.choice(("model.txt", "model.pkl", "README.md", "conda.yaml"))
    settings = {"loader_module": "mlflow.sklearn", "model_path": path, "data": path}
    form = random.choice(("pickle", "cloudpickle", "skops"))
    sklearn = f"  sklearn:\n    pickled_model: {path}\n    serialization_format: {form}\n"
    data = harmless(random) + called(random) + b"."
    if form == "skops":
        [data] = nodes_of_skops(random)[0].values()
        sklearn += "    skops_trusted_types: [placet_marker.fire, posix.system, os.system]\n"
    pyfunc = "".join(f"    {key}: {word}\n" for key, word in settings.items())
    body = HEAD + f"flavors:\n  python_function:\n{pyfunc}{sklearn}"
    return {"MLmodel": body.encode(), path: data}, ("mlflow",)


_BOOSTER: dict[str, bytes] = {}


def classes_of_models(random: Chance) -> Made:
    """``mlflow.xgboost`` makes an object of the class that MLmodel names."""
    if not _BOOSTER:
        _BOOSTER.update(xgboost_model(".json").files)
    kind = random.choice(
        (
            "placet_marker.Fires",
            "placet_marker.fire",
            "this.x",
            "xgboost.Booster",
            "placet_marker_imported.X",
        )
    )
    pyfunc = "  python_function:\n    loader_module: mlflow.xgboost\n"
    own = f"  xgboost:\n    data: model.json\n    model_class: {value(random, kind)}\n"
    body = HEAD + "flavors:\n" + pyfunc + own
    return {"MLmodel": body.encode(), **_BOOSTER}, ("mlflow",)


def modules_named_in_files(random: Chance) -> Made:
    """torch's and keras' flavors read the name of a module out of a text beside the model."""
    torch = random.random() < 0.5
    path = "data/pickle_module_info.txt" if torch else "data/keras_module.txt"
    module = "mlflow.pytorch" if torch else "mlflow.tensorflow"
    named = random.choice(("placet_marker_imported", "this", "placet-marker"))
    settings = {"loader_module": module, "data": "data"}
    files = {"MLmodel": mlmodel(random, settings), path: named.encode()}
    return files | ({"data/model.pth": b"hello"} if torch else {}), ("mlflow by its rules",)


def many_files(random: Chance) -> Made:
    """Harmless ones come first and are many; one runs."""
    count = random.choice((3, 30, 1100)) if random.random() < 0.2 else 5
    files = {f"a/{number}.txt": b"hello" for number in range(count)}
    for number in range(random.randrange(3)):
        files[f"b{number}.json"] = b"{}"
    files["z/" + random.choice(("notes.txt", "model.pkl", "plot.gif"))] = called(random) + b"."
    return files, EVERY


def tags_of_yaml(random: Chance) -> Made:
    tag = random.choice(
        (
            "!!python/object/apply:",
            "!<tag:yaml.org,2002:python/object/apply:",
            "!p!object/apply:",
            "!!python/object/new:",
            "!!pyth%6fn/object/apply:",
        )
    )
    shut = ">" if "<" in tag else ""
    start = "%TAG !p! tag:yaml.org,2002:python/\n---\n" if "!p!" in tag else ""
    called_one = random.choice(("placet_marker.fire", "os.system", "builtins.eval"))
    line = f"{tag}{called_one}{shut} ['1']\n"
    body = random.choice(
        (
            f"a: {line}",
            f"- {line}",
            line,
            f"? {line}: 1\n",
            f"{{a: {line}}}\n",
            f"a: &b {line}",
            f"a: [{line}]\n",
            f"{{a:{line}}}\n",
            f'{{"a":{line}}}\n',
            f"a:\t{line}",
            f"a: b\n--- {line}",
            f"a: b\n...\n---\n{line}",
            f"? - {line}",
            f"- - {line}",
            f"a: #\n  {line}",
            f"a: b\x85c: {line}",
            f"a: b\u2028c: {line}",
            f"a: b\rc: {line}",
            f"\ufeffa: {line}",
            f"a: !!str b\nc: {line}",
            f"a: !!map {{b: {line}}}\n",
        )
    )
    many = "# a comment\n" * (400_000 if random.random() < 0.03 else random.randrange(3))
    path = random.choice(("conda.yaml", "a.yml", "MLmodel", "python_env.yaml"))
    return {path: (start + many + body).encode()}, ("careless yaml",)


def weights_beside_onnx(random: Chance) -> Made:
    """Others take a file by its name or unpickle it, though an ONNX model calls it its weights."""
    path = random.choice(
        ("weights.bin", "model.onnx_data", "own.py", "MLmodel", "conda.yaml", "config.json")
    )
    ways: tuple[str, ...] = (*EVERY, "onnx")
    data = harmless(random) + called(random) + b"."
    if path == "own.py":
        data, ways = OWN.replace(b"def", b"placet_marker.fire()\ndef"), ("imports",)
    elif path == "MLmodel":
        data, ways = mlmodel(random, {"loader_module": "placet_marker_imported"}), ("mlflow",)
    elif path == "conda.yaml":
        data, ways = b"!!python/object/apply:placet_marker.fire []", ("careless yaml",)
    elif path == "config.json":
        data, ways = keras_config(random), ("keras",)
    size = -(-len(data) // 4) * 4
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[size // 4], data_location=1)
    for key, word in (("location", path), ("offset", "0"), ("length", str(size))):
        tensor.external_data.add(key=key, value=word)
    out = onnx.helper.make_tensor_value_info("w", 1, [size // 4])
    graph = onnx.helper.make_graph([], "g", [], [out], initializer=[tensor])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    return {"model.onnx": model.SerializeToString(), path: data.ljust(size)}, ways


def code_beside_a_model(random: Chance) -> Made:
    place: Any = random.choice(("own.py", "own/__init__.py", "own/inner/x.py", "a.zip"))
    data = zipped(("own.py", SOURCE)) if place == "a.zip" else SOURCE
    return {place: data, "model.json": b"{}", "own.txt": pickle.dumps("own")}, ("imports",)


FAMILIES: tuple[Family, ...] = (
    loader_modules,
    modules_that_are_there,
    code_in_odd_places,
    paths_that_lead_out,
    a_python_model,
    models_of_sklearn,
    classes_of_models,
    modules_named_in_files,
    many_files,
    tags_of_yaml,
    weights_beside_onnx,
    code_beside_a_model,
)
