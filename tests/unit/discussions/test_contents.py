"""What a file is by its bytes, whatever it is called, and which files are taken."""

import pytest

from apps.discussions.contents import FILE_BYTES, SentFile, checked, name_of, type_of
from placet.kernel.problems import InvalidInput

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (PNG, "PNG image"),
        (b"\xff\xd8\xff\xe0", "JPEG image"),
        (b"RIFF0000WEBPVP8 ", "WebP image"),
        (b"%PDF-1.7\n", "PDF"),
        (b"PK\x03\x04rest", "ZIP archive"),
        (b"a,b\n1,2\n", "Text"),
        ("a;b\n1;ü\n".encode("latin-1"), "Unknown"),
        (b"\xef\xbb\xbf <!DOCTYPE html><p>", "HTML"),
        (b"\n\t<ScRiPt >alert(1)</script>", "HTML"),
        (b"<!-- by a program -->\n<svg></svg>", "SVG image"),
        (b"<!DOCTYPE svg PUBLIC 'x' [<!ENTITY a 'b'>]>\n<svg></svg>", "SVG image"),
        (b"<!--x--><script>alert(1)</script>", "HTML"),
        (b"<form><script>alert(1)</script>", "HTML"),
        (b"<meta charset=utf-8>", "HTML"),
        (b"hi<script>alert(1)</script>", "HTML"),
        (b"<?xml version='1.0'?><html xmlns='x'></html>", "HTML"),
        ("<!doctype html><script>".encode("utf-16"), "HTML"),
        (b"a<b and c>d\n", "Text"),
        (b"MZN,USD\n1,0.016\n", "Text"),
        (b"<svg onload='x'>", "SVG image"),
        (b"<?xml version='1.0'?>\n<svg:svg>", "SVG image"),
        (b"<?xml version='1.0'?><a/>", "XML"),
        (b"#!/bin/sh\n", "Script"),
        (b"\x7fELF\x02", "Program"),
        (b"MZ\x90\x00", "Program"),
        (b"words\x00and a null", "Unknown"),
        (bytes(257) + b"ustar\x00", "tar archive"),
    ],
)
def test_a_type_is_decided_from_bytes(raw: bytes, said: str) -> None:
    assert type_of(raw) == said


@pytest.mark.parametrize(
    ("name", "raw", "why"),
    [
        ("chart.png", b"<html><script>alert(1)</script>", "its bytes are of the type HTML"),
        ("x.png.", b"<html>", "is called .png, and its bytes are of the type HTML"),
        ("x.png. ", b"<html>", "is called .png"),
        ("x.pdf .", b"<html>", "is called .pdf"),
        ("\u3164", b"a", "letters that nobody sees"),
        ("\u115f.csv", b"a", "letters that nobody sees"),
        ("invoice.pdf" + "\u2003" * 60 + "x.html", b"a", "a long gap"),
        ("chart.PNG ", b"<html>", "its bytes are of the type HTML"),
        ("chart.png", b"a,b\n", "its bytes are of the type Text"),
        ("report.pdf", PNG, "its bytes are of the type PNG image"),
        ("rows.csv", PNG, "its bytes are of the type PNG image"),
        ("rows.csv", b"\x7fELF", "is a program"),
        ("tool", b"MZ\x00", "is a program"),
        ("empty.csv", b"", "is empty: leave it out"),
        ("big.csv", b"a" * (FILE_BYTES + 1), "at most 5.0 MB are taken"),
        ("gpj\u202egnp.csv", b"a", "letters that nobody sees"),
        ("a\nb.csv", b"a", "letters that nobody sees"),
        ("a\x00.csv", b"a", "letters that nobody sees"),
        ("zero\u200bwidth.csv", b"a", "letters that nobody sees"),
        ("..", b"a", "has a name that is empty"),
        ("folder/", b"a", "has a name that is empty"),
        ("a" * 101, b"a", "more than 100 letters"),
        ("\U0001f4c8" * 60, b"a", "or 200 bytes"),
    ],
)
def test_a_file_that_lies_or_is_odd_is_refused_by_its_name(name: str, raw: bytes, why: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked([SentFile("good.csv", b"1"), SentFile(name, raw)])
    (fault,) = refused.value.errors
    assert fault.pointer == "/files"
    assert why in fault.detail
    assert not set("\u202e\n\x00\u200b") & set(fault.detail)
    assert "good.csv" not in fault.detail


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\auc.csv", "auc.csv"),
        ("auc.csv ", "auc.csv"),
        ('quote"d.csv', 'quote"d.csv'),
        ("Zu\u0308rich.csv", "Z\u00fcrich.csv"),
    ],
)
def test_a_name_keeps_no_folder(sent: str, kept: str) -> None:
    assert name_of(sent) == kept
    assert checked([SentFile(sent, b"1")])[0].name == kept


def test_files_are_few_and_have_names_of_their_own() -> None:
    many = [SentFile(f"{number}.csv", b"1") for number in range(5)]
    with pytest.raises(InvalidInput) as refused:
        checked(many)
    assert "4.csv is one too many: a comment takes 4 files" in refused.value.errors[0].detail
    with pytest.raises(InvalidInput) as refused:
        checked([SentFile("A.csv", b"1"), SentFile("x/a.csv", b"2")])
    assert "is there twice" in refused.value.errors[0].detail
    large = [SentFile(f"{number}.csv", b"1" * 4_000_000) for number in range(3)]
    with pytest.raises(InvalidInput) as refused:
        checked(large)
    assert "Together they have 12.0 MB" in refused.value.errors[0].detail
