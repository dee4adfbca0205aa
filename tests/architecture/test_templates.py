"""Templates, JavaScript and CSS are held to limits as Python is, so that they can be read."""

import re
from pathlib import Path

import pytest

from apps.console.templatetags import components

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
PAGES = [path for path in TEMPLATES if '{% extends "base.html" %}' in path.read_text()]
WEB = sorted(
    path
    for folder in ("platform/placet/static/placet", "platform/placet_verify_js/source", "docs/site")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".js", ".css"}
)
CONTROL = re.compile(r"{% *(?:if|elif|else|for|with)\b")
LONGEST_LINE = 120  # characters
MOST_LINES = 120
TAGS_A_KB = 7.0  # of one file; what decides between sentences belongs into a view object
SMALL = 1500  # bytes; a part that only chooses is nothing but tags


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_there_is_something_to_look_at() -> None:
    assert len(TEMPLATES) > 200
    assert len(PAGES) > 30
    assert len(WEB) > 20


@pytest.mark.parametrize("path", [*TEMPLATES, *WEB], ids=name)
def test_a_line_can_be_read(path: Path) -> None:
    long = [n for n, line in enumerate(path.read_text().split("\n"), 1) if len(line) > LONGEST_LINE]
    assert long == []


@pytest.mark.parametrize("path", TEMPLATES, ids=name)
def test_a_page_and_a_part_are_short(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= MOST_LINES
    if len(text) > SMALL:
        assert len(CONTROL.findall(text)) / len(text) * 1000 <= TAGS_A_KB


def test_every_component_is_a_tag_with_its_template() -> None:
    source = Path(components.__file__).read_text()
    used = set(re.findall(r'part\("(\w+)"', source))
    included = {
        found
        for path in TEMPLATES
        for found in re.findall(r'include "components/(\w+)\.html"', path.read_text())
    }
    assert {path.stem for path in (ROOT / "templates/components").glob("*.html")} == used | included
