"""The guides as files: what holds before any page is built of them."""

import re

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
