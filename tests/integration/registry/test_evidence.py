"""Facts are added, never changed, and what Placet measured is not hidden by what was told."""

from datetime import timedelta
from typing import Any

import pytest

from apps.registry import actions, queries
from apps.registry.models import Evidence
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.problems import InvalidInput
from tests.integration.registry.helpers import Lab, sha256
from tests.support.factories import api

SCAN: dict[str, Any] = {"verdict": "code-carrying", "findings": [], "scanner": {"name": "walker"}}


def report(lab: Lab, version: Any, **body: Any) -> Any:
    return lab.api.post(f"{lab.at(version)}/evidence", body)


def test_ada_reports_metrics_and_victor_reads_them(lab: Lab) -> None:
    version = lab.finalised()
    answer = report(lab, version, kind="metrics", data={"auc": 0.9})
    assert answer.status_code == 201
    body = answer.json()
    assert (body["source"], body["data"]) == ("reported", {"auc": 0.9})
    assert body["digest"].startswith("sha256:")
    read = api(lab.victor).get(answer["Location"])
    assert read.json() == body
    listed = api(lab.victor).get(f"{lab.at(version)}/evidence?kind=metrics&source=reported")
    assert [item["id"] for item in listed.json()["items"]] == [body["id"]]
    assert lab.api.get(f"{lab.at(version)}/evidence?kind=scan").json()["items"] == []
    assert lab.api.get(f"{lab.at(version)}/evidence?kind=gossip").status_code == 400


def test_evidence_has_no_route_to_change_or_delete_it(lab: Lab) -> None:
    version = lab.finalised()
    address = report(lab, version, kind="metrics", data={"auc": 0.9})["Location"]
    for method in ("PUT", "PATCH", "DELETE"):
        assert lab.api.call(method, address, {}, if_match='"x"').status_code == 405


def test_nobody_but_placet_measures(lab: Lab) -> None:
    version = lab.finalised()
    answer = report(lab, version, kind="scan", data=SCAN, source="measured")
    assert answer.status_code == 403
    row = actions.add_evidence(version, kind="scan", data=SCAN, source="measured", actor=SYSTEM)
    assert row.source == "measured"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"kind": "metrics", "data": {"auc": "high"}}, "/data/auc"),
        ({"kind": "metrics", "data": {"auc": True}}, "/data/auc"),
        ({"kind": "gossip", "data": {}}, "/kind"),
        ({"kind": "scan", "data": {}}, "/data/verdict"),
        ({"kind": "metrics", "data": []}, "/data"),
        ({"kind": "metrics", "data": {"auc": 1}, "bento_digest": "x"}, "/bento_digest"),
        ({"kind": "metrics", "data": {"auc": 1}, "source": "guessed"}, "/source"),
    ],
)
def test_a_fact_that_is_none_is_refused(lab: Lab, body: dict[str, Any], pointer: str) -> None:
    answer = report(lab, lab.finalised(), **body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert not Evidence.objects.exists()


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_a_metric_that_is_no_number_does_not_get_in(lab: Lab, number: bytes) -> None:
    version = lab.finalised()
    raw = b'{"kind": "metrics", "data": {"auc": ' + number + b"}}"
    assert lab.api.post(f"{lab.at(version)}/evidence", raw=raw).status_code == 400
    with pytest.raises(InvalidInput):
        actions.add_evidence(version, kind="metrics", data={"auc": float("nan")}, actor=lab.actor)
    assert not Evidence.objects.exists()


def test_the_digest_is_over_the_fact_and_where_it_came_from(lab: Lab) -> None:
    version, other = lab.finalised(b"one"), lab.finalised(b"two")
    told = actions.add_evidence(version, kind="scan", data=SCAN, actor=lab.actor)
    again = actions.add_evidence(version, kind="scan", data=SCAN, actor=lab.actor)
    elsewhere = actions.add_evidence(other, kind="scan", data=SCAN, actor=lab.actor)
    measured = actions.add_evidence(
        version, kind="scan", data=SCAN, source="measured", actor=SYSTEM
    )
    assert told.digest == again.digest
    assert len({told.digest, elsewhere.digest, measured.digest}) == 3


def test_the_newest_of_each_kind_counts(lab: Lab) -> None:
    version = lab.finalised()
    old = actions.add_evidence(version, kind="metrics", data={"auc": 0.5}, actor=lab.actor)
    Evidence.objects.filter(pk=old.pk).update(created_at=now() - timedelta(days=40))
    actions.add_evidence(version, kind="metrics", data={"auc": 0.9}, actor=lab.actor)
    assert queries.latest_evidence(version)["metrics"].data == {"auc": 0.9}
    pinned = queries.latest_evidence(version, evidence_ids=[old.pk])
    assert pinned["metrics"].data == {"auc": 0.5}
    assert queries.latest_evidence(version, evidence_ids=[]) == {}


def test_what_was_told_never_hides_what_was_measured(lab: Lab) -> None:
    version = lab.finalised()
    actions.add_evidence(version, kind="scan", data=SCAN, source="measured", actor=SYSTEM)
    nicer = {**SCAN, "verdict": "safe"}
    actions.add_evidence(version, kind="scan", data=nicer, actor=lab.actor)
    assert queries.latest_evidence(version)["scan"].data["verdict"] == "code-carrying"
    reported = queries.latest_evidence(version, source="reported")
    assert reported["scan"].data["verdict"] == "safe"


def cards_of(version: Any) -> list[Any]:
    """Return what Placet took down of a version's card, the oldest first."""
    rows = Evidence.objects.filter(version=version, kind="model_card", source="measured")
    return [row.data["sha256"] for row in rows.order_by("created_at", "pk")]


def test_placet_takes_down_the_card_of_a_frozen_version_whenever_it_is_another(lab: Lab) -> None:
    first, second = "# For whom it is", "# And for whom not"
    version = lab.finalised(card=first)
    for card in (first, second, second, ""):
        actions.set_card(version, card=card, actor=lab.actor)
    assert cards_of(version) == [sha256(text.encode()) for text in (first, second, "")]
    assert {row.created_by for row in version.evidence.filter(kind="model_card")} == {SYSTEM.id}


def test_the_card_of_a_draft_is_no_evidence_yet_and_none_is_none(lab: Lab) -> None:
    draft = lab.draft()
    actions.set_card(draft, card="# Not yet", actor=lab.actor)
    bare = lab.finalised(b"bare")
    actions.set_card(bare, card="", actor=lab.actor)
    assert cards_of(draft) == cards_of(bare) == []
    actions.set_card(bare, card="# Later", actor=lab.actor)
    assert len(cards_of(bare)) == 1
