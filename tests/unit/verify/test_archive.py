"""Somebody sends an archive: plain files come out, and anything else leaves nothing behind."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet_verify.archive import ArchiveLimits, ArchiveRefused, check_name, extract, pack

DEFAULT = ArchiveLimits()
Member = tuple[tarfile.TarInfo, bytes]


def plain(name: str, content: bytes = b"content", mode: int = 0o644) -> Member:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    return info, content


def special(name: str, kind: bytes, target: str = "") -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def tar(*members: Member) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return raw.getvalue()


def unpack(tmp_path: Path, raw: bytes, limits: ArchiveLimits = DEFAULT) -> Path:
    source = tmp_path / "upload"
    source.write_bytes(raw)
    extract(source, tmp_path / "out", limits)
    return tmp_path / "out"


def refused(tmp_path: Path, raw: bytes, limits: ArchiveLimits = DEFAULT) -> str:
    with pytest.raises(ArchiveRefused) as caught:
        unpack(tmp_path, raw, limits)
    assert not (tmp_path / "out").exists(), "a refusal leaves nothing behind"
    assert caught.value.sentence
    return caught.value.code


@pytest.mark.parametrize(
    "compress", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["tar", "gz", "bz2", "xz"]
)
def test_files_come_out_as_they_went_in(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    long = "deep/" * 30 + "model.bin"
    (tmp_path / "upload").write_bytes(
        compress(tar(plain("./run.sh", b"#!", 0o755), plain(long, b"x" * 1000), plain("é.txt")))
    )
    files = extract(tmp_path / "upload", tmp_path / "out")
    assert [f.path for f in files] == [long, "run.sh", "é.txt"]
    assert files[0].size == 1000
    assert files[0].sha256 == hashlib.sha256(b"x" * 1000).hexdigest()
    assert (tmp_path / "out" / long).read_bytes() == b"x" * 1000
    assert stat.S_IMODE((tmp_path / "out/run.sh").stat().st_mode) & 0o700 == 0o700
    assert [f.executable for f in files] == [False, True, False]


def test_a_zip_comes_out_too(tmp_path: Path) -> None:
    out = unpack(tmp_path, zipped(("model/", b""), ("model/é.bin", b"abc"), ("card.md", b"")))
    assert (out / "model/é.bin").read_bytes() == b"abc"
    assert (out / "card.md").read_bytes() == b""


def test_gnu_long_names_are_read(tmp_path: Path) -> None:
    raw = io.BytesIO()
    name = "a" * 150 + "/" + "b" * 150
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as archive:
        info, content = plain(name)
        archive.addfile(info, io.BytesIO(content))
    assert (unpack(tmp_path, raw.getvalue()) / name).read_bytes() == b"content"


@pytest.mark.parametrize(
    ("member", "code"),
    [
        (special("link", tarfile.SYMTYPE, "/etc/passwd"), "link"),
        (special("link", tarfile.LNKTYPE, "model.bin"), "link"),
        (special("dev", tarfile.CHRTYPE), "device"),
        (special("dev", tarfile.BLKTYPE), "device"),
        (special("pipe", tarfile.FIFOTYPE), "device"),
        (special("odd", tarfile.CONTTYPE), "member_type"),
        (plain("/etc/passwd"), "name_absolute"),
        (plain("../escape"), "name_traversal"),
        (plain("a/../../escape"), "name_traversal"),
        (plain("a\\..\\b"), "name_backslash"),
        (plain("model.bin"), "duplicate"),
        (plain("MODEL.bin"), "duplicate"),
        (plain("model.bin/inside"), "duplicate"),
        (plain("CON.txt"), "name_device"),
        (plain("bell\a"), "name_invisible"),
        (plain("cod\u202egpj.exe"), "name_invisible"),
    ],
)
def test_a_tar_with_anything_odd_is_refused_whole(
    tmp_path: Path, member: Member, code: str
) -> None:
    assert refused(tmp_path, tar(plain("model.bin"), member)) == code


def test_a_file_is_not_written_through_a_link_of_the_same_archive(tmp_path: Path) -> None:
    raw = tar(special("a", tarfile.SYMTYPE, str(tmp_path / "elsewhere")), plain("a/b"))
    assert refused(tmp_path, raw) == "link"
    assert not (tmp_path / "elsewhere").exists()


def unix(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (unix("link", stat.S_IFLNK | 0o777), "link"),
        (unix("pipe", stat.S_IFIFO | 0o644), "device"),
        (unix("folder", stat.S_IFDIR | 0o755), "damaged"),
        ("../escape", "name_traversal"),
        ("/etc/passwd", "name_absolute"),
        ("C:/x", "name_absolute"),
        ("Model.bin", "duplicate"),
        ("aux", "name_device"),
    ],
)
def test_a_zip_with_anything_odd_is_refused_whole(
    tmp_path: Path, name: str | zipfile.ZipInfo, code: str
) -> None:
    assert refused(tmp_path, zipped(("model.bin", b"x"), (name, b"y"))) == code


def test_a_name_cut_at_a_zero_byte_is_seen_whole(tmp_path: Path) -> None:
    raw = zipped(("model.binX.exe", b"x")).replace(b"model.binX", b"model.bin\0")
    assert refused(tmp_path, raw) == "name_invisible"


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    raw = bytearray(zipped(("model.bin", b"x")))
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    assert refused(tmp_path, bytes(raw)) == "encrypted"


def test_a_wrong_checksum_is_noticed(tmp_path: Path) -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("model.bin", b"honest content")
    assert refused(tmp_path, raw.getvalue().replace(b"honest", b"hostil")) == "bad_crc"


def test_zip_members_that_share_bytes_are_refused(tmp_path: Path) -> None:
    raw = bytearray(zipped(("a", b"x" * 100), ("b", b"x" * 100)))
    second = raw.rindex(b"PK\x01\x02")
    struct.pack_into("<L", raw, second + 42, 0)
    assert refused(tmp_path, bytes(raw)) in {"bomb", "damaged"}


@pytest.mark.parametrize("make", [tar, zipped], ids=["tar", "zip"])
def test_too_many_files_are_refused(tmp_path: Path, make: Callable[..., bytes]) -> None:
    names = [f"f{number}" for number in range(11)]
    members = [plain(n) for n in names] if make is tar else [(n, b"") for n in names]
    assert refused(tmp_path, make(*members), ArchiveLimits(files=10)) == "too_many_files"


@pytest.mark.parametrize("make", [tar, zipped], ids=["tar", "zip"])
def test_too_many_bytes_are_refused(tmp_path: Path, make: Callable[..., bytes]) -> None:
    content = os.urandom(3000)
    member = plain("big", content) if make is tar else ("big", content)
    assert refused(tmp_path, make(member), ArchiveLimits(total_bytes=2000)) == "too_large"


@pytest.mark.parametrize(
    "raw",
    [
        gzip.compress(tar(plain("zeros", b"\0" * 8_000_000))),
        bz2.compress(tar(plain("zeros", b"\0" * 8_000_000))),
        lzma.compress(tar(plain("zeros", b"\0" * 8_000_000))),
        zipped(("zeros", b"\0" * 8_000_000)),
    ],
    ids=["gz", "bz2", "xz", "zip"],
)
def test_a_bomb_goes_off_early(tmp_path: Path, raw: bytes) -> None:
    assert refused(tmp_path, raw, ArchiveLimits(ratio_from=1 << 20)) == "bomb"


def test_a_header_that_claims_a_gigabyte_of_name_takes_no_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("name")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    raw = info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 4096
    assert refused(tmp_path, raw) == "name_long"


def test_a_zip_directory_of_a_billion_members_is_not_read(tmp_path: Path) -> None:
    raw = bytearray(zipped(("a", b"x")))
    end = raw.rindex(b"PK\x05\x06")
    struct.pack_into("<HH", raw, end + 8, 60_000, 60_000)
    assert refused(tmp_path, bytes(raw)) == "too_many_files"


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_half_an_archive_is_refused(
    tmp_path: Path, keep: float, compress: Callable[[bytes], bytes]
) -> None:
    raw = compress(tar(plain("a", os.urandom(60_000)), plain("b", os.urandom(60_000))))
    assert refused(tmp_path, raw[: int(len(raw) * keep)]) in {"truncated", "damaged"}


def test_text_after_the_end_of_a_tar_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, tar(plain("a")) + b"more") == "trailing_data"


def test_sparse_files_are_refused(tmp_path: Path) -> None:
    info, content = plain("sparse")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.name": "other"}
    assert refused(tmp_path, tar((info, content))) == "member_type"


@pytest.mark.parametrize("raw", [b"", b"hello", b"\x7fELF" + b"\0" * 600])
def test_what_is_no_archive_is_refused(tmp_path: Path, raw: bytes) -> None:
    assert refused(tmp_path, raw) == "not_an_archive"


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    (tmp_path / "upload").write_bytes(tar(plain("theirs")))
    with pytest.raises(ArchiveRefused, match="empty"):
        extract(tmp_path / "upload", tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine"]


def test_an_empty_folder_given_for_the_output_stays_and_is_emptied(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "upload").write_bytes(tar(plain("fine"), plain("../bad")))
    with pytest.raises(ArchiveRefused):
        extract(tmp_path / "upload", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@given(st.binary(max_size=2000), st.integers(0, 3))
def test_noise_is_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, kind: int
) -> None:
    folder = tmp_path_factory.mktemp("noise")
    good = [tar(plain("a")), zipped(("a", b"b")), gzip.compress(tar(plain("a"))), b"PK\x03\x04"]
    raw = bytearray(good[kind])
    offset = len(noise) % max(1, len(raw))
    raw[offset : offset + len(noise)] = noise
    (folder / "upload").write_bytes(bytes(raw))
    try:
        files = extract(folder / "upload", folder / "out")
    except ArchiveRefused as refusal:
        assert refusal.sentence
        assert not (folder / "out").exists()
    else:
        assert {f.path for f in files} == {
            p.relative_to(folder / "out").as_posix()
            for p in (folder / "out").rglob("*")
            if p.is_file()
        }


def test_packing_depends_on_content_alone(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        folder = tmp_path / name
        (folder / "src" / "empty").mkdir(parents=True)
        (folder / "src" / "service.py").write_text("x = 1")
        (folder / ("z" * 120)).write_text("long")
        (folder / "run").write_text("#!")
        (folder / "run").chmod(0o700)
        os.utime(folder / "run", (len(digests), len(digests)))
        digests.append(pack(folder, tmp_path / f"{name}.tar"))
    assert digests[0] == digests[1]
    assert digests[0] == "sha256:" + hashlib.sha256((tmp_path / "one.tar").read_bytes()).hexdigest()


def test_what_was_packed_comes_out_again(tmp_path: Path) -> None:
    (tmp_path / "in" / "a").mkdir(parents=True)
    (tmp_path / "in" / "a" / "b").write_text("c")
    (tmp_path / "in" / "a" / "b").chmod(0o755)
    pack(tmp_path / "in", tmp_path / "x.tar")
    files = extract(tmp_path / "x.tar", tmp_path / "out")
    assert [(f.path, f.executable) for f in files] == [("a/b", True)]
    assert pack(tmp_path / "out", tmp_path / "y.tar") == pack(tmp_path / "in", tmp_path / "x.tar")


def test_a_folder_with_a_link_is_not_packed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to("/etc")
    with pytest.raises(ArchiveRefused):
        pack(tmp_path / "in", tmp_path / "x.tar")


@pytest.mark.parametrize(
    "name", ["model.pkl", "dir/файл.bin", "שלום.txt", "console.txt", "a b.c", ".hidden", "com10"]
)
def test_ordinary_names_are_fine(name: str) -> None:
    assert check_name(name) is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "name_empty"),
        (".", "name_traversal"),
        ("a//b", "name_traversal"),
        ("a/", "name_traversal"),
        ("a\0b", "name_invisible"),
        ("a\u200bb", "name_invisible"),
        ("\ud800", "name_invisible"),
        ("x" * 256, "name_long"),
        ("x/" * 200 + "y", "name_long"),
        ("nul", "name_device"),
        ("a/Lpt1.log", "name_device"),
        ("con .txt", "name_device"),
        ("com¹", "name_device"),
        ("trailing.", "name_spaces"),
        ("trailing /x", "name_spaces"),
    ],
)
def test_odd_names_are_refused_in_words(name: str, code: str) -> None:
    with pytest.raises(ArchiveRefused) as caught:
        check_name(name)
    assert caught.value.code == code
