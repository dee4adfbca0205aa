"""What is packed is read to its end, and holds plain files alone."""

import bz2
import io
import lzma
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.scanning import scan_bytes, scan_folder
from workers.builder.scanning.files import Scanner

NOWHERE = Path("/nonexistent")
PACKERS = [bz2, lzma]


def zipped(files: dict[str, str], kind: int = stat.S_IFREG, system: int = 3) -> bytes:
    """Return a zip whose last member is of a kind."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.create_system = system
            last = name == list(files)[-1]
            entry.external_attr = ((kind if last else stat.S_IFREG) | 0o644) << 16
            archive.writestr(entry, text)
    return file.getvalue()


@pytest.mark.parametrize("packer", PACKERS)
def test_streams_one_behind_the_other_are_one_text(packer: Any) -> None:
    data = b"".join(packer.compress(b"words\n") for _ in range(3))
    ending = "bz2" if packer is bz2 else "xz"
    assert scan_bytes(f"a.txt.{ending}", data, NOWHERE).verdict() == "safe"


@pytest.mark.parametrize("between", [b"\0" * 4, b"J", b"BZ", b"\xfd7zXZ", b"\0" * 512])
@pytest.mark.parametrize("packer", PACKERS)
def test_what_stands_behind_a_stream_and_is_none_is_not_safe(packer: Any, between: bytes) -> None:
    data = packer.compress(b"Vhello") + between
    ending = "bz2" if packer is bz2 else "xz"
    for behind in (b"", packer.compress(b"\ncposix\nsystem\n(S'true'\ntR.")):
        assert scan_bytes(f"a.txt.{ending}", data + behind, NOWHERE).verdict() == "unknown"


@pytest.mark.parametrize("name", ["w.data", "w.bin", "m", "m.pkl"])
def test_what_takes_more_memory_than_we_give_is_packed_all_the_same(name: str) -> None:
    """A loader with more unpickles it, whatever an ONNX model calls it."""
    small = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20}]
    data = lzma.compress(b"cposix\nsystem\n(S'true'\ntR." * 9, lzma.FORMAT_ALONE, filters=small)
    large = data[:1] + (1 << 30).to_bytes(4, "little") + data[5:]
    for packed, verdict in ((data, "malicious"), (large, "unknown")):
        scanner = Scanner(NOWHERE)
        scanner.waiting, scanner.weights = None, {name}
        scanner.scan(name, name, io.BytesIO(packed), 0)
        assert scanner.report.verdict() == verdict


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_a_zip_that_holds_a_link_or_a_device_is_malicious(kind: int) -> None:
    assert scan_bytes("m.zip", zipped({"a.txt": "/etc/passwd"}), NOWHERE).verdict() == "safe"
    assert scan_bytes("m.zip", zipped({"a.txt": "/etc/passwd"}, kind), NOWHERE).verdict() == (
        "malicious"
    )


@pytest.mark.parametrize("system", [0, 10, 11, 14])
def test_what_windows_keeps_where_unix_has_the_type_is_none(system: int) -> None:
    """0x2000 is a device to Unix, and a file that is read from end to end to Windows."""
    for kind, said in ((0x2000, "safe"), (stat.S_IFLNK, "malicious")):  # which some unzip as such
        data = zipped({"a.txt": "/etc/passwd"}, kind, system)
        assert scan_bytes("m.zip", data, NOWHERE).verdict() == said


def test_what_only_another_locale_reads_is_followed_to_what_is_in_the_archive() -> None:
    files = {"requirements.txt": "# х-r ./notes.md\n"}
    assert scan_bytes("m.zip", zipped(files), NOWHERE).verdict() == "safe"
    files["notes.md"] = "-r /etc/passwd\n"
    assert scan_bytes("m.zip", zipped(files), NOWHERE).verdict() == "unknown"
    conda = {"conda.yaml": "a: '# х-r notes.md'\n", "notes.md": "-r /etc/passwd\n"}
    assert scan_bytes("m.zip", zipped(conda), NOWHERE).verdict() == "unknown"


def test_packed_requirements_are_followed_to_what_is_read_as_such() -> None:
    for other, verdict in (("requirements.md", "unknown"), ("requirements-gpu.txt", "safe")):
        files = {"requirements.txt": f"numpy\n-r {other}\n", other: "pandas\n"}
        assert scan_bytes("m.zip", zipped(files), NOWHERE).verdict() == verdict
    files = {"requirements.txt": "-r requirements-gpu.txt", "requirements-gpu.txt": "-r ../a.txt"}
    assert scan_bytes("m.zip", zipped(files), NOWHERE).verdict() == "unknown"


def test_a_comment_behind_a_tab_is_a_part_of_the_path_to_mlflow(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("pandas\n")
    (tmp_path / "requirements.txt").write_text("-r a.txt\t#d/../../outside.txt\n")
    report = scan_folder(tmp_path)
    assert report.verdict() == "unknown"
    assert "a.txt<tab>#d/../../outside.txt" in report.findings[0][2]


@pytest.mark.parametrize("name", ["m/CONFIG.JSON", "m/config.json"])
def test_a_name_in_other_letters_is_the_same_to_some_disks(name: str) -> None:
    code = b'{"class_name": "Lambda", "config": {}}'
    assert scan_bytes(name, code, NOWHERE).verdict() == "code-carrying"
    assert scan_bytes("KERAS_MODULE.TXT", b"os", NOWHERE).verdict() == "code-carrying"
