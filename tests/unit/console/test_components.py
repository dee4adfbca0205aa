"""The parts that every page is made of."""

import re

from apps.console.glossary import TERMS
from apps.console.queries.release_evidence import KIND_TERMS
from apps.console.templatetags.components import choice, help
from tests.architecture.test_docs import anchors
from tests.architecture.test_layout import ROOT, tracked

GUIDE = re.compile(r"""{% url 'guide' '([^']+)' %}(?:#([\w-]+))?""")
ASKED = re.compile(r"""{% help "([\w-]+)" %}|\bterm="([\w-]+)\"""")

SITES = [("edge", "At the edge"), ("cloud", "In a cloud")]


def test_a_choice_has_its_label_and_what_was_chosen() -> None:
    shown = choice("Where", "site", SITES, "edge", id="s")
    assert '<label class="form-label" for="s">Where</label>' in shown
    assert '<option value="edge" selected>At the edge</option>' in shown
    assert shown.count("selected") == 1 and shown.count("<option") == 2
    assert choice("Where", "site", SITES, "", id="s").count("selected") == 0


def test_a_choice_without_an_id_is_named_and_may_be_left_open() -> None:
    shown = choice("Where", "site", SITES, "", blank="Anywhere")
    assert 'aria-label="Where"' in shown and "<label" not in shown
    assert '<option value="">Anywhere</option>' in shown


def test_every_word_that_a_page_explains_stands_in_the_glossary() -> None:
    explained = anchors(ROOT / "docs" / "glossary.md")
    assert set(TERMS) <= explained
    asked = {
        term
        for path in tracked("templates/*.html")
        for terms in ASKED.findall(path.read_text())
        for term in terms
        if term
    }
    assert asked | {*KIND_TERMS.values()} == set(TERMS), "each is asked for on a page"


def test_a_question_mark_leads_to_the_word_and_is_named_after_it() -> None:
    shown = help("permit")
    assert 'href="/docs/glossary.html#permit"' in shown
    assert 'aria-label="What is a permit?"' in shown


def test_every_guide_that_a_page_links_to_is_one() -> None:
    linked = {
        (path.name, *found)
        for path in tracked("templates/**/*.html")
        for found in GUIDE.findall(path.read_text())
    }
    assert ("secret.html", "webhooks.html", "verifying") in linked
    for where, guide, heading in sorted(linked):
        source = ROOT / "docs" / guide.replace(".html", ".md")
        assert guide.endswith(".html") and source.is_file(), f"{where}: {guide}"
        assert not heading or heading in anchors(source), f"{where}: {guide}#{heading}"


def test_commands_that_pages_show_name_what_they_need() -> None:
    for path in tracked("templates/**/*.html"):
        for line in path.read_text().splitlines():
            if "placet model register --" in line:
                assert "--project" in line and "--name" in line and "--from" in line, path
