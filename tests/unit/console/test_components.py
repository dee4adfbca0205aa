"""The parts that every page is made of."""

from apps.console.templatetags.components import choice

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
