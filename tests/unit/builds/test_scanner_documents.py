"""What honest people send beside models: pictures, sound, documents, tables, settings, texts."""

import io
import json
import struct
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy
import pyarrow
import pytest
import xgboost
from PIL import Image
from pyarrow import feather

from tests.support.scanning import scan_bytes
from workers.builder.scanning.__main__ import main

NOWHERE = Path("/nonexistent")
PICTURE = Image.new("RGB", (8, 6), (200, 10, 10))


def verdict(data: bytes, name: str) -> str:
    """Scan bytes."""
    return scan_bytes(name, data, NOWHERE).verdict()


def whole(files: dict[str, bytes], folder: Path) -> str:
    """Scan files with the second opinion."""
    (folder / "a").mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / "a" / name).write_bytes(data)
    main(folder / "a", folder / "answer.json")
    return str(json.loads((folder / "answer.json").read_bytes())["verdict"])


def picture(kind: str, **how: Any) -> bytes:
    file = io.BytesIO()
    PICTURE.save(file, kind, **how)
    return file.getvalue()


def sound() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 1, 8000, 0, "NONE", ""))
        out.writeframes(bytes(101))  # an odd length, behind which this writer leaves no blank
    return file.getvalue()


def table(compression: str = "uncompressed", version: int = 2) -> bytes:
    file = io.BytesIO()
    columns = pyarrow.table({"a": [1, 2], "b": ["x", None]})
    feather.write_feather(columns, file, compression=compression, version=version)
    return file.getvalue()


def rows(codec: str | None = None, batches: int = 2, kind: bytes = b"arrow.json") -> bytes:
    """A table as it is written to a pipe, without magic and footer; ``kind`` is that of a type."""
    file, more = io.BytesIO(), {b"ARROW:extension:name": kind, b"ARROW:extension:metadata": b"x"}
    numbers = pyarrow.field("a", pyarrow.int64(), metadata=more)
    words = pyarrow.field("b", pyarrow.dictionary(pyarrow.int32(), pyarrow.string()))
    part = pyarrow.table(
        [pyarrow.array([1, 2]), pyarrow.array(["x", None]).dictionary_encode()],
        schema=pyarrow.schema([numbers, words]),
    )
    how = pyarrow.ipc.IpcWriteOptions(compression=codec)
    with pyarrow.ipc.new_stream(file, part.schema, options=how) as writer:
        for _ in range(batches):
            writer.write_table(part)
    return file.getvalue()


def desktop() -> bytes:
    """The Finder's notes, as far as their first block."""
    root = struct.pack(">III", 2048, 1024, 2048)
    return b"\0\0\0\1Bud1" + root + bytes(2048 + 1024 + 4 - 20)


KINDS: dict[str, Callable[[], bytes]] = {
    ".pdf": lambda: picture("PDF"),
    ".webp": lambda: picture("WEBP"),
    ".bmp": lambda: picture("BMP"),
    ".tif": lambda: picture("TIFF"),
    ".tiff": lambda: picture("TIFF"),
    ".gif": lambda: picture("GIF"),
    ".png": lambda: picture("PNG"),
    ".wav": sound,
    ".feather": table,
    ".arrow": lambda: table("lz4"),
    ".arrows": rows,
}
TEXTS = (
    "rows.ndjson rows.jsonl map.geojson report.html pyproject.toml uv.lock train.log .gitignore "
    ".gitattributes notes.md chat_template.jinja page.jinja2 words.srt words.vtt rows.proto "
    "log4j.properties notes.adoc page.css mended.diff COPYING LICENCE CHANGES CODEOWNERS license "
    "readme"
)


BIG = picture("TIFF", big_tiff=True)


def test_a_picture_with_long_numbers_is_safe_when_it_is_whole(tmp_path: Path) -> None:
    assert BIG.startswith(b"II+\0")
    assert whole({"a.tif": BIG}, tmp_path) == "safe"


@pytest.mark.parametrize(
    "data",
    [
        BIG[:12],
        BIG[:4] + struct.pack("<HH", 4, 0) + BIG[8:],
        BIG[:8] + struct.pack("<Q", 2**64 - 1) + BIG[16:],
        BIG[:8] + struct.pack("<Q", 8) + BIG[16:],
        BIG[:8] + bytes(8) + BIG[16:],
        b"II*\0" + bytes(40),
    ],
    ids=["cut off", "short numbers", "far outside", "the head", "no directory", "none in TIFF"],
)
def test_a_picture_whose_directories_lead_nowhere_is_not_safe(data: bytes) -> None:
    assert verdict(data, "a.tif") == "unknown"


@pytest.mark.parametrize("ending", KINDS)
def test_what_lies_beside_models_is_safe_when_it_is_whole(ending: str, tmp_path: Path) -> None:
    assert whole({f"a{ending}": KINDS[ending]()}, tmp_path) == "safe"


def test_the_finders_notes_are_safe_when_they_are_whole(tmp_path: Path) -> None:
    assert whole({".DS_Store": desktop()}, tmp_path) == "safe"
    assert verdict(desktop()[:-1], ".DS_Store") == "unknown"


@pytest.mark.parametrize("name", TEXTS.split())
def test_texts_are_texts(name: str, tmp_path: Path) -> None:
    assert whole({name: b'{"a": 1}\n'}, tmp_path) == "safe"


STRICT = [ending for ending in KINDS if ending not in {".gif", ".png"}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda pdf: pdf.replace(b"startxref", b"startxxxx"), "but it lacks startxref at its end"),
        (lambda pdf: pdf[:-40], "but it does not end as a PDF does (%%EOF): it is cut off"),
        (lambda pdf: pdf + b"more", "it is cut off, or more was added"),
        (lambda pdf: b"\x7fELF" + pdf, "is native program code, which nobody reads here"),
    ],
    ids=["no startxref", "cut off", "more behind", "a program"],
)
def test_what_is_wrong_with_a_document_is_said_and_what_to_do(
    change: Callable[[bytes], bytes], said: str
) -> None:
    findings = scan_bytes("report.pdf", change(picture("PDF")), NOWHERE).findings
    told = [what for _, verdict, what in findings if verdict == "unknown"]
    assert any(said in what for what in told), told
    assert told[0].endswith(("save or export it again", "leave it out"))


@pytest.mark.parametrize("ending", STRICT)
def test_what_is_cut_off_or_has_something_behind_it_is_not_safe(ending: str) -> None:
    data = KINDS[ending]()
    for broken in (data[:4], b"hello"):
        assert verdict(broken, f"a{ending}") == "unknown"
    if not ending.startswith(".tif"):  # its directories may stand anywhere in it
        for broken in (data[: len(data) // 2], data + b"behind it"):
            assert verdict(broken, f"a{ending}") == "unknown"


@pytest.mark.parametrize("ending", KINDS)
def test_an_archive_of_code_behind_it_is_not_safe(ending: str) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("own.py", "print(1)")
    assert verdict(KINDS[ending]() + file.getvalue(), f"a{ending}") != "safe"


def called(text: bytes) -> bytes:
    return b"cos\nsystem\n(V" + text + b"\ntR."


@pytest.mark.parametrize(
    ("ending", "start"),
    [
        (".bmp", b"BM\0\0\0" + bytes(0x4D)),  # four bytes of length, and as many bytes
        (".tif", b"II*\0\n0"),
        (".webp", b"RIFF"),
        (".pdf", b"%PDF-1.4\n"),
        (".feather", b"FEA1\n0"),
        (".wav", b"RIFF\0\0\0\0WAVE"),
    ],
)
def test_a_pickle_behind_first_bytes_is_not_safe(ending: str, start: bytes) -> None:
    assert verdict(start + called(b"id"), f"a{ending}") != "safe"


def test_a_picture_of_the_length_that_its_pickle_says_is_a_pickle() -> None:
    """A bitmap of 16 MB says its length in bytes that an unpickler takes for a short text."""
    size = 1 << 24
    evil = called(b"id")
    start = b"BM" + size.to_bytes(4, "little") + bytes(4) + struct.pack("<II", 200, 40)
    head = start.ljust(5 + 0x4D, b"\0") + b"0" + evil
    data = head.ljust(size, b"\0")
    assert verdict(data, "a.bmp") == "malicious"


@pytest.mark.parametrize("ending", [".arrow", ".arrows", ".feather"])
@pytest.mark.parametrize("how", [{"codec": "zstd"}, {"batches": 0}, {"batches": 500}], ids=str)
def test_a_table_that_was_written_as_a_stream_is_safe_when_it_is_whole(
    ending: str, how: dict[str, Any], tmp_path: Path
) -> None:
    assert whole({f"a{ending}": rows(**how)}, tmp_path) == "safe"


def test_a_stream_of_which_a_part_is_not_one_is_not_safe() -> None:
    data = rows()
    schema = 8 + int.from_bytes(data[4:8], "little")
    end = b"\xff" * 4 + bytes(4)
    assert data.endswith(end)
    for broken in (
        end,
        data[schema:],
        data[:schema] + data,
        data[:-8],
        data[:4] + b"\x07" + data[5:],
        data[:8] + b"\xff" * 8 + data[16:],
        data[: schema + 8] + bytes(64) + data[schema + 72 :],
        data[:8] + struct.pack("<Ii", 4, 2**31 - 1) + data[16:],
        end.join((data, data)),
        *(data[:cut] for cut in range(13, len(data), 13)),
    ):
        assert verdict(broken, "a.arrows") == "unknown", broken[:80]
    assert verdict(rows(kind=b"arrow.py_extension_type"), "a.arrows") == "unknown"


def test_a_table_may_not_name_a_type_that_pyarrow_unpickled() -> None:
    for kind, expected in ((b"arrow.json", "safe"), (b"arrow.py_extension_type", "unknown")):
        more = {b"ARROW:extension:name": kind, b"ARROW:extension:metadata": b"\x80\x04N."}
        schema = pyarrow.schema([pyarrow.field("a", pyarrow.int64(), metadata=more)])
        file = io.BytesIO()
        columns = pyarrow.table([pyarrow.array([1])], schema=schema)
        feather.write_feather(columns, file, compression="uncompressed")
        assert verdict(file.getvalue(), "a.feather") == expected


def grown(**how: Any) -> xgboost.Booster:
    rows = numpy.random.default_rng(0).random((30, 3))
    data = xgboost.DMatrix(rows, rows[:, 0] > 0.5)
    return xgboost.train({"nthread": 1, **how}, data, 2)


@pytest.mark.filterwarnings("ignore:.*is deprecated")
@pytest.mark.parametrize("booster", ["gbtree", "dart", "gblinear"])
def test_settings_of_xgboost_are_no_model_and_no_harm(booster: str, tmp_path: Path) -> None:
    """XGBoost itself ends before it follows one."""
    data = grown(booster=booster).save_config().encode()
    report = scan_bytes("config.json", data, NOWHERE)
    assert report.verdict() == "safe"
    assert report.findings[0][2] == "is settings of XGBoost (Booster.save_config), and no model"
    assert verdict(data, "model.xgb") == "unknown"
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(xgboost.core.XGBoostError):
        xgboost.Booster().load_model(tmp_path / "a.json")


@pytest.mark.parametrize(
    "change",
    [
        lambda booster: booster.update(model={"trees": []}),
        lambda booster: booster.update(gbtree={"model": {"trees": []}}),
        lambda booster: [booster.pop(name) for name in list(booster) if "train" in name],
    ],
)
def test_settings_with_a_model_in_them_are_a_model(change: Any) -> None:
    settings = json.loads(grown().save_config())
    change(settings["learner"]["gradient_booster"])
    assert verdict(json.dumps(settings).encode(), "config.json") == "unknown"


def test_a_member_that_a_newer_xgboost_writes_is_told_from_what_is_broken() -> None:
    model = json.loads(bytes(grown().save_raw("json")))
    forest = model["learner"]["gradient_booster"]["model"]
    forest["trees"][0]["of_tomorrow"] = [0]
    report = scan_bytes("model.json", json.dumps(model).encode(), NOWHERE)
    assert report.verdict() == "unknown"
    assert "that may be whole, but a part of tree 0 is not known here" in report.findings[0][2]


STRINGS = numpy.dtypes.StringDType()  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore:Custom dtypes are saved")
@pytest.mark.parametrize("missing", [False, True])
def test_texts_of_any_length_are_a_pickle_to_numpy_and_joblib(
    missing: bool, tmp_path: Path
) -> None:
    kind = numpy.dtypes.StringDType(na_object=numpy.nan) if missing else STRINGS  # type: ignore[attr-defined]
    array = numpy.array(["a", "größe", ""], kind)
    npy, dumped = io.BytesIO(), io.BytesIO()
    numpy.save(npy, array, allow_pickle=True)
    joblib.dump({"words": array, "rows": numpy.arange(3.0)}, dumped)
    assert whole({"a.npy": npy.getvalue()}, tmp_path) == "code-carrying"
    assert whole({"a.joblib": dumped.getvalue()}, tmp_path) == "code-carrying"


@pytest.mark.parametrize("name", ["rows.xml", "plot.svg", "a.html", "notes.txt"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE svg PUBLIC "-//W3C">\n<svg/>', "safe"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "safe"),
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><a>&b;</a>', "unknown"),
        ('<!DOCTYPE a [<!ENTITY % b\n PUBLIC "c" "../secret">%b;]><a/>', "unknown"),
        ("<!DOCTYPE a [<!ENTITY " + "b" * (1 << 20) + ' SYSTEM "../c">]><a/>', "unknown"),
        (" " * (1 << 20) + '<!DOCTYPE a [<!ENTITY b SYSTEM "../c">]><a>&b;</a>', "unknown"),
        ('<!DOCTYPE a PUBLIC "b" "c" [<!ENTITY d "e">]><a/>', "safe"),
        ("\ufeff \n<?xml version=\"1.0\" encoding='UTF-7'?><a/>", "unknown"),
    ],
    ids=lambda value: value[-40:],
)
def test_xml_that_reads_another_file_is_not_safe(text: str, expected: str, name: str) -> None:
    assert verdict(text.encode(), name) == expected


@pytest.mark.parametrize("pack", [numpy.savez, numpy.savez_compressed])
def test_arrays_of_objects_in_a_zip_are_a_pickle_and_no_broken_one(
    pack: Any, tmp_path: Path
) -> None:
    file = io.BytesIO()
    pack(file, a=numpy.array(["a", None], dtype=object), b=numpy.arange(3))
    assert whole({"a.npz": file.getvalue()}, tmp_path) == "code-carrying"
