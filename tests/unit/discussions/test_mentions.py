"""Whom a text mentions, and which part of a thing an anchor names."""

import pytest

from apps.discussions.markdown import BOUND, render, said_in
from apps.discussions.rules import anchor_fault, handles_in
from tests.support.hostile_cards import HOSTILE
from tests.support.spending import spent

PARTS = ("metrics", "card")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("@dana look at this", ["dana"]),
        ("Look, @dana.", ["dana"]),
        ("(@dana@example.com)", ["dana@example.com"]),
        ("@dana@example.com.", ["dana@example.com"]),
        ("@dana_smith and **@rex**", ["dana_smith", "rex"]),
        ("@dana, @rex and @dana again", ["dana", "rex"]),
        ("write to dana@example.com", []),
        ("the decorator `@cache`", []),
        ("    @indented = code", []),
        ("```\n@cache\n```", []),
        ("|a|\n|-|\n|@dana|", ["dana"]),
        ("a lone @ here", []),
        ("@Dána", ["Dána"]),
    ],
)
def test_a_mention_is_a_name_behind_an_at_outside_of_code(text: str, meant: list[str]) -> None:
    assert handles_in(said_in(text)) == meant


MUCH = "*" * BOUND.marks


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (f"@dana {MUCH}x *", ["dana"]),
        (f"**@dana**, {MUCH}", ["dana"]),
        (f"`@cache` {MUCH} @dana", ["dana"]),
        (f"``a ` @cache`` {MUCH}", []),
        (f"\\`@dana\\` {MUCH}", ["dana"]),
        (f"```\n@cache\n```\n{MUCH}", []),
        (f"> ~~~\n> @cache\n> ~~~\n\n{MUCH}", []),
        (f"- ```\n  @cache\n  ```\n\n{MUCH}", []),
        (f"    @indented\n\n{MUCH}", []),
        (f"- a\n\n    @dana\n\n{MUCH}", ["dana"]),
        ("@cache\n" * 10 + "```\n" + "@lru\n" * 300 + "```", ["cache"]),
    ],
)
def test_what_is_too_much_to_be_laid_out_mentions_people_outside_of_code_too(
    text: str, meant: list[str]
) -> None:
    assert render(text).startswith("<p>This comment is shown as it was written")
    assert handles_in(said_in(text)) == meant


@pytest.mark.parametrize("card", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_comment_holds_who_looks_for_mentions_in_it(card: str) -> None:
    seconds, _ = spent(lambda: "".join(said_in(card[:4000])), 0.3)
    assert seconds < 0.3


LAID_OUT_AS_WRITTEN = "<p>This comment is shown as it was written"


@pytest.mark.parametrize(
    "text",
    ["![:a- =:" * 500, "![:a- =:" * 100, "[" * 60 + "=" * 3900, "![" * 10 + "=a" * 1900, "[" * 250],
)
def test_a_comment_in_which_the_end_of_links_is_looked_for_over_and_over_is_not_laid_out(
    text: str,
) -> None:
    assert render(text).startswith(LAID_OUT_AS_WRITTEN)


@pytest.mark.parametrize(
    "text",
    [
        "[a](https://b.example/c-d_e) " * 100,
        "- [ ] see [a](https://b.example/c-d)\n" * 60,
        "a[0] < b[1] && c[2]; " * 30,
    ],
)
def test_a_comment_of_many_links_is_laid_out(text: str) -> None:
    assert not render(text).startswith(LAID_OUT_AS_WRITTEN)


def test_a_comment_shows_no_picture() -> None:
    large = "data:image/webp;base64,UklGRhYAAABXRUJQVlA4TAoAAAAvP9/PB4iICAAA"
    for text in (f"![x]({large})", f"![x][a]\n\n[a]: {large}", f"[![x]({large})](https://a.b)"):
        assert "<img" not in render(text)
        assert "UklGR" not in render(text)
        assert ">x<" in render(text)


@pytest.mark.parametrize("anchor", ["metrics", "card", "metrics/auc", "metrics/f1 (macro)"])
def test_an_anchor_is_a_part_or_a_name_in_it(anchor: str) -> None:
    assert anchor_fault(anchor, PARTS) == ""


@pytest.mark.parametrize(
    ("anchor", "said"),
    [
        ("gates", "choose from metrics, card"),
        ("/auc", "choose from"),
        ("metrics/", "Name what is meant"),
        ("metrics/ ", "Name what is meant"),
        ("metrics/" + "x" * 200, "At most 120"),
        ("metrics/a\nb", "control character"),
        ("metrics/a\u2028b", "control character"),
        ("metrics/\u202eauc", "turns the order of letters"),
        ("metrics/\u2066auc", "turns the order of letters"),
    ],
)
def test_any_other_anchor_is_refused_in_words(anchor: str, said: str) -> None:
    assert said in anchor_fault(anchor, PARTS)


@pytest.mark.parametrize("card", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_comment_holds_a_server_or_a_browser(card: str) -> None:
    seconds, html = spent(lambda: render(card[:4000]), 0.3)
    assert (seconds < 0.3, len(html) < 40_000) == (True, True), (seconds, len(html))


def test_a_table_is_laid_out_as_long_as_its_cells_are_few() -> None:
    row = "|a" * 6 + "|\n"
    assert render(row + "|-" * 6 + "|\n" + row * 60).count("<td>") == 360
    assert "<td>" in render("> |a|b|\n> |:-|-:|\n" + "> a\n" * 150)
    for quote in ("", "> "):
        short = f"{quote}{'|' * 51}\n{quote}{'|-' * 50}|\n" + f"{quote}a\n" * 50
        assert render(short).startswith("<p>This comment is shown as it was written")


def test_a_comment_makes_no_request_and_runs_nothing() -> None:
    html = render(
        "[x](javascript:alert(1)) <img src=x onerror=alert(1)> ![p](https://example.com/a.png)\n"
        "<script>alert(1)</script> [y](https://example.com)"
    )
    assert "<script" not in html
    assert "<img" not in html
    assert "javascript:" not in html.replace("[x](javascript:alert(1))", "")
    assert 'href="https://example.com" rel="nofollow noopener noreferrer"' in html
