"""Texts that begin like a pickle: what loaders do with them, and what honest people write."""

import functools
import io
import json
import operator
import pickle
import struct
import tempfile
import uuid
import zipfile
import zlib
from pathlib import Path

import cloudpickle
import pytest

from tests.support.scanning import scan_bytes
from workers.builder.scanning.__main__ import main

NOWHERE = Path("/nonexistent")


def verdict(data: bytes, name: str) -> str:
    """Scan bytes."""
    return scan_bytes(name, data, NOWHERE).verdict()


def whole(data: bytes, name: str) -> str:
    """Scan a folder of one file, with the second opinion."""
    with tempfile.TemporaryDirectory() as place:
        folder, answer = Path(place, "artifact"), Path(place, "answer.json")
        folder.mkdir()
        (folder / name).write_bytes(data)
        main(folder, answer)
        return str(json.loads(answer.read_bytes())["verdict"])


CHANGES = [b"Vsafe_load\nNs", b"(Vsafe_load\nNu", b"(Vsafe_load\nNdb", b"Na", b"(Ne", b"(N\x90"]


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_given_items_or_a_state_is_as_good_as_called(change: bytes) -> None:
    """Of a module or class it changes what everybody calls later."""
    text = b"cyaml\n__dict__\n" + change
    names = "notes.txt", "labels.csv"
    assert {verdict(text + b"rest of the text\n", name) for name in names} == {"unknown"}
    report = scan_bytes("model.pkl", text + b".", NOWHERE)
    assert report.verdict() == "code-carrying"
    assert ("model.pkl", "code-carrying", "changes yaml.__dict__") in report.findings
    assert verdict(b"csys\nmodules\n" + change + b".", "model.pkl") == "malicious"


PLAIN = {
    "AUTHORS": b"N. Smith\nA. Jones\n",
    "README.md": b"N.B. this model is old\n",
    "notes.rst": b"Parameters\n.. list-table::\n",
    "notes.md": b"Vocabulary\n.\n",
    ".gitignore": b"Python cache\n.venv\n",
    "names.csv": b"N.,name\n1,a\n",
    "price.csv": b"Price\n.5\n.7\n",
    "value.csv": b"Value\n.5\n.25\n",
    "f1.csv": b"F1\n.5\n",
    "merges.txt": b"V o\n. x\n",
    "a.json": b"]. see",
    "a.yaml": b"I1\n.\n",
}


@pytest.mark.parametrize(("name", "data"), PLAIN.items())
def test_a_text_that_gives_an_unpickler_a_plain_value_is_a_text(name: str, data: bytes) -> None:
    pickle.loads(data) if data[:1] not in b"P" else None
    assert whole(data, name) == "safe"
    assert verdict(data, "model.pkl") != "safe"
    assert verdict(data + b"\0", name) != "safe"  # it cannot be read aloud


@pytest.mark.parametrize(
    "data", [b"N.cos\nsystem\n", b"N0cfoo\nbar\n.", b"I1\n.cfoo\nbar\n(tR.", b"P1\n.N)R.", b"(NtQ."]
)
def test_a_text_with_a_pickle_that_asks_or_calls_is_no_text(data: bytes) -> None:
    assert verdict(data, "notes.txt") != "safe"


# The modules are Python's own, and have nothing of these names; of the others nobody knows.
NOWHERE_TO_BE_FOUND = {
    "platforms.txt": b"ios\nandroid\nweb\n",
    "functions.txt": b"cos\nsin\ntan\n",
    "columns.txt": b"cast\ncrew\nbudget\n",
    "ctime.csv": b"ctime\n1723456789\n1723456799\n",
    "io.csv": b"iio\n1\n",
    "keywords.txt": b"import\nos\n",
    "sites.txt": b"isite\nx\n",
    "c.txt": b"ctypes\nmathx\n",
    "cities.csv": b"id\n1\n2\n",
    "eval.txt": b"ceval\neval\n",
    "requirements.txt": b"ijson\nnumpy\n",
    "ids.csv": b"cuuid\n6f1c\n77aa\n",
    "countries.csv": b"ccode\nDE\nFR\n",
    "days.csv": b"ccalendar\nday\n",
    "decimals.csv": b"cdecimal\n1\n",
    "signals.csv": b"csignal\n1\n",
    "cages.csv": b"cage\nunknown\n",
}


@pytest.mark.parametrize(("name", "data"), NOWHERE_TO_BE_FOUND.items())
def test_words_that_ask_for_what_is_nowhere_are_words_with_a_hint(name: str, data: bytes) -> None:
    assert whole(data, name) == "code-carrying"
    assert whole(b"# words\n" + data, name) == "safe"
    assert verdict(data[:-1] + b"\0\n", name) != "safe"
    assert verdict(data + b"(N)tR", name) != "safe"


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n",
        b"ccommands\ngetoutput\n",
        b"crequests\nget\n",
        b"cnumpy\nload\n",
        b"cos\nsin\ncos\nsystem\n",
        b"c.os\nsin\n",
        b"cos\npath.x\n",
        b"cos\nsin\n(tR",
    ],
)
def test_words_that_ask_for_what_is_there_are_no_words(data: bytes) -> None:
    assert whole(data, "words.txt") in {"malicious", "unknown"}


@pytest.mark.parametrize(
    "data",
    [b"ctest\n1\n2\n", b"isocket\n1\n", b"ccode\ninteract\n", b"cpip\n1\n", b"cdocker\nA\n"],
)
def test_words_that_may_ask_for_what_is_there_are_not_malicious(data: bytes) -> None:
    assert whole(data, "words.csv") == "unknown"
    assert whole(b"# words\n" + data, "words.csv") == "safe"
    assert whole(data + b"\0", "words.csv") != "safe"
    assert whole(data + b"cos\nsystem\n", "words.csv") != "safe"
    assert verdict(data + b"(tR.", "words.csv") != "safe"


@pytest.mark.parametrize(
    "data", [b"bios\nvendor\n", b"acos\nasin\n", b"score\n0.9\n", b"score\nunknown\n"]
)
def test_a_second_opinion_that_minds_no_stack_is_none_of_texts(data: bytes) -> None:
    """Both unpicklers end at the first letter, which asks for what is not on their stack."""
    assert whole(data, "words.csv") == "safe"


def test_what_the_second_opinion_could_not_read_to_its_end_is_not_safe() -> None:
    """Names were found in it before that: who knows what stands behind."""
    tensor = {"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}
    header = (json.dumps(tensor) + "\n\n").ljust(ord("c")).encode()
    data = struct.pack("<Q", len(header)) + header + b"\0"
    assert verdict(data, "model.safetensors") == "safe"
    assert whole(data, "model.safetensors") == "unknown"
    assert whole(data.replace(b"\n", b" "), "model.safetensors") == "safe"


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("spectrum.csv", b"MZ_ratio,intensity\n100.2,5\n", "safe"),
        ("mz.csv", b"MZ\n5\n", "safe"),
        ("mz.txt", b"MZ".ljust(60) + b"\x40\0\0\0PE\0\0", "unknown"),
        ("zf.txt", b"ZF Friedrichshafen\nBosch\n", "safe"),
        ("zf.txt", b"ZF0x5                " + zlib.compress(b"hello"), "unknown"),
        ("zf.txt", b"ZF0x5                hello", "unknown"),
    ],
)
def test_first_bytes_of_a_program_or_of_an_old_joblib_may_be_words(
    name: str, data: bytes, expected: str
) -> None:
    assert verdict(data, name) == expected


HONEST = {
    "a function of one's own": cloudpickle.dumps(lambda value: value * 2),
    "partial": pickle.dumps(functools.partial(len, [1])),
    "itemgetter": pickle.dumps(operator.itemgetter(1)),
    "uuid": pickle.dumps(uuid.UUID(int=1)),
}


@pytest.mark.parametrize("data", HONEST.values(), ids=HONEST)
def test_what_the_second_opinion_minds_is_code_where_the_walk_followed_it(data: bytes) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("archive/data.pkl", data)
    assert {whole(data, "model.pkl"), whole(packed.getvalue(), "model.zip")} == {"code-carrying"}
    assert whole(data + b"cos\nsystem\n.", "model.pkl") == "malicious"


def test_what_the_second_opinion_minds_counts_where_the_walk_did_not_follow() -> None:
    data = HONEST["a function of one's own"]
    assert verdict(data + b"\xff", "model.pkl") == "unknown"
    assert whole(data + b"\xff", "model.pkl") == "malicious"


@pytest.mark.parametrize(
    "name", [".gitkeep", ".python-version", "Pipfile", "MLproject", "a.markdown", "a.conf", "a.svg"]
)
def test_what_lies_beside_many_models_is_text_when_it_is_one(name: str) -> None:
    assert whole(b"name: x\n", name) == "safe"
    assert verdict(b"\xff\n", name) == "unknown"
    assert verdict(b"cos\nsystem\n(S'true'\ntR.", name) == "malicious"


def test_a_project_of_mlflow_is_yaml() -> None:
    tag = b"a: !!python/object/apply:os.system [id]\n"
    assert verdict(tag, "MLproject") == "malicious"


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
def test_a_table_may_be_written_as_spreadsheets_write_it(encoding: str, name: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    data = f"{mark}name;stra\u00dfe\nM\u00fcller;1\n".encode(encoding)
    assert whole(data, name) == ("unknown" if name == "a.txt" else "safe")
    assert verdict(data + "\0".encode(encoding), name) == "unknown"
    assert verdict(data + b"\x81", name) == "unknown"
    assert verdict(b"cos\nsystem\n(S'true'\ntR." + data, name) == "malicious"
