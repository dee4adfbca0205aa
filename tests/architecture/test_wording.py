"""How the product speaks of people, in pages, guides, comments, messages and names of tests."""

import re
from pathlib import Path

from tests.architecture.test_layout import ROOT, tracked

TEXTS = ("*.md", "*.html", "*.py", "*.js", "*.txt", "*.toml", "*.yaml", "*.yml")
# an underscore parts words too: names of tests are sentences
OF_ONE_SEX = re.compile(
    r"(?<![a-z])(?:he|him|his|himself|she|her|hers|herself)(?![a-z])", re.IGNORECASE
)


def test_a_person_is_they() -> None:
    """Whoever reads a page is meant by it. What would be unclear names its noun again."""
    for said in ("shown who he is", "# What she declared", "test_nobody_vouches_for_himself"):
        assert OF_ONE_SEX.search(said)
    assert not OF_ONE_SEX.search("the other checks there; they show this when asked")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in tracked(*TEXTS)
        if "vendor" not in path.parts and path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if OF_ONE_SEX.search(line)
    ]
    assert found == []
