"""Which revision a unit gets, recomputed without a server."""

import hashlib
import io
import subprocess
import sys
from pathlib import Path

import pytest

from placet_verify import units
from placet_verify.__main__ import main

SALT = "5a17c0ffee5a17c0"


def test_the_point_is_what_the_docs_say() -> None:
    digest = hashlib.sha256(b"5a17c0ffee5a17c0:user-42").hexdigest()

    assert units.point(SALT, "user-42") == int(digest[:8], 16) % 10_000
    assert units.point("s", "a") == 4995  # fixed for ever: stored salts count on it


@pytest.mark.parametrize("weight", [0, 100, 3_333, 5_000, 10_000])
def test_the_candidate_gets_its_share_of_units(weight: int) -> None:
    count = sum(units.gets_candidate(SALT, f"user-{n}", weight) for n in range(20_000))

    assert abs(count - 2 * weight) < 300  # four standard deviations of the widest


def test_a_unit_never_goes_back_while_the_weight_grows() -> None:
    for number in range(500):
        got = [units.gets_candidate(SALT, f"u{number}", w) for w in range(0, 10_001, 250)]
        assert got == sorted(got)
        assert got[-1]


def test_another_salt_is_another_draw() -> None:
    names = [f"u{n}" for n in range(4_000)]
    first = {n for n in names if units.gets_candidate("one", n, 1_000)}
    second = {n for n in names if units.gets_candidate("two", n, 1_000)}

    assert len(first & second) < 100  # 40 expected when independent, 400 when not


@pytest.mark.parametrize(
    "unit", ["", "x" * 129, "a\tb", "a\nb", "a\n", "\x00", "\x7f", "é", "id\r"]
)
def test_what_is_no_unit_stays_on_stable(unit: str) -> None:
    assert not units.is_readable(unit)
    assert not units.gets_candidate(SALT, unit, 10_000)


@pytest.mark.parametrize("unit", ["a", "x" * 128, "a, b", "user@example.com", "3.5", "~!\"'\\"])
def test_what_is_a_unit(unit: str) -> None:
    assert units.is_readable(unit)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"header": "X-User-Id"}, "header X-User-Id"),
        ({"cookie": "session_id"}, "cookie session_id"),
        ({"json": "/rows/0/user-id"}, "JSON /rows/0/user-id"),
    ],
)
def test_where_a_unit_may_stand(document: dict[str, str], text: str) -> None:
    assert str(units.UnitSource.read(document)) == text


@pytest.mark.parametrize(
    "document",
    [
        None,
        "X-User",
        [],
        {},
        {"header": ""},
        {"header": "X User"},
        {"header": "X'"},
        {"header": "x" * 65},
        {"header": 3},
        {"header": "A", "cookie": "B"},
        {"query": "u"},
        {"json": "user"},
        {"json": "/"},
        {"json": "/a//b"},
        {"json": "/a~1b"},
        {"json": "/a.b"},
        {"json": "/a" * 9},
        {"header": "X-User\n"},
    ],
)
def test_what_names_no_unit_is_refused_with_what_to_write(document: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        units.UnitSource.read(document)


@pytest.mark.parametrize("name", ["Authorization", "cookie", "X-API-Key"])
def test_a_secret_is_no_unit(name: str) -> None:
    with pytest.raises(ValueError, match="holds secrets"):
        units.UnitSource.read({"header": name})


def test_the_command_says_which_revision_units_get(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("b\n" + "x" * 129 + "\n"))

    assert main(["unit", "--salt", "s", "--weight", "4996", "a", "-"]) == 0

    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["a", "4995", "candidate"]
    assert lines[1] == ["b", str(units.point("s", "b")), lines[1][2]]
    assert lines[2] == ["x" * 129, "-", "stable (no unit)"]


def test_the_command_refuses_a_weight_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["unit", "--salt", "s", "--weight", "10001", "a"])
    assert "0 to 10000" in capsys.readouterr().err


def test_it_needs_the_standard_library_alone() -> None:
    probe = (
        "import sys; from placet_verify import units; "
        "assert not {m for m in sys.modules if m.split('.')[0] in ('cryptography', 'rfc8785')}"
    )
    subprocess.run([sys.executable, "-c", probe], check=True, cwd=Path(units.__file__).parents[1])
