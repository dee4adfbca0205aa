"""Model cards come from strangers and are shown to approvers."""

from html.parser import HTMLParser

import pytest

from apps.registry import cards
from tests.support.hostile_cards import HOSTILE
from tests.support.spending import spent

CARD = """---
license: apache-2.0
tags: [tabular, 2024-05-01]
model-index:
  - name: churn
---
# Churn

See [the *paper*](https://example.com/paper) and <script>alert(1)</script>.

| a | b |
|---|---|
| 1 | 2 |
"""


def test_front_matter_becomes_plain_values() -> None:
    card = cards.parse(CARD)
    assert card.data == {
        "license": "apache-2.0",
        "tags": ["tabular", "2024-05-01"],
        "model-index": [{"name": "churn"}],
    }
    assert card.body.startswith("# Churn")


def test_a_card_without_front_matter_is_all_markdown() -> None:
    assert cards.parse("# Hi\n---\n").data == {}
    assert cards.parse("").body == ""


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("---\na: 1\nb: [\n---\n", 3, "not valid YAML"),
        ("---\na: 1\nb: 2", 1, "not closed"),
        ("---\na: &x [1]\nb: *x\n---\n", 2, "anchor"),
        ("---\na: 1\nb: 1\na: 2\n---\n", 4, "twice"),
        ("---\n- a\n---\n", 2, "mapping"),
        ("---\na: !!python/object/apply:os.system ['x']\n---\n", 2, "not valid YAML"),
        ("# Hi\nbell \x07\n", 2, "control"),
        ("---\n" + "a: [" * 11 + "]" * 11 + "\n---\n", 2, "deeper"),
        ("---\na: " + "[" * 3000 + "]" * 3000 + "\n---\n", 2, "deeper"),
        ("---\na: " + "x" * 20_001 + "\n---\n", 2, "kB"),
        ("x" * 200_001, 1, "kB"),
    ],
)
def test_a_card_that_cannot_be_read_is_refused_by_line(text: str, line: int, why: str) -> None:
    with pytest.raises(cards.CardError, match=why) as refusal:
        cards.parse(text)
    assert refusal.value.line == line
    assert cards.card_faults(text)[0].detail.startswith(f"Line {line}: ")


def test_a_card_is_shown_without_anything_that_runs() -> None:
    html = cards.render(CARD)
    assert "<h2>Churn</h2>" in html
    assert "<table>" in html
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert 'rel="nofollow noopener noreferrer">the <em>paper</em></a>' in html
    assert "license" not in html


@pytest.mark.parametrize(
    "markdown",
    [
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "[x](JaVaScRiPt:alert(1))",
        "[x](vbscript:x)",
        "<img src=x onerror=alert(1)>",
        "<iframe src=https://example.com></iframe>",
        "[x](/accounts/logout/)",
        "![x](/api/v1/whoami)",
        "<svg/onload=alert(1)>",
        '![x"onload="alert(1)](https://example.com/a.png)',
        '[x](https://example.com "a\\"onclick=\\"alert(1)")',
    ],
)
def test_markdown_of_a_stranger_makes_no_request_and_runs_nothing(markdown: str) -> None:
    elements = elements_of(cards.render(markdown))
    assert {tag for tag, _ in elements} <= {"p", "a"}
    for _, attributes in elements:
        assert set(attributes) <= {"href", "rel", "title"}
        assert attributes.get("href", "https://").startswith("https://")


def elements_of(html: str) -> list[tuple[str, dict[str, str]]]:
    """Return every element of ``html`` as a browser would read it."""
    found: list[tuple[str, dict[str, str]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, {name: value or "" for name, value in attrs}))

    Reader().feed(html)
    return found


def test_a_picture_from_elsewhere_becomes_a_link_and_one_inside_stays() -> None:
    html = cards.render("![plot](https://example.com/a.png) ![dot](data:image/png;base64,AAAA)")
    assert '<a href="https://example.com/a.png" rel="nofollow noopener noreferrer">plot</a>' in html
    assert '<img src="data:image/png;base64,AAAA" alt="dot">' in html


def test_an_old_card_that_would_be_refused_today_is_still_shown() -> None:
    assert "still" in cards.render("---\nunclosed\n\nstill here")


@pytest.mark.parametrize("card", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_card_holds_a_server(card: str) -> None:
    most = 0.6  # seconds of a processor: 0.2 on a quiet machine, twice as many where many share it
    seconds, html = spent(lambda: cards.render(card), most)
    assert (seconds < most, len(html) < 2_000_000) == (True, True), f"{seconds:.2f} s"


def test_a_card_that_costs_too_much_is_shown_as_it_was_written() -> None:
    html = cards.render("# <b>Risk</b>\n" + "*a " * 20_000)
    assert html.startswith("<p>This card is shown as it was written")
    assert "<pre><code># &lt;b&gt;Risk&lt;/b&gt;\n*a *a" in html
    assert "<pre>" not in cards.render(
        "# Risk\n\n" + "It predicts *churn* of `customers`.\n\n" * 900
    )


def test_a_long_word_may_be_broken_and_stays_one_word() -> None:
    html = cards.render("W" * 200 + " `" + "x" * 100 + "`\n\n    " + "y" * 90 + "\n")
    assert html == (
        f"<p>{'W' * 80}<wbr>{'W' * 80}<wbr>{'W' * 40} <code>{'x' * 80}<wbr>{'x' * 20}</code></p>\n"
        f"<pre><code>{'y' * 80}<wbr>{'y' * 10}\n</code></pre>"
    )
