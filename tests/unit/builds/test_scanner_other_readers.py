"""What another reader would open, and ours would not, is never safe."""

import base64
import errno
import io
import json
import lzma
import pickle
import struct
import subprocess
import sys
import tarfile
import time
import traceback
import zipfile
import zlib
from pathlib import Path

import numpy
import pytest

from tests.support.scanning import scan_bytes, scan_folder
from workers.builder.scanning.__main__ import main
from workers.builder.scanning.files import Scanner

NOWHERE = Path("/nonexistent")
PNG = b"\x89PNG\r\n\x1a\n"
HDF5 = b"\x89HDF\r\n\x1a\n"
# As a locator of a second end that there is not: zipfile of Python 3.13.5 refuses it.
LOCATOR = struct.pack("<4sIQI", b"PK\x06\x07", 0, 1 << 40, 1)


def verdict(name: str, data: bytes) -> str:
    """Return what is said of a file."""
    return scan_bytes(name, data, NOWHERE).verdict()


def zip_with(name: str, code: bytes, *, comment: bytes = b"") -> bytes:
    """Return a zip of one member, whose entry in the directory has a comment."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, code)
        archive.infolist()[0].comment = comment
    return file.getvalue()


def sized(code: bytes, size: int, method: int) -> bytes:
    """Return a zip of one member of which all is said to have ``size`` bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(code) + packer.flush() if method else code
    name, crc = b"planted.txt", zlib.crc32(code[:size])
    says = (20, 0, method, 0, 33, crc, len(packed), size, len(name), 0)
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", *says) + name + packed
    entry = struct.pack("<4sH", b"PK\1\2", 20) + struct.pack("<HHHHHIIIHH", *says)
    entry += struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(entry), len(local), 0)
    return local + entry + end


def test_an_archive_that_our_zipfile_denies_and_python_imports_from(tmp_path: Path) -> None:
    code = zip_with("planted.py", b'print("ran")\n', comment=LOCATOR)
    for name, before in (("m.png", PNG), ("notes.txt", b"notes\n"), ("m.bin", b"")):
        assert verdict(name, before + code) in {"unknown", "code-carrying"}
    (path := tmp_path / "m.png").write_bytes(PNG + code)
    run = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(path)!r}); import planted"]
    assert subprocess.run(run, capture_output=True, check=True).stdout == b"ran\n"


@pytest.mark.parametrize("method", [0, 8], ids=["stored", "deflated"])
def test_a_member_with_more_in_it_than_its_size_says_is_not_safe(method: int) -> None:
    text = b"some words\n" * 9
    assert verdict("m.zip", sized(text, len(text), method)) == "safe"
    assert verdict("m.zip", sized(text, len(text) + 1, method)) == "unknown"
    for size in (0, 11):
        assert verdict("m.zip", sized(text, size, method)) == "unknown"


@pytest.mark.parametrize("behind", [0, 65_535, 65_600])
def test_an_end_that_stands_as_far_away_as_anybody_looks_is_found(behind: int) -> None:
    assert verdict("notes.txt", b"x" + zip_with("a.py", b"1\n") + b" " * behind) == "unknown"


@pytest.mark.parametrize(
    ("method", "said"), [(zipfile.ZIP_BZIP2, "safe"), (zipfile.ZIP_LZMA, "unknown")]
)
def test_a_member_that_is_packed_as_few_readers_know_is_held_to_its_size(
    method: int, said: str
) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("a.txt", "words\n" * 500_000)
    data = file.getvalue()
    assert verdict("m.zip", data) == said
    size = struct.pack("<I", 3_000_000)
    assert verdict("m.zip", data.replace(size, struct.pack("<I", 6))) == "unknown"


@pytest.mark.parametrize("mark", [b"PK\6\6", b"PK\6\7"])
def test_a_second_end_that_only_some_look_for_is_not_safe(mark: bytes) -> None:
    plain = zip_with("a.txt", b"words\n")
    assert verdict("m.zip", plain) == "safe"
    assert verdict("m.zip", zip_with("a.txt", b"words\n", comment=mark + bytes(72))) == "unknown"
    file = io.BytesIO(plain)
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = mark
    assert verdict("m.zip", file.getvalue()) == "unknown"


def two_ends(length: int, comment: bytes = b"") -> bytes:
    """Return a zip of one member with both ends, of which the older gives its directory a
    ``length``."""
    plain = zip_with("a.txt", b"words\n", comment=comment)
    directory = plain.index(b"PK\1\2")
    end = plain.index(b"PK\5\6")
    size = end - directory
    newer = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, size, directory)
    newer += struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    older = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, length or size, directory, 0)
    return plain[:end] + newer + older


def test_of_two_ends_the_older_says_what_the_newer_does_and_leads_nowhere_else() -> None:
    assert verdict("m.zip", two_ends(0)) == "safe"
    assert verdict("m.zip", two_ends(0xFFFFFFFF)) == "safe"
    assert verdict("m.zip", two_ends(7)) == "unknown"
    # who knows the older end alone begins 76 bytes into the directory
    for place, said in ((76, "unknown"), (75, "safe")):
        entry = b"-" * (place - 51) + b"PK\1\2"
        assert verdict("m.zip", two_ends(0, comment=entry + bytes(60))) == said


@pytest.mark.parametrize("place", [512, 1024, 4096])
@pytest.mark.parametrize("name", ["m.npy", "m.safetensors", "m.txt"])
def test_hdf5_behind_a_block_of_somebody_elses_is_not_safe(name: str, place: int) -> None:
    numbers = numpy.zeros(8192, "u1")
    file = io.BytesIO()
    numpy.save(file, numbers)
    header = json.dumps({"w": {"dtype": "U8", "shape": [8192], "data_offsets": [0, 8192]}})
    weights = len(header).to_bytes(8, "little") + header.encode() + bytes(numbers)
    data = {"m.npy": file.getvalue(), "m.safetensors": weights, "m.txt": b" " * 9000}[name]
    assert verdict(name, data) == "safe"
    for at, expected in ((place, "unknown"), (place + 8, "unknown" if name == "m.txt" else "safe")):
        assert verdict(name, data[:at] + HDF5 + data[at + 8 :]) == expected


def test_a_table_that_unpickles_is_found_by_its_end_whatever_it_begins_with() -> None:
    footer = base64.b64encode(b"xxxarrow.py_extension_typexxx")
    file = io.BytesIO()
    table = b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"
    numpy.save(file, numpy.frombuffer(table, "u1"))
    assert verdict("m.npy", file.getvalue()) == "unknown"
    assert verdict("m.npy", file.getvalue().replace(b"PAR1", b"PAR2")) == "safe"


def test_a_table_of_arrow_is_one_whatever_it_is_called() -> None:
    stream = b"\xff\xff\xff\xff" + bytes(20) + b"arrow.py_extension_type"
    for table in (b"ARROW1\0\0" + stream, stream, PNG + stream + b"ARROW1"):
        assert verdict("w.bin", table) == "unknown"
        file = io.BytesIO()
        numpy.save(file, numpy.frombuffer(table + b"ARROW1", "u1"))
        assert verdict("m.npy", file.getvalue()) == "unknown"
        assert verdict("m.npy", file.getvalue().replace(b"py_ext", b"other_")) == "safe"


def test_a_pickle_in_a_folder_called_like_an_archive_is_scanned_to_its_end(tmp_path: Path) -> None:
    (folder := tmp_path / "files" / "m!").mkdir(parents=True)
    (folder / "a!b.pkl").write_bytes(pickle.dumps({"a": 1}))
    (folder / "c.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert main(tmp_path / "files", tmp_path / "answer") == 0
    assert json.loads((tmp_path / "answer").read_text())["verdict"] == "malicious"


@pytest.mark.parametrize("name", ["config.json", "m/config.json"])
def test_a_number_too_long_for_us_hides_no_layer(name: str) -> None:
    layer = b'{"class_name": "Lambda", "config": {}, "x": %s}'
    assert verdict(name, layer % b"1") == "code-carrying"
    assert verdict(name, layer % (b"1" * 5000)) == "unknown"


@pytest.mark.parametrize(
    "text",
    [
        b"-r ../more.txt\n",
        b"\xef\xbb\xbf-r ../more.txt\n",
        b"# coding: utf-7\n+AC0-r ../more.txt\n",
        b"numpy\n# -*- coding: unicode_escape -*-\n\\x2dr ../more.txt\n",
        b"--requirem ../more.txt\n",
        b"--const=../more.txt\n",
        b'-"r" ../more.txt\n',
        b"-\\r ../more.txt\n",
        b"--pre -'c../more.txt'\n",
        b"\\-r ../more.txt\\\n\n",
        b"--requirement\\\n    ../more.txt\n",
        b"# coding: utf-7 coding: utf-8\n+AC0-r ../more.txt\n",
        b"-\\ # c\nr ../more.txt\n",
        b"-r \x0c../more.txt\n",
        b"-r \\\n#/../../more.txt\n",
    ],
)
def test_what_pip_follows_out_of_the_folder_is_seen(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "requirements.txt").write_bytes(text)
    assert scan_folder(tmp_path).verdict() == "unknown"


def test_honest_options_of_pip_are_safe(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("numpy\n")
    (tmp_path / "requirements.txt").write_text(
        "# coding: utf-8\n--require-hashes\n--only-binary :all:\n--requirem more.txt\n-i https://x\n"
    )
    assert scan_folder(tmp_path).verdict() == "safe"


def test_a_folder_called_like_an_archive_is_a_folder(tmp_path: Path) -> None:
    (folder := tmp_path / "m!").mkdir()
    (folder / "requirements.txt").write_text("-r ../../../../etc/requirements\n")
    assert scan_folder(tmp_path).verdict() == "unknown"


@pytest.mark.parametrize("before", ["%YAML 1.3\n---\n", "x: [.:]\n"])
def test_yaml_that_only_python_reads_is_not_safe(before: str) -> None:
    text = f"{before}dependencies:\n- pip:\n  - numpy\n"
    assert verdict("conda.yaml", text.removeprefix(before).encode()) == "safe"
    assert verdict("conda.yaml", text.encode()) == "unknown"


@pytest.mark.parametrize("name", ["d.xml", "d.json", "d.yaml", "config.json", "MLproject", "d.svg"])
def test_an_entity_is_seen_whatever_the_file_is_called(name: str) -> None:
    for entity in (b"x SYSTEM 'file:///x'", b"% p '&#60;!ENTITY x &#83;YSTEM &#39;x&#39;>'"):
        text = b"<!DOCTYPE a [<!ENTITY %s>]><a>&x;</a>" % entity
        assert verdict(name, text) == "unknown"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32-le"])
def test_an_entity_in_wide_letters_is_seen(encoding: str) -> None:
    text = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>'
    assert verdict("d.csv" if encoding == "utf-16" else "d.xml", text.encode(encoding)) == "unknown"


def tar_that_begins_with(data: bytes) -> bytes:
    """Return a tar of one text whose first 512 bytes begin with anything: the name of a header
    that is there for others is nobody's."""
    record = b"20 comment=xxxxxxxx\n"
    first = tarfile.TarInfo()
    first.size, first.type = len(record), tarfile.XHDTYPE
    header = bytearray(first.tobuf(tarfile.USTAR_FORMAT))
    header[: len(data)] = data
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        text = tarfile.TarInfo("a.txt")
        text.size = 6
        archive.addfile(text, io.BytesIO(b"words\n"))
    return bytes(header) + record.ljust(512, b"\0") + file.getvalue()


def test_what_pandas_decompresses_by_its_name_is_no_tar_alone() -> None:
    lc = {"id": lzma.FILTER_LZMA1, "lc": 0, "lp": 0, "pb": 0, "dict_size": 4096}
    code = b"cposix\nsystem\n(S'true'\ntR."
    packed = lzma.compress(code, format=lzma.FORMAT_ALONE, filters=[lc])
    for name in ("m.pkl.xz", "m.lzma", "m.pkl.zst", "m.gz", "m.bz2"):
        assert verdict(name, tar_that_begins_with(packed[:90])) == "unknown"
    assert verdict("a.txt.xz", lzma.compress(b"words\n")) == "safe"


def test_a_tar_is_never_safe_however_it_is_packed() -> None:
    """tarfile looks for LZMA and Zstandard first; Pythons differ over which tar is one."""
    plain = tar_that_begins_with(b"a.txt")
    assert verdict("m.tar", plain) == "code-carrying"
    assert verdict("m.tar.xz", lzma.compress(plain)) == "code-carrying"
    folder = tarfile.TarInfo("folder")
    folder.type = tarfile.DIRTYPE
    assert verdict("m.tar", folder.tobuf() * 20_001 + bytes(1024)) == "unknown"


def nested_types(fields: int, depth: int) -> bytes:
    """Return a pickle for joblib of an array of records in records, all with the same inside."""

    def text(of: str) -> bytes:
        return b"X" + len(of).to_bytes(4, "little") + of.encode()

    made = b"\x80\x02cnumpy\ndtype\nq\x00" + text("f4") + b"\x85Rq\x01"
    for number in range(1, depth + 1):
        inside = b"h" + bytes([number]) + b"K\x00\x86"
        names = b"".join(text(str(field)) + inside for field in range(fields))
        made += b"h\x00" + text("V8") + b"\x85R(K\x03" + text("|") + b"NN}(" + names
        made += b"uK\x08K\x01K\x00tbq" + bytes([number + 1])
    made += b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(" + text("subclass") + b"N"
    made += text("shape") + b")" + text("order") + text("C") + text("dtype")
    made += b"h" + bytes([depth + 1]) + text("allow_mmap") + b"\x89ub" + bytes(8) + b"."
    return made


def npy(header: bytes) -> bytes:
    """Return an array with this header, and no numbers."""
    return b"\x93NUMPY\x02\x00" + len(header).to_bytes(4, "little") + header


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("m.pkl", nested_types(30, 19), "code-carrying"),
        ("m.npy", npy(b"{'descr': '<f8', 'shape': (%s)}" % (b"99," * 300_000)), "unknown"),
        ("m.npy", npy(b"{'descr': ('<f8', (%s)), 'shape': ()}" % (b"99," * 300_000)), "unknown"),
        ("requirements.txt", b"-" * 500_000 + "\u0085".encode(), "unknown"),
        ("requirements.txt", b"-x" * 2_000_000, "unknown"),
        ("requirements.txt", (b"-" + b" " * 1000) * 1000, "unknown"),
        ("d.yaml", b"".join(b"%%TAG !%d! a\n" % n for n in range(99_999)) + b"--- 1\n", "unknown"),
        ("d.yaml", b"\r".join([b"%TAG !a! b"] * 99_999) + b"\r--- 1\n", "unknown"),
        ("MLmodel", b"\r".join([b"%TAG !a! b"] * 50_000) + b"\r--- 1\n", "unknown"),
        ("d.yaml", b"- !a b\n" * 300_000, "unknown"),
    ],
    ids=[
        "types",
        "shape",
        "of a type",
        "breaks",
        "one option",
        "blanks",
        "of n",
        "of r",
        "of both",
        "tags",
    ],
)
def test_what_is_made_to_take_long_takes_no_longer(name: str, data: bytes, said: str) -> None:
    begun = time.process_time()
    assert verdict(name, data) == said
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ("{conda: conda.yaml, virtualenv: python_env.yaml}", "safe"),
        ("conda.yaml", "safe"),
        ("{conda: c.txt}", "unknown"),
        ("env.json", "unknown"),
    ],
)
def test_an_environment_is_read_from_what_is_called_yaml(env: str, said: str) -> None:
    text = f"flavors:\n  python_function:\n    loader_module: mlflow.xgboost\n    env: {env}\n"
    assert verdict("MLmodel", text.encode()) == said


def test_no_blanks_are_long_enough_to_hide_an_entity() -> None:
    blanks = b" " * (1 << 20)
    entity = b"<!DOCTYPE a [<!ENTITY" + blanks + b"x" + blanks + b"SYSTEM 'y'>]><a>&x;</a>"
    assert verdict("d.xml", entity) == "unknown"
    assert (
        verdict("d.xml", b"<?xml version='1.0'" + blanks + b"encoding='UTF-7'?><a/>") == "unknown"
    )
    assert verdict("d.xml", b"<?xml version='1.0' encoding='UTF-8'?><a/>" + blanks) == "safe"


def test_safetensors_in_other_letters_are_none_and_what_a_registry_adds_is_yaml() -> None:
    header = json.dumps({"w": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}})
    for encoding, said in (("utf-8", "safe"), ("utf-16-le", "unknown")):
        raw = header.encode(encoding)
        assert verdict("m.safetensors", len(raw).to_bytes(8, "little") + raw + bytes(8)) == said
    assert verdict("registered_model_meta", b"model_name: churn\nmodel_version: '3'\n") == "safe"


def test_a_second_end_that_nothing_leads_to_is_seen_in_a_member() -> None:
    """zipimport of 3.13 takes what stands 76 bytes before the first end for one."""
    for mark, said in ((b"PK\6\6", "unknown"), (b"PK\5\5", "safe")):
        found = zip_with("release-notes.txt", b"notes " + mark + bytes(8), comment=b"x")
        assert found[-22 - 76 :].startswith(mark), "the directory has 64 bytes"
        assert verdict("notes.zip", found) == said


def test_an_mlmodel_says_the_same_in_every_locale() -> None:
    """NEL ends a line, and in Latin-1 it is one byte."""
    head = b"flavors: {python_function: {loader_module: mlflow.xgboost, data: model.json #"
    for letter, said in ((b"A", "safe"), ("\u00c5".encode(), "unknown")):
        assert verdict("MLmodel", head + letter + b"\n}}\n") == said
    hidden = {"requirements.txt": "scikit-learn # %s-r /etc/passwd\n"}
    hidden["conda.yaml"] = "- scikit-learn # %s- -r /etc/passwd\n"
    for name, text in hidden.items():
        assert verdict(name, (text % "\u00c5").encode()) == "unknown"
        assert verdict(name, (text % "\u00e9").encode()) == "safe"


def test_an_mlmodel_in_any_letters_is_as_grave_as_what_it_does() -> None:
    head = (
        "flavors: {python_function: {loader_module: mlflow.xgboost, data: ../../m.json}} # \u00e9\n"
    )
    assert verdict("MLmodel", head.encode()) == "malicious"
    assert verdict("MLmodel", head.encode("latin-1")) == "unknown"


def test_files_with_many_tags_say_nothing_of_one_without(tmp_path: Path) -> None:
    for name, text in (("a.yaml", "- !a b\n" * 30_000), ("z.yaml", "a: 1\n" * 60_000)):
        (tmp_path / name).write_text(text)
    said = {path: what for path, _, what in scan_folder(tmp_path).findings}
    assert set(said) == {"a.yaml"}


def test_a_tag_that_only_python_reads_is_seen() -> None:
    hidden = b"[[!a,' ], !!python/object/apply:os.system [\"true\"], [!b,' ]]\n"
    assert verdict("config.yaml", hidden) == "malicious"
    assert verdict("config.yaml", b'a: !Ref bucket\nb: [!Sub "x", hey!]\n') == "safe"


def test_what_was_malicious_is_told_before_anything_else_takes_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, answer = tmp_path / "model", tmp_path / "answer.json"
    model.mkdir()
    (model / "a.txt").write_bytes(b"words\n" * 999)
    (model / "z.pkl").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("workers.builder.scanning.files.texts.is_plain", killed)
    monkeypatch.setattr("workers.builder.scanning.readers.read_text", killed)
    with pytest.raises(KeyboardInterrupt):
        main(model, answer)
    assert json.loads(answer.read_text())["verdict"] == "malicious"


def test_a_disk_that_fails_once_says_nothing_of_a_file() -> None:
    class FailsOnce(io.BytesIO):
        failed = False

        def read(self, size: int | None = -1, /) -> bytes:
            held = any(f.name == "_inflates" for f in traceback.extract_stack())
            if held and not self.failed:
                self.failed = True
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    file = FailsOnce()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", "words\n" * 50_000)
    file.seek(0)
    scanner = Scanner(NOWHERE)
    scanner.scan("m.zip", "m.zip", file, 0)
    assert (file.failed, scanner.report.cut) == (True, True)


@pytest.mark.parametrize("name", ["d.yaml", "requirements.txt", "conda.yaml"])
def test_words_of_any_language_are_words(name: str) -> None:
    """Of many a letter one byte is NEL to who reads Latin-1."""
    assert (
        verdict(
            name, "# scikit-learn: \u0445\u043e\u0440\u043e\u0448\u043e, \u5168, \u00c5!\n".encode()
        )
        == "safe"
    )
    long = "text: |\n" + "  Hello! scikit-learn\n" * 20_000
    assert verdict("d.yaml", long.encode()) == "safe"


def test_mlflow_takes_the_rest_of_a_line_for_one_path(tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "a.txt b").mkdir(parents=True)
    (model / "a.txt").write_text("scikit-learn\n")
    (model / "requirements.txt").write_text("-r a.txt b/../../outside.txt\n")
    assert scan_folder(model).verdict() == "unknown"
    (model / "requirements.txt").write_text("-r a.txt  # what else\n--constraint=a.txt\n")
    assert scan_folder(model).verdict() == "safe"
