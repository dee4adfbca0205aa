"""Small files that take all memory, or time, of whoever reads them plainly."""

import io
import json
import pickle
import re
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy
import pytest

from tests.support.scanning import scan_bytes, scan_folder
from tests.support.spending import spent
from workers.builder.scanning import __main__ as scan
from workers.builder.scanning import (
    documents,
    files,
    lightgbm,
    machine,
    skops_content,
    texts,
    trees,
    ubjson,
)

NOWHERE = Path("/nonexistent")
DOTS = b"ca" + b"." * 200_000 + b"\nb\n."


def main(folder: Path, name: str, data: bytes) -> Any:
    """Scan a file, with picklescan; return what is told."""
    (folder / "a").mkdir()
    (folder / "a" / name).write_bytes(data)
    scan.main(folder / "a", folder / "answer.json")
    return json.loads((folder / "answer.json").read_bytes())


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (machine.MODULE, "ca" + "." * 500_000),
        (skops_content.CHECKED["verbose_feature_names_out"][0], f'"{"a" * 500_000}"'),
        (skops_content.CHECKED["verbose_feature_names_out"][0], f'"{"a" * 500_000}'),
    ],
)
def test_no_letter_of_a_long_name_is_remembered(pattern: re.Pattern[str], text: str) -> None:
    tracemalloc.start()
    try:
        pattern.fullmatch(text)
        assert tracemalloc.get_traced_memory()[1] < len(text) * 20
    finally:
        tracemalloc.stop()


def test_a_module_of_many_parts_is_not_looked_for_part_by_part(tmp_path: Path) -> None:
    """picklescan took minutes for these 200 KB."""
    (tmp_path / "0").mkdir()
    seconds, told = spent(lambda: main(tmp_path / "0", "m.pkl", DOTS), 99)
    assert told["verdict"] == "code-carrying", "the walk has followed it"
    assert seconds < 10


def test_a_text_whose_first_line_has_many_dots_is_a_text(tmp_path: Path) -> None:
    data = b"columns," + b",".join(b"c.%d" % number for number in range(500)) + b"\n1,2\n"
    assert main(tmp_path, "a.csv", data)["verdict"] == "safe"


@pytest.mark.parametrize("version", [2, 3])
def test_picklescan_reads_no_header_of_an_array_of_any_length(version: int, tmp_path: Path) -> None:
    header = bytes([version, 0]) + (8 << 20).to_bytes(4, "little") + b" " * (8 << 20)
    with zipfile.ZipFile(tmp_path / "m.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"\x93NUMPY" + header)
    told = main(tmp_path, "m.npz", (tmp_path / "m.npz").read_bytes())
    assert told["verdict"] == "unknown"
    assert ["m.npz", "unknown", scan.HEADER] in told["findings"]


def test_numbers_that_ask_for_more_bytes_than_there_are_are_no_long_pickle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The length before a header of safetensors may begin as one that holds 2^61 bytes."""
    monkeypatch.setattr(scan, "MAX_HELD", 5000)
    header = b'{"w":{"dtype":"U8","shape":[9000],"data_offsets":[0,9000]}}'.ljust(0x8E28)
    data = len(header).to_bytes(8, "little") + header + bytes(9000)
    assert main(tmp_path, "m.safetensors", data)["verdict"] == "safe"


def test_picklescan_keeps_no_more_bytes_than_there_is_memory_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pickle of a large array is one of few opcodes, and no worse for that."""
    monkeypatch.setattr(scan, "MAX_HELD", 5000)
    for number, (data, verdict) in enumerate(
        [
            (pickle.dumps([bytes(4000)] * 3, 4), "code-carrying"),
            (pickle.dumps([bytes(3000), bytes(3001)], 4), "code-carrying"),
            (pickle.dumps([bytes(3000), bytes(3001)], 4)[:-1] + b"cnumpy\nndarray\n", "unknown"),
            (b"S'" + b"a" * 6000 + b"'\n.", "code-carrying"),
        ]
    ):
        (tmp_path / str(number)).mkdir()
        told = main(tmp_path / str(number), "m.pkl", data)
        assert told["verdict"] == verdict
        assert any("too long" in what for _, _, what in told["findings"]) is (number > 0)


def test_a_pickle_called_as_one_of_torch_is_not_read_whole_for_its_first_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An array of 1.2 GB in a .ckpt took more than the 2 GB that a scan has."""
    monkeypatch.setattr(scan, "MAX_HELD", 100_000)
    data = pickle.dumps(numpy.zeros(16 << 20, numpy.uint8), 5)
    told = main(tmp_path, "m.ckpt", data)
    tracemalloc.start()
    try:
        with pytest.raises(scan.TooLong):
            scan.by_picklescan(tmp_path / "a" / "m.ckpt")
        assert tracemalloc.get_traced_memory()[1] < len(data) / 2
    finally:
        tracemalloc.stop()
    assert told["verdict"] == "code-carrying"
    assert ["m.ckpt", "code-carrying", scan.UNLISTED] in told["findings"]


@pytest.mark.parametrize("data", [b"N0" * 900, b"0" * 1800], ids=["followed", "ended"])
def test_picklescan_keeps_no_more_opcodes_than_there_is_memory_for(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on where the walk has ended, and a text that calls nothing is as long for it."""
    monkeypatch.setattr(scan, "MAX_LISTED", 1000)
    told = main(tmp_path, "a.txt", data)
    assert told["verdict"] == "unknown"
    assert "too long for picklescan" in told["findings"][0][2]


def test_a_directory_of_more_members_than_are_scanned_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes hundreds of bytes, and is looked for, whatever the end says of their number."""
    monkeypatch.setattr(files, "MAX_MEMBERS", 50)
    monkeypatch.setattr(scan, "by_picklescan", lambda path: pytest.fail("picklescan reads it"))
    head = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
    every = (head + b"a") * 60
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 7, 7, len(every), 0, 0)
    told = main(tmp_path, "a.zip", every + end)
    assert told["verdict"] == "unknown"
    assert [path for path, _, _ in told["findings"]] == ["a.zip"]
    assert "may hold too many members" in told["findings"][0][2]


def test_a_zip_of_as_many_members_as_are_scanned_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_MEMBERS", 51)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(50):
            archive.writestr(f"{number}.txt", "words")
    assert scan_folder(tmp_path).verdict() == "safe"


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_of_a_tar_is_not_read_whole_whatever_its_length(kind: bytes) -> None:
    head = tarfile.TarInfo("a")
    head.type, head.size = kind, 8 << 20
    file = head.tobuf(tarfile.USTAR_FORMAT) + bytes(8 << 20) + tarfile.TarInfo("b").tobuf()
    report = scan_bytes("a.tar", file + bytes(1024), NOWHERE)
    assert report.verdict() == "unknown"
    assert any("a header that is too long" in what for _, _, what in report.findings)


def test_a_picture_of_countless_directories_is_not_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def chain(count: int) -> io.BytesIO:
        nexts = [8 + 18 * number for number in range(1, count)] + [0]
        parts = (struct.pack("<H12xI", 1, one) for one in nexts)
        return io.BytesIO(b"II*\0\x08\0\0\0" + b"".join(parts))

    monkeypatch.setattr(documents, "MAX_PARTS", 100)
    documents.tiff(chain(100))
    with pytest.raises(documents.NotWhole, match="too many"):
        documents.tiff(chain(102))


@pytest.mark.parametrize("more", [b"\n" * 600, b"ab\n" * 600, b"tree_sizes=" + b" " * 600])
def test_countless_lines_and_numbers_of_lightgbms_are_not_listed(
    more: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lightgbm, "MAX_PARTS", 500)
    data = b"tree\nversion=v4\nnum_class=1\n" + more
    report = scan_bytes("m.txt", data, NOWHERE)
    assert any(lightgbm.MANY in what for _, _, what in report.findings)


def test_a_line_of_lightgbms_of_any_length_is_not_taken_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of its parts is another copy."""
    monkeypatch.setattr(lightgbm, "MAX_AROUND", 500)
    head = b"tree\nversion=v4\nnum_class=1\n"
    for data in (
        head + b"feature_names=" + b"a" * 600,
        b"tree\n" + b"a" * 600 + b"=\n",
        head + b"max_feature_idx=0\nfeature_names=a\nend of trees\n\n" + b"a" * 600,
    ):
        report = scan_bytes("m.txt", data, NOWHERE)
        assert report.verdict() == "unknown"
        assert any(lightgbm.LONG in what for _, _, what in report.findings), data[:40]
    assert scan_bytes("m.txt", b"tree\n" + b"a" * 600, NOWHERE).verdict() == "safe", "no model"


def test_categories_of_lightgbms_that_take_too_much_memory_are_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lightgbm, "MAX_PARSED", 10_000)
    lightgbm._pandas('[["a", "b"], [1, 2]]')
    with pytest.raises(trees.NotRead, match="too much memory"):
        lightgbm._pandas("[" + "[]," * 500 + "[]]")


def test_json_in_a_node_of_skops_that_takes_too_much_memory_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(texts, "MAX_PARSED", 10_000)
    node = {"__loader__": "JsonNode", "content": "1.5"}
    assert [*skops_content.at_fault(node)] == []
    monkeypatch.setattr("json.loads", lambda *more, **how: pytest.fail("it is read"))
    node["content"] = "[" + "{}," * 500 + "0]"
    assert len([*skops_content.at_fault(node)]) == 1


def test_the_values_of_ubjson_that_are_read_take_less_than_a_gibibyte() -> None:
    """Each may have a name of its own."""
    count = 20_000
    members = b"".join(b"U\6%06xZ" % number for number in range(count))
    data = io.BytesIO(b"{U\7learner{" + members + b"}}")
    tracemalloc.start()
    try:
        ubjson.decode(data)
        each = tracemalloc.get_traced_memory()[1] / count
    finally:
        tracemalloc.stop()
    assert each * ubjson.MAX_VALUES < 1 << 30
