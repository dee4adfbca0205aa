"""Which files may run something once they are opened, whatever a loader of models makes of them."""

import pytest

from apps.discussions.opening import may_run


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
    ],
)
def test_what_may_run_says_why(name: str, raw: bytes, why: str) -> None:
    assert why in may_run(name, raw)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("rows.csv", b"a,b\n-1,+2.5\n-inf,-nan\n-,--\n"),
        ("rows.csv", b"x;y\n-1;-.5e-3\n"),
        ("notes.txt", b"= a headline"),
        ("chart.png", b"\x89PNG\r\n\x1a\n"),
        ("report.pdf", b"%PDF-1.7"),
    ],
)
def test_tables_and_pictures_run_nothing(name: str, raw: bytes) -> None:
    assert may_run(name, raw) == ""
