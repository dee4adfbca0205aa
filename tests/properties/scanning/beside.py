"""Honest files that lie beside models, and honest models that say more than most."""

import io
import struct
import warnings
import wave
from collections.abc import Callable
from typing import Any

import numpy

from tests.properties.scanning.drawn import PICKLES, Chance, Files, Made
from tests.properties.scanning.estimators import rows
from tests.properties.scanning.outside import folder_of_xgboost
from tests.support.models import booster_bytes


def drawn_picture(random: Chance) -> tuple[str, bytes]:
    """Return a picture or a document of one page."""
    from PIL import Image

    size = (random.randrange(1, 40), random.randrange(1, 40))
    picture = Image.frombytes("RGB", size, random.randbytes(size[0] * size[1] * 3))
    endings = {".pdf": "PDF", ".webp": "WEBP", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF"}
    ending = random.choice((*endings, ".gif", ".png", ".jpg"))
    kind = endings.get(ending, {".gif": "GIF", ".png": "PNG", ".jpg": "JPEG"}.get(ending, ""))
    if kind == "WEBP" and random.random() < 0.5:
        return ending, saved(picture, kind, lossless=True)
    if kind == "TIFF":
        return ending, saved(picture, kind, compression=random.choice((None, "tiff_lzw")))
    return ending, saved(picture, kind)


def saved(picture: Any, kind: str, **how: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **how)
    return file.getvalue()


def drawn_table(random: Chance) -> tuple[str, bytes]:
    """Return a table of Arrow's."""
    import pyarrow
    from pyarrow import feather

    count = random.randrange(30)
    columns = {
        "a": [random.random() for _ in range(count)],
        "b": [random.choice(("x", "größe", None)) for _ in range(count)],
        "c": pyarrow.array([random.choice("uvw") for _ in range(count)]).dictionary_encode(),
    }
    file = io.BytesIO()
    how = random.choice(("lz4", "zstd", "uncompressed"))
    feather.write_feather(pyarrow.table(columns), file, compression=how)
    return random.choice((".feather", ".arrow")), file.getvalue()


def drawn_sound(random: Chance) -> tuple[str, bytes]:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((random.choice((1, 2)), 2, 8000, 0, "NONE", ""))
        out.writeframes(random.randbytes(4 * random.randrange(60)))
    return ".wav", file.getvalue()


def documents(random: Chance) -> Made:
    """What people put beside a model: plots, sounds, tables, texts, what their desktop leaves."""
    files: Files = {}
    for make in random.sample((drawn_picture, drawn_table, drawn_sound), 2):
        ending, data = make(random)
        files[f"a{ending}"] = data
    root = random.randrange(36, 900)
    head = b"\0\0\0\1Bud1" + struct.pack(">III", root, 32, root)
    files[".DS_Store"] = head + bytes(root + 36 - len(head))
    names = ("rows.ndjson", "map.geojson", "a.html", "uv.lock", "train.log", ".gitignore")
    files[random.choice(names)] = b'{"a": 1}\n' * random.randrange(1, 4)
    return files, ("pickle", "joblib", "numpy", "unpacked")


def settings_of_xgboost(random: Chance) -> Made:
    """``Booster.save_config`` beside the model that it is of."""
    from xgboost import DMatrix, train

    features, labels = rows(random)
    how: dict[str, Any] = random.choice(
        (
            {"objective": "binary:logistic"},
            {"booster": "gblinear"},
            {"rate_drop": 0.5},
            {"tree_method": "exact"},
            {"objective": "multi:softprob", "num_class": 2},
        )
    )
    booster = train({"max_depth": 3, "nthread": 1, **how}, DMatrix(features, labels), 2)
    config = booster.save_config().encode()
    return {"config.json": config, "model.ubj": booster_bytes(booster, ".ubj")}, ("unpacked",)


def texts_of_any_length(random: Chance) -> Made:
    """NumPy's ``StringDType``, which NumPy and joblib keep as a pickle."""
    import joblib

    kind = numpy.dtypes.StringDType()
    if random.random() < 0.5:
        kind = numpy.dtypes.StringDType(na_object=numpy.nan)
    words = ["a" * random.randrange(40) for _ in range(random.randrange(6))]
    array, file = numpy.array(words, kind), io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if random.random() < 0.5:
            numpy.save(file, array, allow_pickle=True)
            return {"a.npy": file.getvalue()}, ("numpy",)
        joblib.dump([array, numpy.arange(3), array.copy()], file)
    return {"a.joblib": file.getvalue()}, PICKLES


def mlflow_of_xgboost(random: Chance) -> Made:
    """A folder of MLflow's with an example, and requirements that lead to others of its own."""
    files = folder_of_xgboost(
        "saved_input_example_info:\n  artifact_path: input_example.json\n"
        "  pandas_orient: split\n  type: dataframe\n"
        "metadata:\n  rows: /srv/data/rows.parquet\n"
        'signature:\n  inputs: \'[{"type": "double", "name": "../km"}]\'\n'
    )
    files["input_example.json"] = b'{"columns": ["a"], "data": [[1.0]]}'
    files["requirements.txt"] = random.choice(
        (
            b"xgboost\n",
            b"-r base.txt\nxgboost\n",
            b"-c constraints.txt\nxgboost  # via -r ../a.in\n",
        )
    )
    files["base.txt"], files["constraints.txt"] = b"numpy\n", b"numpy<9\n"
    files["python_env.yaml"] = b"python: 3.13.1\ndependencies:\n- -r requirements.txt\n"
    return files, ("mlflow", "mlflow warns")


# What the scanner must say of each kind.
KINDS: dict[str, tuple[Callable[[Chance], Made], str]] = {
    "documents": (documents, "safe"),
    "settings of xgboost": (settings_of_xgboost, "safe"),
    "texts of any length": (texts_of_any_length, "code-carrying"),
    "mlflow of xgboost": (mlflow_of_xgboost, "safe"),
}
