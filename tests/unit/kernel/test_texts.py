"""What people write, as it is kept."""

import pytest

from placet.kernel.problems import InvalidInput
from placet.kernel.texts import clean_text


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_form_and_a_script_send_the_same_text(end: str) -> None:
    sent = f" one{end}two{end}{end}three{end}"
    assert clean_text("comment", sent, limit=14) == "one\ntwo\n\nthree"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a\x00", "It holds a control character"),
        ("a\x1b[31mb", "It holds a control character"),
        ("a\x7fb", "It holds a control character"),
        ("a" * 21, "At most 20 characters"),
        (" \r\n\t", "It must not be empty"),
        ("a\u202eb", "It holds a character that turns the order of letters: take it out"),
        ("\u2067a", "It holds a character that turns the order of letters: take it out"),
    ],
)
def test_what_is_no_text_is_refused_where_it_stands(text: str, says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        clean_text("reason", text, limit=20)
    assert [(e.pointer, e.detail) for e in refused.value.errors] == [("/reason", says)]


def test_an_empty_text_is_taken_where_it_may_be() -> None:
    assert clean_text("comment", " \n", limit=20, empty=True) == ""
