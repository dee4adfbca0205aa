"""The guides as files: what holds before any page is built of them."""

import re
from pathlib import Path

from tests.architecture.test_layout import ROOT, tracked

PICTURES = ROOT / "docs" / "screenshots"


def test_what_is_kept_of_the_screenshots_is_what_the_docs_show() -> None:
    """All others are made again by every run of the browser's tests."""
    shown = {
        name
        for text in tracked("README.md", "docs/*.md")
        for name in re.findall(r"screenshots/([\w.-]+)\)", text.read_text())
    }
    kept = {path.name for path in tracked("docs/screenshots/*")}
    assert kept == shown
    assert {path.suffix for path in tracked("docs/screenshots/*")} == {".webp"}
    assert sum(path.stat().st_size for path in PICTURES.iterdir()) < 3_000_000


def test_the_index_names_every_guide() -> None:
    """The navigation of every page is made of it."""
    index = (ROOT / "docs" / "index.md").read_text().split("## By task")[1].split("\n## ")[0]
    named = set(re.findall(r"\]\(([\w-]+)\.md\)", index))
    guides = {path.stem for path in tracked("docs/*.md") if path.parent == ROOT / "docs"}
    assert named == guides - {"index"}


def test_no_guide_installs_ours_by_a_bare_name() -> None:
    """Nobody owns those names on a package index; whoever takes one would be installed."""
    bare = re.compile(r"\b(?:pip|pipx|uv)\b[^\n]*\binstall\b[^\n]* placet[\w-]*(?![\w@./-])")
    assert bare.search("pip install placet-agent") and bare.search("pipx install -q placet")
    for text in tracked("README.md", "docs/*.md", "templates/*.html", "platform/deploy/*"):
        assert not bare.findall(text.read_text()), text


def test_links_of_pages_outside_the_guides_lead_somewhere() -> None:
    """Those inside are checked where the site is built."""
    for text in tracked("*.md"):
        if text.is_relative_to(ROOT / "docs"):
            continue
        for link in re.findall(r"\]\(([^)\s]+)\)", text.read_text()):
            path, _, anchor = link.partition("#")
            if "://" in link or link.startswith("mailto:"):
                continue
            there = text.parent / path if path else text
            assert there.exists(), f"{text}: {link}"
            assert not anchor or anchor in anchors(there), f"{text}: {link}"


def anchors(page: Path) -> set[str]:
    """The headings of a page as the repository's host names them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
