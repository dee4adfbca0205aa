"""The document that is kept with a decision: it can be read again, and is never large."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.governance.gates.schema import SchemaChange
from apps.governance.queries.changes import Changes, DependencyRow, metric_row
from apps.governance.queries.records import (
    MAX_BYTES,
    LiveThen,
    LostPin,
    PinnedThen,
    ReleaseRecord,
    read,
    written,
)
from apps.governance.summaries import TAKEN, summary_of
from placet_verify import canonical
from tests.support.evidence import EVERY_KIND

LIVE = LiveThen("rel_1", 1, 1, inputs=2, packages=3, is_unjustified=False)


def record(metrics: int = 1, packages: int = 1, evidence: int = 1, **more: Any) -> ReleaseRecord:
    changes = Changes(
        compared_with="churn:1",
        metrics=tuple(metric_row(f"m{n:079}", 0.25, 0.5, "reported") for n in range(metrics)),
        schema=(SchemaChange(side="input", name="age", change="is removed", breaking=True),),
        dependencies=tuple(DependencyRow(f"p{n}", "1", "2") for n in range(packages)),
        dependency_count=packages,
        policy_live=1,
        policy_proposed=2,
        serving=(("replicas", 1, 2), ("egress", None, ["db:5432"])),
    )
    pins = tuple(
        PinnedThen("document", "reported", f"sha256:{n}", {"title": "é" * 200})
        for n in range(evidence)
    )
    lost = (LostPin("metrics", "sha256:00"),)
    return replace(ReleaseRecord(changes, LIVE, False, 2, pins, lost), **more)


def again(text: str) -> ReleaseRecord:
    found = read(text)
    assert found is not None
    return found


def test_what_was_written_is_read_again() -> None:
    for one in (record(), record(live=None, is_stopped=True), record(metrics=0)):
        assert read(written(one)) == one


def test_it_has_a_salt_so_that_its_digest_tells_nothing() -> None:
    assert written(record()) != written(record())


@pytest.mark.parametrize("many", ["metrics", "packages", "evidence"])
def test_it_is_never_large_and_counts_what_it_leaves_out(many: str) -> None:
    whole = record(**{many: 5000})
    text = written(whole)
    assert len(text.encode()) <= MAX_BYTES
    kept = again(text)
    name = {"packages": "dependencies"}.get(many, many)
    held = kept.evidence if many == "evidence" else getattr(kept.changes, name)
    assert held and len(held) + kept.left_out[name] == 5000
    assert kept.changes.dependency_count == whole.changes.dependency_count


def test_a_value_that_is_too_large_is_left_out_by_itself() -> None:
    whole = record()
    serving = (*whole.changes.serving, ("variables", {}, {"A": "x" * 5000}))
    kept = again(written(replace(whole, changes=replace(whole.changes, serving=serving))))
    assert [name for name, _, _ in kept.changes.serving] == ["replicas", "egress"]
    assert kept.left_out == {"serving": 1}


def test_names_without_an_end_are_cut() -> None:
    whole = record()
    metrics = (metric_row("é" * 10**6, None, 1.0, "reported"),)
    kept = again(written(replace(whole, changes=replace(whole.changes, metrics=metrics))))
    assert kept.changes.metrics[0].name.endswith("é…")
    assert kept.left_out == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("kind", [*TAKEN, "data_quality", "metrics", "unheard of"])
@given(data=st.dictionaries(st.text(), JSON, max_size=4), base=st.booleans())
def test_whatever_evidence_holds_its_summary_can_be_kept(
    kind: str, data: dict[str, Any], base: bool
) -> None:
    data = (EVERY_KIND.get(kind, {}) if base else {}) | data
    assert len(canonical.dumps(summary_of(kind, data))) < 4096
