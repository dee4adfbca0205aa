"""How bodies of evidence are shown: by their kind, and whatever somebody wrote into one."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
from django.template.loader import render_to_string
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from apps.console.queries.evidence_blocks import LETTERS, ROWS, Allowance, Block, said
from apps.console.queries.evidence_bodies import RENDERERS, Beside, body
from apps.console.queries.evidence_words import LONGEST, cut, evidence_tone, evidence_words
from apps.governance.gates.facts import EvidenceFact
from apps.registry.models import Evidence
from apps.registry.rules import KINDS
from tests.support.evidence import EVERY_KIND
from tests.support.page_text import Lines

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
TAGS = {"h3", "dl", "dt", "dd", "div", "table", "thead", "tbody", "tr", "th", "td", "span", "svg"}
TAGS |= {"rect", "p", "button"}
MOST = 500_000  # letters of HTML that the bodies on one page come to
BESIDE = Beside(version=SimpleNamespace(example=[{"age": 1}], expected=None, card=""))  # type: ignore[arg-type]
odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "passed", "path", "a@b", "c@b"]), inner)
        | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=12,
)
MEMBERS = sorted({name for kind in EVERY_KIND.values() for name in kind} | {"groups", "errors"})
bodies = st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=6), odd, max_size=8)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def fact(kind: str, data: Any) -> EvidenceFact:
    return EvidenceFact(kind, "reported", data, "sha256:" + "0" * 64, NOON)


def shown(kind: str, data: Any, beside: Beside = BESIDE) -> str:
    """Return the HTML of a body."""
    blocks = Allowance().fit(body(fact(kind, data), beside))
    return render_to_string("console/evidence/blocks.html", {"blocks": blocks})


def text(kind: str, data: Any, beside: Beside = BESIDE) -> str:
    """Return what a body says, a line for each block, joined."""
    lines = Lines()
    lines.feed(f"<main>{shown(kind, data, beside)}</main>")
    return " | ".join(lines.lines)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found = set[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag, and that none does anything by itself."""
        self.found.add(tag)
        assert not [n for n, _ in attrs if n.startswith("on") or n == "style"]


@pytest.mark.parametrize("kind", [*KINDS, "unheard of"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=bodies, base=st.booleans())
@example(data={"checks": nested(5000)}, base=False)
@example(data={f"{n}": {"a": n, "b": [n]} for n in range(20_000)}, base=True)
@example(data={"metrics": {f"m{n}@g{n % 7}": n for n in range(900)}}, base=True)
@example(data={"findings": [{"path": "x" * 5000, "what": "y" * 5000}] * 5000}, base=True)
@example(data={"verdict": "<script>alert(1)</script>", "title": "\u202e" * 400}, base=True)
@example(data={"rows": 10**40, "requests": -(10**40), "seconds": float("inf")}, base=True)
def test_whatever_a_body_holds_it_is_shown_plain_and_bounded(
    kind: str, data: dict[str, Any], base: bool
) -> None:
    data = (EVERY_KIND.get(kind, {}) if base else {}) | data
    blocks = Allowance().fit(body(fact(kind, data), BESIDE))
    assert all(len(block.rows) <= ROWS for block in blocks)
    html = render_to_string("console/evidence/blocks.html", {"blocks": blocks})
    assert len(html) <= MOST
    tags = Tags()
    tags.feed(html)
    assert tags.found <= TAGS
    html.encode()
    row = Evidence(kind=kind, source="measured", bento_digest="sha256:bb", data=data)
    assert len(evidence_words(row, {})) <= LONGEST
    assert evidence_tone(row) in ("pass", "wait", "fail", "plain")


def test_every_kind_has_a_renderer_and_leaves_nothing_of_the_usual_out() -> None:
    assert set(RENDERERS) == set(KINDS)
    for kind, data in EVERY_KIND.items():
        assert "not shown here" not in text(kind, data), kind


def test_the_groups_of_fairness_stand_beside_their_measures_with_the_gap() -> None:
    assert text("fairness", EVERY_KIND["fairness"]) == (
        "Group | approval_rate | recall"
        " | Gap, largest to smallest | 0.03 | 0.09"
        " | 30 and above | 0.34 | 0.71"
        " | below 30 | 0.31 | 0.62"
        " | Measure | Value | equal_opportunity_difference | 0.09"
    )
    told = {
        "attribute": "sex",
        "metrics": {"gap": 0.1},
        "groups": {"f": {"tpr": 0.9}, "m": {"tpr": 1}},
    }
    assert "Gap, largest to smallest | 0.1 | f | 0.9 | m | 1" in text("fairness", told)


def test_of_many_measures_by_group_the_first_are_shown_and_the_others_counted() -> None:
    metrics = {f"m{number:03}@{group}": number for number in range(100) for group in "ab"}
    said_of = text("fairness", {"attribute": "sex", "metrics": metrics})
    assert "Group | m008 | m009 | m010 | m011 | Gap, largest to smallest | 0" in said_of
    assert "m012" not in said_of
    assert "88 more not shown here." in said_of


def test_contributions_are_bars_the_largest_first_whatever_their_sign() -> None:
    usual = EVERY_KIND["explainability"]
    columns = "Feature | Contribution | Relative"
    values = "late_payments | 0.068 | income | 0.024 | age | −0.017"
    assert text("explainability", usual).endswith(f"{columns} | {values}")
    html = shown("explainability", usual)
    assert html.count('class="new"') == 2
    assert html.count('class="old"') == 1
    assert 'width="100.0%"' in html


def test_failed_checks_stand_first_and_say_how_many_passed() -> None:
    said_of = text("data_quality", EVERY_KIND["data_quality"])
    assert "Rows | 4,200" in said_of
    assert said_of.index("age within 18 and 100") < said_of.index("no nulls in income")
    assert "✕ Failed | found: 3" in said_of


def test_a_load_test_says_its_share_of_errors_its_throughput_and_its_latencies_in_order() -> None:
    said_of = text("load_test", EVERY_KIND["load_test"])
    assert (
        "Requests | 12,000 | Failed | ▲ 6 (0.05%) | Throughput | 380.5 requests a second" in said_of
    )
    assert said_of.index("p50 | 12.25 ms") < said_of.index("p95 | 41.5 ms")
    assert "Also reported | Errors | 503: 6" in said_of


def test_a_latency_too_short_to_show_is_told_to_be_shorter() -> None:
    short = {"requests": 1, "failed": 0, "p50_ms": 1e-05, "p95_ms": 0}
    said_of = text("load_test", short)
    assert "p50 | < 0.01 ms" in said_of and "p95 | 0 ms" in said_of


def test_findings_of_a_scan_stand_by_file_the_gravest_first() -> None:
    said_of = text("scan", EVERY_KIND["scan"])
    assert "Files | 2 | Scanner | placet 3, picklescan 1.0.5 | File | Finding | Verdict" in said_of
    assert said_of.index("churn.load") < said_of.index("sklearn.tree.build")
    assert text("scan", {"verdict": "safe", "findings": [], "scanner": {}}) == ""


def test_a_smoke_test_shows_what_was_sent_and_expected_and_that_starts_is_weaker() -> None:
    version: Any = SimpleNamespace(example=[{"age": 41}, {"age": 7}], expected=[0, 0], card="")
    said_of = text("smoke_test", EVERY_KIND["smoke_test"], Beside(version=version))
    assert "Found | Row 1 is 1, expected 0 | Ran | in a sandbox | Took | 4.2 s" in said_of
    assert "Row | Sent | Expected | 0 | age: 41 | 0 | 1 | age: 7 | 0" in said_of
    equal = text("smoke_test", {"result": "equal", "rows": 1, "equal": 1}, Beside(version=version))
    assert equal == "Row | Sent | Expected | Answered | 0 | age: 41 | 0 | as expected"
    version.expected = None
    started = {"result": "starts", "rows": 2, "equal": 0}
    said_of = text("smoke_test", started, Beside(version=version))
    assert "Worth | weaker than a comparison: nothing says what it should answer" in said_of
    assert "1 | age: 7 | – | not compared" in said_of


def test_what_is_more_than_a_page_holds_is_counted() -> None:
    many = {f"metric_{n}": n for n in range(500)}
    assert "450 more not shown here." in text("metrics", many)
    room = Allowance(100)
    blocks = room.fit(body(fact("metrics", many), BESIDE))
    assert [len(block.rows) + block.more for block in blocks] == [500]
    assert room.fit(body(fact("document", EVERY_KIND["document"]), BESIDE))[0].more == 3
    assert room.text("of this nothing") == ""


def test_a_table_of_many_columns_says_how_many_are_left_out() -> None:
    wide = {"runs": [{f"column {n}": n for n in range(9)}]}
    assert "Runs, 4 of 9 columns" in text("unheard of", wide)


def test_values_are_said_as_people_read_them() -> None:
    assert [said(v) for v in (None, True, 1234, 0.5, "a\nb", {"a": 1}, [1, 2])] == [
        *("–", "yes", "1,234", "0.5", "a b", "a: 1", "[1, 2]")
    ]
    assert 'data-copy="sha256:' in said("sha256:" + "0" * 64)
    assert cut("x" * 200, 5) == "xxxx…"
    assert cut("\u202eevil", 10) == " evil"
    assert LETTERS < MOST


def test_blocks_without_a_row_are_not_shown() -> None:
    assert Allowance().fit([Block((), 0)]) == []
