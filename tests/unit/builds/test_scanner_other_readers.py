"""What another reader would open, and ours would not, is never safe."""

import base64
import io
import json
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy
import pytest

from tests.support.scanning import scan_bytes, scan_folder

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


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32-le"])
def test_an_entity_in_wide_letters_is_seen(encoding: str) -> None:
    text = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>'
    assert verdict("d.csv" if encoding == "utf-16" else "d.xml", text.encode(encoding)) == "unknown"
