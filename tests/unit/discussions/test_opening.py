"""Which files may run something once they are opened, whatever a loader of models makes of them."""

import random
import time

import pytest

from apps.discussions.opening import may_run
from tests.support.compound_files import compound_file


@pytest.mark.parametrize(
    ("name", "raw", "why"),
    [
        ("page.txt", b"<!doctype html><script>alert(1)</script>", "HTML, which may run scripts"),
        ("chart.svg", b"<svg onload='alert(1)'/>", "SVG image, which may run scripts"),
        ("rows.xml", b"<?xml version='1.0'?><a/>", "XML, which may run scripts"),
        ("run.BAT .", b"@echo off", "is called .bat"),
        ("macro.bas", b"Sub AutoOpen()", "is called .bas"),
        ("book.xlsm", b"PK\x03\x04", "is called .xlsm"),
        ("rows.csv", b'=cmd|"/c calc"!A1,b', "formulas"),
        ("rows.csv", b'a,b\n1,"=HYPERLINK(1)"', "formulas"),
        ("rows.tsv", b"a\t@SUM(1)", "formulas"),
        ("rows.csv", b"a,-2+3+cmd|calc!A0", "formulas"),
        ("rows.csv", b"a,+cmd", "formulas"),
        ("rows.csv", b"\xef\xbb\xbf=cmd|'/c calc'!A1", "formulas"),
        ("rows.csv", "\ufeffa;=HYPERLINK(1)".encode("utf-16-le"), "formulas"),
        ("rows.csv", "\ufeffa;=HYPERLINK(1)".encode("utf-16-be"), "formulas"),
        ("rows.csv", "\ufeff=A1".encode("utf-32-le"), "formulas"),
        ("rows.csv", "a;=HYPERLINK(1)".encode("utf-16-le"), "formulas"),
        ("rows.csv", b"a|=HYPERLINK(1)", "formulas"),
        ("rows.csv", b"sep=#\na#=HYPERLINK(1)", "formulas"),
        ("rows.csv", b'"sep= "\na =HYPERLINK(1)', "formulas"),
        ("rows.csv", b"a,          =HYPERLINK(1)", "formulas"),
        ("rows.csv", "a,\u00a0\u200b\"' =HYPERLINK(1)".encode(), "formulas"),
        ("rows.csv", "a,\uff1dHYPERLINK(1)".encode(), "formulas"),
        ("rows.csv", b"a;-2,5+cmd|'/c calc'!A0", "formulas"),
        ("rows.csv", b"a,-" + b"1+" * 500 + b"cmd|'/c calc'!A0", "formulas"),
        ("rows.csv", b"a,-information|'/c calc'!A0", "formulas"),
        ("rows.csv", b"ID;PWXL;N;E\r\nC;X1;Y1;K0;ECALL(1)\r\nE", "formulas"),
        ("rows.csv", b'ID;P\nF;X1;Y1\nC;EEXEC("calc")', "formulas"),
        ("notes.txt", b'ID;P\nC;R1;C1;EEXEC("calc")', "formulas"),
        ("rows.csv", b"a,\xa0=cmd|'/c calc'!A1", "formulas"),
        ("rows.dif", b'1,0\n"=HYPERLINK(1)"', "formulas"),
        ("book.xls", b"a,=HYPERLINK(1)", "is called .xls and is something else"),
        ("book.xls", b"\x09\x08\x08\x00\x00\x05", "is called .xls and is something else"),
        ("note.doc", b"MIME-Version: 1.0\n", "is called .doc and is something else"),
        ("book.xls", b"<table><tr><td>=1", "HTML, which may run scripts"),
        ("note.doc", compound_file("Macros"), "has macros"),
        ("book.xls", compound_file("Styles", "_VBA_PROJECT_CUR"), "has macros"),
        ("book.xls", compound_file("One", "Two", "Three", "Four", "Five", "VBA"), "has macros"),
        ("without an ending", compound_file("MACROS"), "has macros"),
        ("note.doc", b"PK\x03\x04 word/vbaProject.bin", "has macros"),
    ],
)
def test_what_may_run_says_why(name: str, raw: bytes, why: str) -> None:
    assert why in may_run(name, raw)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("rows.csv", b"a,b\n-1,+2.5\n-inf,-nan\n-,--\n"),
        ("rows.csv", b"x;y\n-1;-.5e-3\n"),
        ("rows.csv", b"x|y\n-1.5|+3\n-inf|-NaN\n-|-1e-5|2(x)\n"),
        ("rows.csv", b"x;y\n-1,5;+3,2e7\n-Infinity;- none\n"),
        ("rows.csv", "\ufeffx,y\n-1.5,+3\n-inf,-\n".encode("utf-16")),
        ("rows.csv", b"\xef\xbb\xbfx,y\n-1.5,+3 kg\n2026-01-02,a=b,a@b"),
        ("rows.csv", b"ID;Name;Class\nC;Emil;Eve\n"),
        ("book.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        ("book.xls", compound_file("ObjectPool", "Macros of mine")),
        ("book.xls", compound_file()),
        ("notes.txt", b"Macros stand in vbaProject.bin"),
        ("notes.txt", b"= a headline"),
        ("chart.png", b"\x89PNG\r\n\x1a\n"),
        ("report.pdf", b"%PDF-1.7"),
    ],
)
def test_tables_and_pictures_run_nothing(name: str, raw: bytes) -> None:
    assert may_run(name, raw) == ""


@pytest.mark.parametrize(
    "name",
    [
        "a.slk",
        "a.iqy",
        "a.rqy",
        "a.library-ms",
        "a.search-ms",
        "a.settingcontent-ms",
        "a.wsc",
        "a.msc",
        "a.rdp",
        "a.jnlp",
        "a.appref-ms",
        "a.website",
        "a.webloc",
        "a.themepack",
        "a.pyz",
        "a.accde",
        "a.diagcab",
        "a.msix",
        "a.vhdx",
        "a.iso",
        "a.xlsb",
        "a.one",
        "a.apk",
        "a.xpi",
        "a.crx",
        "a.mobileconfig",
    ],
)
def test_what_systems_act_on_by_its_name_says_so(name: str) -> None:
    assert "which systems run or draw" in may_run(name, b"anything")


@pytest.mark.parametrize(
    "piece",
    [
        b"-",
        b"+1",
        b",-1",
        b",-a",
        b"-a|",
        b" ",
        b"\n",
        b"\n ",
        b", '",
        b"-1,1",
        b",1",
        b"-,",
        b"-1e",
        b"\xff\xfe",
        b"ID;\nC;K",
        b";E",
        b"-inf",
        b"-1.1.",
        b"-a,1",
        b"\x00-",
        b"sep=-",
    ],
)
def test_whatever_a_table_holds_it_is_looked_through_in_no_time(piece: bytes) -> None:
    for begin in (b"", b",-", b"ID;", b"\xff\xfe"):
        content = begin + piece * (1_000_000 // len(piece))
        began = time.process_time()
        may_run("rows.csv", content)
        assert time.process_time() - began < 1  # it takes a tenth of that


def test_a_table_of_odd_letters_is_looked_through_in_no_time() -> None:
    odd = random.Random(1)
    for letters in (b"-+1,", b"-|,", b" \"'-\n", b"-1e,.", bytes(range(256))):
        content = bytes(odd.choices(letters, k=1_000_000))
        began = time.process_time()
        may_run("rows.csv", content)
        assert time.process_time() - began < 1
