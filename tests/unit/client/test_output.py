"""What other people wrote cannot repaint the terminal, and JSON says just what the API said."""

import json
from typing import Any

import pytest

from apps.monitoring import rules
from placet_client.cli.rollouts import FEWEST
from placet_client.output import Form, cell, measured, plain, progress, say, show_list, show_one

HOSTILE = "\x1b[2J\x1b]0;owned\x07 a\rb\x9b31m \u202egnp.exe\x7f \ud800 tab\there"


@pytest.mark.parametrize("form", list(Form))
def test_no_control_character_of_others_reaches_the_terminal(
    form: Form, capsys: pytest.CaptureFixture[str]
) -> None:
    item = {"name": HOSTILE, "tags": [HOSTILE], "more": {HOSTILE: HOSTILE}, HOSTILE: 1}
    show_list([item], ["name", "tags", "more"], form)
    show_one(item, form)
    say(HOSTILE)
    output = capsys.readouterr()
    for text in (output.out, output.err):
        assert text == plain(text)
    assert "\\x1b[2J" in output.err and "owned" in output.out


def test_json_means_what_the_api_said(capsys: pytest.CaptureFixture[str]) -> None:
    show_one({"name": HOSTILE, "plain": "Ünïcode “quoted”\nline"}, Form.JSON)
    text = capsys.readouterr().out
    assert json.loads(text) == {"name": HOSTILE, "plain": "Ünïcode “quoted”\nline"}
    assert "Ünïcode “quoted”" in text


def test_markup_and_emoji_codes_are_printed_as_written(capsys: pytest.CaptureFixture[str]) -> None:
    show_list([{"name": "[red]x[/red] :smile:"}], ["name"], Form.TABLE)
    assert "[red]x[/red] :smile:" in capsys.readouterr().out


def test_a_pipe_gets_each_row_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_list([{"name": "word " * 100}], ["name"], Form.TABLE)
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        ("", "–"),
        (True, "yes"),
        (["a", "b"], "a, b"),
        ([], "–"),
        ({"a": 1}, '{"a": 1}'),
        ("sha256:" + "ab" * 32, "sha256:abababab…abab"),
        ("sha256:of what", "sha256:of what"),
    ],
)
def test_a_cell_is_short_and_readable(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_progress_is_for_terminals_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as update:
        update("model.joblib", 3, 4)
        update("model.joblib", 4, 4)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"share": 0.06999999999999993}, {"share": "7%"}),
        ({"share": 11 / 112, "error_rate": 0.0}, {"share": "9.821%", "error_rate": "0%"}),
        ({"p95_ms": 6.999999999999993}, {"p95_ms": "7"}),
        ({"p95_ms": 2499.6, "per_second": 3.4333333}, {"p95_ms": "2500", "per_second": "3.43"}),
        ({"new": {"requests": 3, "p95_ms": None}}, {"new": {"requests": 3, "p95_ms": None}}),
    ],
)
def test_what_was_measured_has_as_many_digits_as_pages_write(
    row: dict[str, Any], shown: object
) -> None:
    assert measured(row) == shown


def test_columns_of_one_name_say_what_they_are_of(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"at": 1, "new": {"p95_ms": 2, "share": 3}, "old": {"p95_ms": 4}}
    show_list([row], ["at", "new.p95_ms", "new.share", "old.p95_ms"], Form.TABLE)
    assert capsys.readouterr().out.splitlines()[0].split("  ") == [
        "AT",
        "NEW P95 MS",
        "SHARE",
        "OLD P95 MS",
    ]


def test_what_is_too_long_for_a_line_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    show_one({"one": ["x" * 300], "two": ["x" * 300] * 2}, Form.TABLE)
    said = capsys.readouterr().out
    assert "1 entry (see -o json)" in said and "2 entries (see -o json)" in said


def test_percentiles_are_left_out_of_as_few_requests_as_pages_leave_them_out() -> None:
    assert FEWEST == rules.FEWEST
