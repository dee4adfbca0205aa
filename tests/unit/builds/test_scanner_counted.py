"""What is counted of a file: many small things in it cost no more than a large one."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy
import pytest
from xgboost import DMatrix, train

from tests.support.models import booster_bytes
from tests.support.scanning import scan_bytes, scan_folder
from tests.support.spending import spent
from workers.builder.scanning import __main__ as scan
from workers.builder.scanning import archives, compressed, files, headers, pickled, ubjson

NOWHERE = Path("/nonexistent")


def main(folder: Path, name: str, data: bytes) -> Any:
    """Scan a file, with picklescan; return what is told."""
    (folder / "a").mkdir()
    (folder / "a" / name).write_bytes(data)
    scan.main(folder / "a", folder / "answer.json")
    return json.loads((folder / "answer.json").read_bytes())


def test_lengths_are_no_values_of_a_forest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree has twenty values, and three times as many lengths of names, texts and arrays."""
    booster = train({"nthread": 1}, DMatrix(numpy.eye(9), numpy.arange(9.0)), 40)
    data = booster_bytes(booster, ".ubj")
    monkeypatch.setattr(ubjson, "MAX_VALUES", 40 * 25 + 200)
    assert scan_bytes("m.ubj", data, NOWHERE).verdict() == "safe"


def test_a_forest_of_more_values_than_are_read_is_not_called_broken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    booster = train({"nthread": 1}, DMatrix(numpy.eye(9), numpy.arange(9.0)), 9)
    monkeypatch.setattr(ubjson, "MAX_VALUES", 99)
    report = scan_bytes("m.ubj", booster_bytes(booster, ".ubj"), NOWHERE)
    assert report.verdict() == "unknown"
    (told,) = [what for _, _, what in report.findings]
    assert told.startswith("is a model of XGBoost that may be whole")


@pytest.mark.parametrize(
    ("bound", "most", "data"),
    [
        ("MAX_LISTED", 1000, b"N." * 60),
        ("MAX_LISTED", 1000, pickle.dumps(list(range(400))) * 3),
        ("MAX_HELD", 5000, pickle.dumps(bytes(3000), 4) * 2),
    ],
    ids=["beginnings", "opcodes", "bytes"],
)
def test_picklescan_keeps_no_more_of_many_pickles_than_of_one(
    bound: str, most: int, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, bound, most)
    told = main(tmp_path, "m.pkl", data)
    assert told["verdict"] == "code-carrying"
    assert ["m.pkl", "code-carrying", scan.UNLISTED] in told["findings"]


def test_picklescan_does_not_spell_out_bytes() -> None:
    """It wrote them out for each name that they were asked for as."""
    data = pickle.dumps([b"b" * 999, bytearray(999), "text"], 5)
    values = [value for _, value, _ in scan.Room().listed(io.BytesIO(data))]
    assert "text" in values
    assert {bytes(value) for value in values if isinstance(value, bytes | bytearray)} == {b""}


def npy(header: bytes, data: bytes = b"") -> bytes:
    """Return an array of NumPy with any header."""
    return b"\x93NUMPY\2\0" + len(header).to_bytes(4, "little") + header + data


class Counted(int):
    """A number that counts how often something is multiplied by it."""

    times = 0

    def __rmul__(self, other: int) -> int:
        Counted.times += 1
        return int(self) * other


@pytest.mark.parametrize("dimensions", [65, 400_000])
def test_a_shape_of_more_dimensions_than_numpy_knows_is_not_multiplied(
    dimensions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pickled, "dtype_of", lambda dtype: ("f", 8))
    state: Any = {"shape": (Counted(1),) * dimensions, "dtype": None}
    monkeypatch.setattr(Counted, "times", 0)
    with pytest.raises(pickled.Hostile, match="odd shape"):
        pickled.array_bytes(state)
    state["shape"] = (Counted(1 << 60),) * 64
    with pytest.raises(pickled.Hostile, match="larger than memory"):
        pickled.array_bytes(state)
    assert Counted.times < 4
    header = {"w": {"dtype": "U8", "shape": [1] * dimensions, "data_offsets": [0, 1]}}
    raw = json.dumps(header).encode()
    report = scan_bytes("m.safetensors", len(raw).to_bytes(8, "little") + raw + b"1", NOWHERE)
    assert report.verdict() == "unknown"
    assert any("more dimensions than NumPy knows" in what for _, _, what in report.findings)


def test_the_long_headers_of_all_arrays_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headers, "MAX_NUMPY_HEADERS", 50_000)
    header = b"{'descr':'<f8','shape':(1,),'fortran_order':False}"
    for number in range(9):
        (tmp_path / f"{number}.npy").write_bytes(npy(header.ljust(9_000), bytes(8)))
    assert scan_folder(tmp_path).verdict() == "safe", "short ones are not"
    for number in range(9):
        (tmp_path / f"{number}.npy").write_bytes(npy(header.ljust(12_000), bytes(8)))
    report = scan_folder(tmp_path)
    assert report.verdict() == "unknown"
    assert sum("its header is too long" in what for _, _, what in report.findings) == 5


@pytest.mark.parametrize("digits", [b"9" * 5000, b"9" * 19])
def test_a_text_longer_than_memory_can_be_is_said_to_be_so(digits: bytes) -> None:
    header = b"{'descr':'S" + digits + b"','shape':(1,),'fortran_order':False}\n"
    report = scan_bytes("a.npy", npy(header), NOWHERE)
    assert report.verdict() == "unknown"
    assert any("larger than memory can be" in what for _, _, what in report.findings)


def test_of_a_record_with_a_header_too_long_for_numpy_it_is_said_why(tmp_path: Path) -> None:
    file = io.BytesIO()
    numpy.save(file, numpy.zeros(3, [(f"feature_number_{n}", "<f8") for n in range(600)]))
    with pytest.raises(ValueError, match="max_header_size"):
        numpy.load(io.BytesIO(file.getvalue()))
    told = main(tmp_path, "a.npy", file.getvalue())
    assert told["verdict"] == "unknown"
    assert told["findings"] == [["a.npy", "unknown", scan.HEADER]]
    assert "max_header_size" in scan.HEADER
    assert len(scan.HEADER) < 250


def directory(extra: bytes, members: int) -> bytes:
    """Return a zip whose directory has an extra field for each member, and no member."""
    numbers = (20, 20, 0, 0, 0, 0, 0, 0, 0, 1, len(extra), 0, 0, 0, 0, 0)
    every = (struct.pack("<4s6H3I5H2I", b"PK\1\2", *numbers) + b"a" + extra) * members
    return every + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, members, members, len(every), 0, 0)


def test_a_directory_with_countless_extra_fields_is_read_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """zipfile copies what is left of them behind each: 16,000 stand in 64 KB."""
    monkeypatch.setattr(scan, "by_picklescan", lambda path: pytest.fail("picklescan reads it"))
    read = zipfile.ZipInfo._decodeExtra  # type: ignore[attr-defined]

    def few(entry: Any, *more: Any) -> None:
        assert len(entry.extra) < 400
        read(entry, *more)

    monkeypatch.setattr(zipfile.ZipInfo, "_decodeExtra", few)
    told = main(tmp_path, "a.zip", directory(b"\xfe\xca\0\0" * 16_000, 2))
    assert told["verdict"] == "unknown"
    assert "too many extra fields" in told["findings"][0][2]
    packed = gzip.compress(directory(b"\xfe\xca\0\0" * 16_000, 2))
    assert scan_bytes("a.zip.gz", packed, NOWHERE).verdict() == "unknown"


def test_a_zip_with_few_extra_fields_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(9):
            entry = zipfile.ZipInfo(f"{number}.txt")
            entry.extra = b"\xfe\xca\0\0" * 60
            archive.writestr(entry, "words")
    assert scan_folder(tmp_path).verdict() == "safe"


def test_a_directory_that_is_too_large_is_not_opened_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is refused for another reason is opened, to tell what is in it."""
    for module in (archives, files):
        monkeypatch.setattr(module, "MAX_DIRECTORY", 3000)
    monkeypatch.setattr(zipfile.ZipInfo, "_decodeExtra", lambda *more: pytest.fail("it is opened"))
    data = directory(b"\xfe\xca\x60\0" + bytes(0x60), 40)
    report = scan_bytes("a.zip.gz", gzip.compress(data), NOWHERE)
    assert report.verdict() == "unknown"
    assert any("directory that is too long" in what for _, _, what in report.findings)


def tar_head(kind: bytes, name: str = "a", size: int = 0) -> bytes:
    """Return the header of a member of a tar."""
    head = tarfile.TarInfo(name)
    head.type, head.size = kind, size
    return head.tobuf(tarfile.USTAR_FORMAT)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def told_of_tar(data: bytes) -> tuple[str, list[str]]:
    """Scan a tar; return the verdict and what is told."""
    report = scan_bytes("a.tar", data + bytes(1024), NOWHERE)
    return report.verdict(), [what for _, _, what in report.findings]


def test_settings_of_a_tar_are_not_copied_into_every_member() -> None:
    """A header of a MiB before a thousand members took gigabytes."""
    settings = padded(b"".join(b"9 %04d=1\n" % number for number in range(1100)))
    data = tar_head(tarfile.XGLTYPE, size=len(settings)) + settings
    data += b"".join(tar_head(tarfile.REGTYPE, f"m{number}") for number in range(900))
    tracemalloc.start()
    try:
        verdict, told = told_of_tar(data)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert verdict == "unknown"
    assert any("too many global headers" in what for what in told)


def test_a_tar_keeps_no_members_that_were_read() -> None:
    one = padded(b"9 %04d=1\n" % 7)
    own = tar_head(tarfile.XHDTYPE, size=len(one)) + one + tar_head(tarfile.REGTYPE, "b")
    with tarfile.open(fileobj=io.BytesIO(own * 9 + bytes(1024)), mode="r:") as archive:
        headers_read = archives.Headers(io.BytesIO())
        names = [(entry.name, len(archive.members)) for entry in headers_read.members(archive)]
    assert names == [("b", 0)] * 9


def test_the_headers_of_a_tar_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of a MiB each, and a list of holes that goes on from block to block."""
    monkeypatch.setattr(archives, "MAX_HEADERS", 100_000)
    name = padded(b"a" * 5_000 + b"\0")
    long = tar_head(tarfile.GNUTYPE_LONGNAME, size=len(name)) + name
    files_of_tar = [long + tar_head(tarfile.DIRTYPE)] * 40
    assert "unknown" not in told_of_tar(b"".join(files_of_tar[:9]))[0]
    verdict, told = told_of_tar(b"".join(files_of_tar))
    assert verdict == "unknown"
    assert any("headers that are too long" in what for what in told)
    monkeypatch.setattr(archives, "MAX_BETWEEN", 9_000)
    sizes = {"major": "1", "minor": "0", "name": "x", "realsize": "1"}
    lines = [f" GNU.sparse.{key}={value}\n" for key, value in sizes.items()]
    settings = padded("".join(f"{len(line) + 2}{line}" for line in lines).encode())
    holes = padded(b"9000\n" + b"0\n" * 18_000)
    sparse = tar_head(tarfile.XHDTYPE, size=len(settings)) + settings
    sparse += tar_head(tarfile.REGTYPE, size=len(holes)) + holes
    assert any("headers that are too long" in what for what in told_of_tar(sparse)[1])


def test_what_a_tar_has_as_members_is_no_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_BETWEEN", 5_000)
    words = padded(b"words\n" * 9_000)
    data = (tar_head(tarfile.REGTYPE, "a.txt", len(words)) + words) * 3
    assert not any("too long" in what for what in told_of_tar(data)[1])


def test_links_and_devices_of_a_tar_are_members_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_MEMBERS", 50)
    data = b"".join(tar_head(tarfile.FIFOTYPE, f"s{number}") for number in range(80))
    verdict, told = told_of_tar(data)
    assert verdict == "malicious"
    assert any("too many members" in what for what in told)
    assert sum("link or a device" in what for what in told) <= 50


@pytest.mark.parametrize(
    ("name", "pack"),
    [("a.txt.gz", gzip.compress), ("a.txt.bz2", bz2.compress), ("a.txt.xz", lzma.compress)],
)
def test_streams_one_behind_the_other_are_counted(
    name: str, pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each begins anew, whether anything comes out of it or not."""
    monkeypatch.setattr(compressed, "MAX_STREAMS", 50)
    assert scan_bytes(name, pack(b"words\n") * 50, NOWHERE).verdict() == "safe"
    report = scan_bytes(name, pack(b"words\n") + pack(b"") * 60, NOWHERE)
    assert report.verdict() == "unknown"
    assert [what for _, _, what in report.findings] == [compressed.STREAMS]


HEAD = b"\x1f\x8b\x08\x18\0\0\0\0\0\3"  # with a name and a comment
REST = gzip.compress(b"words\n")[10:]


@pytest.mark.parametrize(
    "part",
    [
        HEAD + b"a" * 130_000 + b"\0" + b"a" * 130_000 + b"\0" + REST,
        gzip.compress(b"words\n") + bytes(260_000),
    ],
    ids=["names", "zeros"],
)
def test_names_in_gzip_and_zeros_behind_it_are_read_at_once(part: bytes) -> None:
    """Python reads them byte by byte: 260 MB that were packed in 300 kB took half a minute."""
    assert gzip.decompress(part) == b"words\n"
    seconds, report = spent(lambda: scan_bytes("a.txt.gz", part * 120, NOWHERE), 1)
    assert report.verdict() == "safe"
    assert seconds < 2


@pytest.mark.parametrize("flags", range(32))
@pytest.mark.parametrize("cut", [None, -1, -9, 13, 11])
def test_gzip_is_read_as_python_reads_it(flags: int, cut: int | None) -> None:
    extra = b"\3\0abc" if flags & 4 else b""
    names = b"name\0" * ((flags & 8 > 0) + (flags & 16 > 0))
    head = HEAD[:3] + bytes([flags]) + HEAD[4:] + extra + names + b"\1\2" * (flags & 2 > 0)
    for data in (head + REST, gzip.compress(b"first\n") + b"\0" * 5 + head + REST):
        try:
            meant = gzip.GzipFile(fileobj=io.BytesIO(data[:cut])).read()
        except (OSError, EOFError) as error:
            with (
                pytest.raises(type(error)),
                compressed.OPENERS["joblib gzip"](io.BytesIO(data[:cut])) as stream,
            ):
                list(compressed.in_pieces(stream))
        else:
            with compressed.OPENERS["joblib gzip"](io.BytesIO(data[:cut])) as stream:
                assert b"".join(compressed.in_pieces(stream, 3)) == meant


def test_zeros_behind_xz_are_no_streams_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """liblzma takes eighteen of them for an empty one of the old form."""
    monkeypatch.setattr(compressed, "MAX_STREAMS", 50)
    report = scan_bytes("a.txt.xz", lzma.compress(b"words\n") + bytes(4 << 10), NOWHERE)
    assert report.verdict() == "unknown"
    assert [what for _, _, what in report.findings] == [compressed.STREAMS]


def test_whether_a_file_was_followed_is_not_asked_of_every_other() -> None:
    """Ten thousand small pickles took twenty seconds."""
    scanner = files.Scanner(NOWHERE)

    class Name(str):
        asked = 0

        def startswith(self, *more: Any) -> bool:
            Name.asked += 1
            return str.startswith(self, *more)

    names = [f"{number:04}.pkl" for number in range(1000)]
    inside = ["0007.pkl!a", "0007.pkl!b", "0008.pkl!c", "0007.pkl.zip!d"]
    scanner.pickles = {Name(one) for one in (*names, *inside)}
    scanner.unfollowed = {"0008.pkl!c", "0009.pkl"}
    followed = [scanner.followed(name) for name in names]
    assert [number for number in range(1000) if not followed[number]] == [8, 9]
    assert Name.asked < 3000
    assert scanner.followed("0007.pkl.zip")
    assert not scanner.followed("0007")
