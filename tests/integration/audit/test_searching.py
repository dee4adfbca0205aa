"""The log is searched by what people know: names, groups of kinds, words, days."""

import json
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from structlog.contextvars import bound_contextvars

from apps.assurance.actions import recall
from apps.assurance.models import Recall
from apps.audit.actions import record
from apps.audit.events import EventKind, declared, fields_of, kinds
from apps.audit.kind_groups import GROUPS
from apps.audit.models import Event, LogHead
from apps.audit.queries import EventFilter, events_exportable, events_visible, newest
from apps.audit.queries.filtering import by_name
from apps.audit.sayings import found_saying
from apps.governance.events import FREEZE_SET, RELEASE_DECIDED, RELEASE_ROLLED_BACK
from apps.governance.models import Release
from apps.identity.events import PROJECT_UPDATED, ROLE_GRANTED
from apps.identity.models import User
from apps.monitoring.actions.alerts import AlertFinding, open_alert
from apps.monitoring.actions.objectives import set_objective
from apps.monitoring.models import AlertKind
from apps.monitoring.rules import ObjectiveTerms
from apps.registry.actions import set_alias
from apps.registry.models import ModelVersion
from apps.rollouts.actions.scheduling import schedule_drills
from apps.serving.actions import issue_endpoint_key
from apps.serving.events import REVISION_CHANGED
from apps.serving.models import Endpoint, Revision
from placet.kernel.actor import INSTANCE, SYSTEM, Actor, Grant, Scope
from placet.kernel.clock import now
from placet.kernel.problems import InvalidInput
from tests.support.factories import (
    actor_of,
    api,
    browser,
    grant,
    person,
    project,
    service_account,
    team,
    token_for,
)
from tests.support.nodes import SimulatedNode
from tests.support.page_text import text_of
from tests.support.plans import analyze
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db


def found(actor: Actor, **names: str) -> set[str]:
    events = events_visible(actor, by_name(EventFilter(), actor, **names))
    return set(events.values_list("kind", flat=True))


def found_of(actor: Actor, row: Recall) -> set[str]:
    """Return the kinds of what came of a recall."""
    events = events_visible(actor, by_name(EventFilter(cause=row.pk), actor))
    return set(events.values_list("kind", flat=True))


def test_every_kind_is_in_one_group() -> None:
    placed = [family for group in GROUPS.values() for family in group.families]
    assert len(placed) == len(set(placed))
    declared = {name.split(".")[0] for name in kinds() if not name.startswith("test.")}
    assert declared <= set(placed)


def kinds_saying(text: str) -> set[str]:
    return {saying.kind for saying in found_saying(text)}


def test_words_are_looked_for_in_what_kinds_say() -> None:
    assert "rollout.rollback_started.v1" in kinds_saying("rolling BACK")
    assert "drill.started.v1" in kinds_saying("rollback test")
    assert kinds_saying("no kind says this") == set()


def test_no_kind_is_found_by_a_word_that_none_of_its_sentences_can_show() -> None:
    assert kinds_saying("draining") == {"revision.changed.v1"}, "and not what reads: Went live"
    assert "recall.lifted.v1" not in kinds_saying("lifted")
    assert kinds_saying("weight") == kinds_saying("…") == set()


def test_numbers_are_passed_over_and_alone_find_nothing() -> None:
    assert found_saying("2 releases revoked") == found_saying("releases revoked") != []
    assert found_saying("3") == found_saying("60%") == []


def test_every_sentence_is_found_by_its_words_with_any_value_that_is_one_of_a_few() -> None:
    for name, kind in kinds().items():
        for template in kind.templates:
            closed = {one: kind.words[one] for one in fields_of(template) if one in kind.words}
            for chosen in product(*closed.values()):
                data = dict(zip(closed, chosen, strict=True))
                line = EventKind(name, template).line(data).replace("…", "")
                assert name in kinds_saying(line) or not line.strip(" :"), line


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("withdraw", "recall.lifted"),
        ("withdraw version", "recall.lifted"),
        ("withdrawn recall", "recall.lifted"),
        ("Withdrew the recall", "recall.lifted"),
        ("lift", "freeze.lifted"),
        ("give role", "role.granted"),
        ("gave", "role.granted"),
        ("granted", "role.granted"),
        ("took the role", "role.revoked"),
        ("to the team", "team.member_added"),
        ("freeze", "freeze.set"),
        ("superseded", "release.superseded"),
        ("rolling out release", "rollout.started"),
        ("back to release", "rollout.rollback_started"),
    ],
)
def test_a_verb_finds_what_was_done_however_people_ask(text: str, kind: str) -> None:
    assert f"{kind}.v1" in kinds_saying(text)


class TestByName:
    """A release behind the endpoint ``churn``, of the model ``age``; and one of other names."""

    @pytest.fixture
    def eve(self, world: World) -> Actor:
        bento = world.bento(world.version("age"))
        world.decide(world.request("staging", bento, endpoint="churn"), world.rex)
        world.request("staging", world.bento(world.version("other")), endpoint="elsewhere")
        return actor_of(person("Eve", {"auditor": None}))

    def test_a_person_is_found_by_a_part_of_their_name(self, eve: Actor) -> None:
        kinds = found(eve, person="rex ri")
        assert "release.decided.v1" in kinds
        assert "release.requested.v1" not in kinds
        assert found(eve, person="nobody") == set()

    def test_a_person_is_found_by_their_id_and_address(self, eve: Actor, world: World) -> None:
        for who in (world.rita.id, world.people["Rita"].email.upper(), world.rex.id):
            kinds = found(eve, person=who)
            assert ("release.decided.v1" in kinds) == (who == world.rex.id)
        assert "release.decided.v1" in found(eve, person=world.people["Rex"].email)
        assert found(eve, person=f"per_{'0' * 32}") == set()

    def test_who_does_not_see_access_finds_nobody_by_address_but_themselves(
        self, eve: Actor, world: World
    ) -> None:
        seen = Grant("audit.view", Scope(world.project.pk))
        rex = Actor(kind="person", id=world.rex.id, grants=frozenset({seen}))
        assert found(rex, person=world.people["Ada"].email) == set()
        assert "release.decided.v1" in found(rex, person=world.people["Rex"].email)
        assert "release.requested.v1" in found(rex, person=world.ada.id)

    def test_nobody_is_left_out_because_many_are_called_so(
        self, eve: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("apps.assurance.queries.called.PEOPLE", 1)
        assert "release.decided.v1" in found(eve, person="rex ri")
        with pytest.raises(InvalidInput) as refused:
            found(eve, person="risk")
        assert refused.value.errors[0].pointer == "person"

    @pytest.mark.parametrize("thing", ["churn", "age", "age:1"])
    def test_an_object_is_found_with_what_belongs_to_it(self, thing: str, eve: Actor) -> None:
        kinds = found(eve, thing=thing)
        assert "release.decided.v1" in kinds
        assert ("endpoint.created.v1" in kinds) is (thing == "churn")
        assert ("model.created.v1" in kinds) is (thing == "age")

    @pytest.mark.parametrize("thing", ["churn", "age", "age:1"])
    def test_a_name_with_its_project_before_it_finds_the_same_there_alone(
        self, thing: str, eve: Actor
    ) -> None:
        assert found(eve, thing=f"risk/{thing}") == found(eve, thing=thing)
        assert found(eve, thing=f"next-door/{thing}") == found(eve, thing=f"/{thing}x") == set()

    @pytest.mark.parametrize("thing", ["Nora", "nora mira", "Night shift", "robot"])
    def test_who_was_given_a_role_is_found_by_name(
        self, thing: str, eve: Actor, world: World
    ) -> None:
        nora = person("Nora Mira", {"operator": world.project})
        team("Night shift", nora, roles={"viewer": world.project})
        service_account("robot", nora, roles={"viewer": world.project})
        person("Eleonora", {"viewer": world.project})
        wanted = by_name(EventFilter(kind="role.granted"), eve, thing=thing)
        assert events_visible(eve, wanted).count() == 1
        ed = actor_of(person("Ed", {"auditor": world.project}))
        assert events_visible(ed, by_name(wanted, ed, thing=thing)).count() == 1
        blind = replace(ed, grants=frozenset(g for g in ed.grants if "access" not in g.permission))
        assert not events_visible(blind, by_name(wanted, blind, thing=thing)).exists()

    def test_nobody_called_so_is_left_out_of_an_object(
        self, eve: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("apps.assurance.queries.called.PEOPLE", 1)
        with pytest.raises(InvalidInput) as refused:
            found(eve, thing="risk")
        assert refused.value.errors[0].pointer == "object"

    def test_an_endpoint_is_found_with_its_objective_alerts_keys_and_rollback_tests(
        self, eve: Actor, world: World
    ) -> None:
        at = Endpoint.objects.get(name="churn")
        issue_endpoint_key(at, name="till 3", actor=SYSTEM)
        set_objective(at, terms=ObjectiveTerms(latency_ms=100), actor=SYSTEM)
        schedule_drills(at, every_days=7, hour=3, actor=SYSTEM)
        open_alert(AlertFinding(AlertKind.REPLICAS, at.pk, "churn", "x", at), actor=SYSTEM)
        found_kinds = found(eve, thing="churn")
        for kind in ("endpoint.key_issued", "objective.set", "drill.scheduled", "alert.opened"):
            assert f"{kind}.v1" in found_kinds
            assert f"{kind}.v1" not in found(eve, thing="elsewhere")

    def test_a_version_is_found_with_its_recall_builds_and_aliases(
        self, eve: Actor, world: World
    ) -> None:
        version = ModelVersion.objects.get(model__name="age")
        set_alias(version.model, name="champion", version=version, actor=SYSTEM)
        said: dict[str, Any] = {"kind": "version", "what": version.pk, "reason": "leak"}
        recall(**said, project=world.project, actor=world.otto)
        for thing in ("age:1", "age", "churn"):
            kinds = found(eve, thing=thing)
            assert {"recall.created.v1", "release.revoked.v1", "release.decided.v1"} <= kinds
        assert "alias.set.v1" in found(eve, thing="age:1")
        assert "recall.created.v1" not in found(eve, thing="other:1")
        nina = actor_of(person("Nina", {"auditor": project("next-door")}))
        assert found(nina, thing="age:1") == set()

    def test_a_recall_of_a_bento_is_found_by_the_version_that_it_was_built_from(
        self, eve: Actor, world: World
    ) -> None:
        bento = Release.objects.get(endpoint__name="churn").bento_id
        said: dict[str, Any] = {"kind": "bento", "what": bento, "reason": "made on a laptop"}
        recall(**said, project=world.project, actor=world.otto)
        assert "recall.created.v1" in found(eve, thing="age:1")

    def test_who_asked_for_what_placet_did_is_found_by_name(self, eve: Actor, world: World) -> None:
        release = Release.objects.get(endpoint__name="churn")
        with record(SYSTEM) as log:
            data = {"number": release.number, "asked_by": world.otto.id}
            log.add(RELEASE_ROLLED_BACK, release, data=data)
        assert "release.rolled_back.v1" in found(eve, person="Otto ri")
        assert "release.rolled_back.v1" not in found(eve, person="Rex ri")

    @pytest.mark.parametrize("thing", ["other", "age:2", "age:x", ":", "age:99999999999", "%"])
    def test_what_is_called_otherwise_is_not(self, thing: str, eve: Actor) -> None:
        assert "release.decided.v1" not in found(eve, thing=thing)

    def test_page_export_and_api_find_the_same(self, eve: Actor, world: World) -> None:
        who = {"person": "rex"}
        page = text_of(
            browser(person("Fay", {"auditor": None})).get("/audit/", who).content.decode()
        )
        assert "as reviewer: approved by Rex risk" in page
        assert "Requested release" not in page
        client = api(person("Gil", {"auditor": None}))
        items = client.get("/audit/events?person=rex").json()["items"]
        kinds = {item["kind"] for item in items}
        assert "release.decided.v1" in kinds
        lines = b"".join(client.get("/audit/export?person=rex&by_people=true")).splitlines()
        assert len(lines) == len(items)
        assert all(b'"actor_id":"per_' in line.replace(b"\\", b"") for line in lines)


class TestWhatARecallDid:
    """Otto recalls a version that serves, in one request."""

    @pytest.fixture
    def still(self, first_release: Release) -> None:
        """The clock was set back: the time of the log stands still."""
        LogHead.objects.update(at=now() + timedelta(hours=1))

    @pytest.fixture
    def recalled(self, first_release: Release, world: World) -> Recall:
        said: dict[str, Any] = {"what": first_release.version_id, "reason": "leak"}
        with bound_contextvars(request_id="req-otto"):
            return recall(kind="version", **said, project=world.project, actor=world.otto)

    @pytest.fixture
    def eve(self) -> Actor:
        return actor_of(person("Eve", {"auditor": None}))

    def test_all_that_came_of_it_is_found_by_it(self, recalled: Recall, eve: Actor) -> None:
        before = {"release.requested.v1", "release.decided.v1", "revision.added.v1"}
        wanted = by_name(EventFilter(cause=recalled.pk), eve)
        kinds = [event.kind for event in events_visible(eve, wanted).order_by("index")]
        assert kinds[-1] == "recall.created.v1"
        assert {"release.revoked.v1", "endpoint.stopped.v1", "alert.opened.v1"} <= set(kinds)
        assert before.isdisjoint(kinds)
        assert [one.index for one in newest(eve, wanted, 3, None)] == sorted(
            events_visible(eve, wanted).values_list("index", flat=True), reverse=True
        )[:3]

    def test_that_an_older_release_is_live_again_is_found_by_it_too(
        self, first_release: Release, story: Story, eve: Actor
    ) -> None:
        second = story.live()
        row = recall(
            kind="version",
            what=second.version_id,
            reason="leak",
            project=story.world.project,
            actor=story.otto,
        )
        story.settle()
        first_release.refresh_from_db()
        assert first_release.state == "live"
        wanted = by_name(EventFilter(cause=row.pk), eve)
        events = events_visible(eve, wanted).order_by("index")
        kinds = [event.kind for event in events]
        assert {"rollout.draining.v1", "release.restored.v1", "rollout.done.v1"} <= set(kinds)
        (restored,) = events.filter(kind="release.restored.v1")
        assert restored.subject == first_release.pk
        assert kinds.count("rollout.draining.v1") == 1, "not how it went out"
        assert sorted(one.index for one in newest(eve, wanted, 100, None)) == [
            event.index for event in events
        ]

    def test_what_nodes_signed_of_it_since_is_found_by_it_too(
        self, first_release: Release, world: World, node: SimulatedNode, eve: Actor
    ) -> None:
        revision = Revision.objects.select_related("endpoint").get()
        node.report(receipts=[node.ran(revision)])
        node.a_minute_later()
        said: dict[str, Any] = {"what": first_release.version_id, "reason": "leak"}
        row = recall(kind="version", **said, project=world.project, actor=world.otto)
        node.report(receipts=[node.ran(revision)])
        kept = Event.objects.filter(kind="receipt.kept.v1").order_by("index")
        assert len(kept) == 2
        wanted = by_name(EventFilter(cause=row.pk, kind="receipt"), eve)
        found_since = [event.index for event in newest(eve, wanted, 5, None)]
        assert found_since == [event.index for event in events_visible(eve, wanted)]
        assert found_since == [kept[1].index]

    @pytest.mark.usefixtures("still")
    def test_what_else_was_logged_in_that_moment_did_not_come_of_it(
        self, recalled: Recall, world: World, eve: Actor
    ) -> None:
        with bound_contextvars(request_id="req-other"), record(SYSTEM) as log:
            log.add(PROJECT_UPDATED, world.project)
        wanted = by_name(EventFilter(cause=recalled.pk), eve)
        kinds = set(events_visible(eve, wanted).values_list("kind", flat=True))
        assert "release.revoked.v1" in kinds
        assert "project.updated.v1" not in kinds
        assert "project.updated.v1" not in found(eve, person="Otto ri")

    def test_who_recalled_it_is_found_in_what_placet_did_for_it(
        self, recalled: Recall, eve: Actor
    ) -> None:
        assert "release.revoked.v1" in found(eve, person="Otto ri")
        assert "release.revoked.v1" not in found(eve, person="Rex ri")

    def test_a_recall_of_all_projects_is_not_told_to_who_reads_the_log_of_one(
        self, world: World, eve: Actor
    ) -> None:
        """What Placet did with it in their project they read, and not for whom."""
        two = "{gate: approvals, role: reviewer, count: 2}"
        world.policy("staging", f"version: 1\ngates: [{two}]\n")
        world.decide(world.request("staging"), world.rex)
        oda = person("Oda", {"operator": None})
        with bound_contextvars(request_id="req-oda"):
            row = recall(kind="person", what=world.rex.id, reason="x", actor=actor_of(oda))
        auditor = person("Ed", {"auditor": world.project})
        ed = actor_of(auditor)
        assert "release.uncounted.v1" in found(ed)
        assert "release.uncounted.v1" in found(eve, person="Oda")
        assert found(ed, person="Oda") == set()
        client = api(auditor)
        for asked in ("person=oda", f"actor={oda.pk}", f"cause={row.pk}"):
            assert client.get(f"/audit/events?{asked}").json()["items"] == []
            assert b"".join(client.get(f"/audit/export?{asked}")) == b""
        sees_all = {Grant("audit.view", INSTANCE), Grant("audit.export", Scope(world.project.pk))}
        copies = replace(ed, grants=frozenset(sees_all))
        wanted = by_name(EventFilter(), copies, person="Oda")
        assert not events_exportable(copies, wanted).exists()
        assert events_visible(copies, wanted).exists()

    @pytest.mark.parametrize("place", ["development", "staging"])
    def test_who_reads_the_log_of_an_environment_finds_what_a_recall_did_there(
        self, recalled: Recall, first_release: Release, world: World, place: str
    ) -> None:
        """The recall's own event is the project's, which they do not read; they see the recall."""
        emma = person("Emma", {"auditor": (world.project, place)})
        there = found_of(actor_of(emma), recalled)
        shown = text_of(browser(emma).get(f"/audit/?cause={recalled.pk}").content.decode())
        assert "This is not all of it: its other events are in places" in shown
        assert "recall.created.v1" not in there
        if place == first_release.environment.name:
            assert {"release.revoked.v1", "endpoint.stopped.v1"} <= there
            assert "Release 1 is revoked" in shown
        else:
            assert there == set()

    def test_nothing_is_said_to_be_left_out_of_what_a_recall_did_for_who_reads_all(
        self, recalled: Recall, world: World
    ) -> None:
        for where in (world.project, None):
            client = browser(person(f"Reads {where}", {"auditor": where}))
            page = client.get(f"/audit/?cause={recalled.pk}").content.decode()
            assert "This is not all of it" not in page and "Release 1 is revoked" in text_of(page)
        nina = browser(person("Nina", {"auditor": project("next-door")}))
        for other in (recalled.pk, f"rcl_{'0' * 32}"):
            page = nina.get(f"/audit/?cause={other}").content.decode()
            assert "No recall with this ID is visible to you." in page

    def test_recalls_elsewhere_push_none_out_of_a_search(
        self, recalled: Recall, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("apps.audit.queries.filtering.MOST_FOLLOWED", 1)
        with bound_contextvars(request_id="req-other"):
            version = World("other").version()
            otto = grant(world.people["Otto"], {"operator": version.model.project})
            said: dict[str, Any] = {"what": version.pk, "reason": "x", "actor": actor_of(otto)}
            recall(kind="version", **said, project=version.model.project)
        ed = actor_of(person("Ed", {"auditor": world.project}))
        assert "release.revoked.v1" in found(ed, person="Otto ri")

    def test_the_recall_and_its_event_lead_there(self, recalled: Recall, eve: Actor) -> None:
        client = browser(User.objects.get(pk=eve.id))
        at = f"/audit/?cause={recalled.pk}"
        event = Event.objects.get(kind="recall.created.v1").index
        for page in (f"/recalls/{recalled.pk}", f"/audit/{event}"):
            assert f'href="{at}"' in client.get(page, follow=True).content.decode()
        with CaptureQueriesContext(connection) as caught:
            shown = text_of(client.get(at).content.decode())
        assert len(caught) <= 12
        assert "Only what came of a recall" in shown
        assert "Requested release" not in shown
        assert f'href="/recalls/{recalled.pk}/"' in client.get(at).content.decode()
        assert client.get("/audit/?cause=a/b").status_code == 200

    def test_no_link_leads_to_a_recall_that_is_not_visible_or_is_none(
        self, recalled: Recall, first_release: Release
    ) -> None:
        elsewhere = browser(person("Ed", {"auditor": project("next-door")}))
        assert "/recalls/rcl_" not in elsewhere.get(f"/audit/?cause={recalled.pk}").content.decode()
        client = browser(person("Gil", {"auditor": None}))
        for other in (first_release.pk, f"rcl_{'0' * 32}"):
            shown = client.get(f"/audit/?cause={other}").content.decode()
            assert f"/recalls/{other}" not in shown and "Only what came of a recall" in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("is live with", ["Revision 1 is live with 60% of the traffic"]),
        ("handed all traffic over", ["Revision 2 handed all traffic over"]),
        ("warm", ["Revision 3 is warm, without traffic"]),
        ("Revision 3 failed", ["Revision 5 failed"]),
        ("ended", ["Revision 4 ended"]),
        ("draining", ["Revision 6 is draining, without traffic"]),
        ("traffic", [1, 2, 3, 6]),
        ("role reviewer", ["Granted the role reviewer"]),
        ("everywhere", ["Gave per_x the role auditor everywhere"]),
        ("as approver: rejected", ["Decision as approver: rejected"]),
    ],
)
def test_events_are_found_by_the_words_that_their_values_become(
    text: str, said: list[str | int], world: World
) -> None:
    changed: list[dict[str, Any]] = [
        {"number": 1, "state": "live", "weight": 6000},
        {"number": 2, "state": "live", "weight": 0},
        {"number": 3, "state": "warm", "weight": 0},
        {"number": 4, "state": "failed", "weight": 0},
        {"number": 5, "state": "failed", "weight": 0, "outcome": "failed"},
        {"number": 6, "state": "draining", "weight": 0},
    ]
    risk = project("searched")
    with record(SYSTEM) as log:
        for data in changed:
            log.add(REVISION_CHANGED, risk, data=data)
        log.add(ROLE_GRANTED, risk, data={"role": "reviewer"})
        log.add(ROLE_GRANTED, risk, data={"role": "auditor", "holder": "per_x"})
        for data in ({"verdict": "approve"}, {"verdict": "reject"}):
            log.add(RELEASE_DECIDED, risk, data={"role": "approver", **data})
    gil = actor_of(person("Gil", {"auditor": None}))
    wanted = EventFilter(text=text, project=risk.pk)
    found = events_visible(gil, wanted).order_by("index")
    bodies = [json.loads(event.body) for event in found]
    lines = [declared(body["kind"]).line(body["data"]) for body in bodies]
    numbers = [body["data"].get("number") for body in bodies]
    assert said in (lines, numbers)
    assert [one.index for one in newest(gil, wanted, 20, None)] == [event.index for event in found][
        ::-1
    ]


def test_nobody_finds_events_of_a_project_where_they_may_not_read_the_log(world: World) -> None:
    world.request("staging", world.bento(world.version("secret")))
    other = project("other")
    eve = actor_of(person("Eve", {"auditor": other, "viewer": world.project}))
    with record(SYSTEM) as log:
        log.add(PROJECT_UPDATED, other)
    for names in ({}, {"person": "ada"}, {"thing": "churn"}, {"thing": "secret"}):
        assert found(eve, **names) <= {"project.updated.v1", "project.created.v1"} | set(kinds())
        events = events_visible(eve, by_name(EventFilter(), eve, **names))
        assert set(events.values_list("project", flat=True)) <= {other.pk}


@pytest.mark.parametrize(
    ("query", "field"),
    [("group=nonsense", "group"), ("by_people=maybe", "by_people"), ("persons=ada", "persons")],
)
def test_what_cannot_be_asked_is_refused_by_name(query: str, field: str, world: World) -> None:
    answer = api(person("Eve", {"auditor": None})).get(f"/audit/events?{query}")
    assert answer.status_code == 400
    assert field in answer.content.decode()


@pytest.mark.parametrize(
    ("query", "at", "said", "kept"),
    [
        (
            "project=nowhere",
            "project",
            "None that you may see",
            '<option value="nowhere" selected>',
        ),
        ("environment=moon", "environment", "None that you may see", 'value="moon"'),
        ("kind=moon.landed", "kind", "No event is of this kind", 'value="moon.landed"'),
        ("group=moons", "group", "One of ", '<option value="moons" selected>'),
    ],
)
def test_a_refused_filter_is_said_at_its_field_on_the_page_of_the_log(
    query: str, at: str, said: str, kept: str, world: World
) -> None:
    client = browser(person("Eve", {"auditor": None}))
    answer = client.get(f"/audit/?text=approved&{query}")
    shown = " ".join(answer.content.decode().split())
    assert answer.status_code == 400
    assert "Nothing was searched" in shown and "No matching events" not in shown
    assert 'name="text" value="approved"' in shown
    assert kept in shown
    assert f'aria-describedby="{at}-fault" autofocus' in shown
    assert said in shown.split(f'id="{at}-fault"')[1].split("</ul>")[0]
    assert "Export</button>" not in shown


def test_a_refused_filter_keeps_the_project_that_there_is(world: World) -> None:
    client = browser(person("Eve", {"auditor": None}))
    shown = client.get("/audit/?project=risk&environment=moon").content.decode()
    assert f'<option value="{world.project.pk}" selected>' in " ".join(shown.split())


def test_who_may_not_read_the_log_is_told_nothing_of_a_filter(world: World) -> None:
    answer = browser(person("Ann", {"viewer": world.project})).get("/audit/?project=nowhere")
    assert answer.status_code == 403
    assert "events" not in answer.content.decode().split("<main")[1]


def test_days_are_looked_through_from_the_first_to_the_last(world: World) -> None:
    client = browser(person("Eve", {"auditor": None}))
    today = f"{now():%Y-%m-%d}"
    for asked, there in (
        ({"since": today, "until": today}, True),
        ({"until": "2020-01-01"}, False),
        ({"since": "2999-01-01"}, False),
        ({"until": "9999-12-31"}, True),
        ({"until": "2026-02-30"}, True),
    ):
        page = client.get("/audit/", asked).content.decode()
        assert ("No matching events" not in page) is there, asked


@pytest.mark.parametrize(
    "filters",
    [
        EventFilter(group="releases"),
        EventFilter(text="froze"),
        EventFilter(text="is draining"),
        EventFilter(actors=("per_1", "per_2")),
        EventFilter(subjects=("rel_1", "rel_2")),
        EventFilter(until=now().replace(year=2020)),
    ],
    ids=["group", "text", "state", "person", "object", "until"],
)
def test_nothing_goes_through_the_whole_log(filters: EventFilter) -> None:
    risk = project("risk")
    with record(SYSTEM) as log:
        log.add(FREEZE_SET, risk)
        log.add(REVISION_CHANGED, risk, data={"number": 1, "state": "draining", "weight": 0})
        for _ in range(2000):
            log.add(PROJECT_UPDATED, risk)
            log.add(REVISION_CHANGED, risk, data={"number": 1, "state": "warm", "weight": 0})
    eve = actor_of(person("Eve", {"auditor": None}))
    analyze("audit_event")
    plan = events_visible(eve, filters).order_by("-index")[:51].explain(analyze=True)
    assert "Seq Scan on audit_event" not in plan
    read = [
        int(line.split("Rows Removed by Filter: ")[1])
        for line in plan.splitlines()
        if "Rows Removed by Filter" in line
    ]
    assert sum(read) < 100, plan


def test_the_form_says_what_words_are_looked_for_in(world: World) -> None:
    shown = browser(person("Eve", {"auditor": None})).get("/audit/").content.decode()
    page = " ".join(text_of(shown).split())
    assert "Event looks through the words of what events say, with states, outcomes, roles" in page
    assert "It skips numbers, and does not look through names, through who did it or had it" in page
    assert "triggered by" in page and "asked by" in page
    assert "By people, or asked for by them" in page


def test_an_export_is_called_after_its_project_and_filters_and_the_day(world: World) -> None:
    today = f"{now():%Y-%m-%d}"
    client = api(person("Gil", {"auditor": None}))
    for query, name in (
        ("", f"placet-audit-{today}.jsonl"),
        (f"project={world.project.pk}&format=csv", f"placet-audit-risk-{today}.csv"),
        ("object=churn:3&kind=release", f"placet-audit-churn-3-release-{today}.jsonl"),
        ('person=a";b/../ä', f"placet-audit-a-b-{today}.jsonl"),
    ):
        answer = client.get(f"/audit/export?{query}")
        assert answer["Content-Disposition"] == f'attachment; filename="{name}"'


def test_a_projects_activity_is_exported_by_who_may(world: World) -> None:
    path, export = f"/projects/{world.project.slug}/activity/", "/api/v1/audit/export?"
    auditor = browser(person("Eve", {"auditor": world.project}))
    page = auditor.get(path).content.decode()
    assert f"{export}format=csv&amp;project={world.project.pk}" in page
    assert export not in browser(person("Vi", {"viewer": world.project})).get(path).content.decode()


@pytest.mark.parametrize(
    "asked",
    [
        "person=otto",
        "cause={recall}",
        "person=otto&subject=churn&text=recall",
        "person=risk&subject=churn&text=e&group=recalls&cause={recall}",
        "person=risk&subject=age:1&text=e&group=releases&cause={recall}",
        "person=double&subject=churn&text=e&group=people&cause={recall}",
        "person=double&subject=double&people=1",
    ],
)
def test_the_log_is_searched_in_twelve_queries(
    asked: str, first_release: Release, world: World, django_assert_max_num_queries: Any
) -> None:
    said: dict[str, Any] = {"kind": "version", "what": first_release.version_id, "reason": "leak"}
    row = recall(**said, project=world.project, actor=world.otto)
    for number in range(50 if "double" in asked else 0):
        person(f"Double {number}")
    client = browser(person("Eve", {"auditor": None}))
    client.get("/audit/")
    with django_assert_max_num_queries(12):
        assert client.get(f"/audit/?{asked.format(recall=row.pk)}").status_code == 200


@pytest.mark.parametrize("field", ["object", "person"])
@pytest.mark.parametrize("scopes", [["audit.export"], ["audit.view", "audit.export"]])
def test_a_token_finds_no_team_and_no_address_of_whom_it_may_not_know(
    world: World, field: str, scopes: list[str]
) -> None:
    """Also one that exports the log and does not read it."""
    team("Secret Crew", world.people["Vera"], roles={"approver": world.project})
    eve = token_for(person("Eve", {"auditor": world.project}), scopes=scopes)
    for name in ("vera.risk@example.com", *(["Secret+Crew", "Vera"] if field == "object" else [])):
        answer = api(eve).get(f"/audit/export?format=jsonl&{field}={name}")
        assert b"".join(answer.streaming_content) == b"", name
