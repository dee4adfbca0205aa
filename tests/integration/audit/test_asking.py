"""The log is asked as people write places, kinds and names, and says what it cannot be asked."""

from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.actions import record
from apps.audit.models import Event
from apps.audit.queries import EventFilter, events_visible
from apps.audit.queries.filtering import by_name
from apps.governance.models import Release
from apps.identity.actions.teams import delete_team, remove_member
from apps.identity.events import PROJECT_UPDATED
from apps.identity.models import RoleBinding
from apps.registry.actions import place_hold, release_hold, set_alias
from apps.registry.actions.uploads import cancel_upload, start_upload
from apps.serving.actions.prefetching import prefetch, release_prefetch
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.problems import InvalidInput
from tests.support.factories import actor_of, api, browser, person, project, team, token_for
from tests.support.page_text import text_of
from tests.support.plans import analyze, rows_read
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def release(world: World) -> Release:
    """Ada has asked to serve behind ``churn`` in staging."""
    return world.request("staging", world.bento(world.version("age")), endpoint="churn")


def asked(actor: Actor, thing: str = "", **fields: Any) -> list[int]:
    wanted = by_name(EventFilter(**fields), actor, thing=thing)
    return sorted(events_visible(actor, wanted).values_list("index", flat=True))


def test_a_place_is_asked_for_by_slug_and_as_project_and_environment(
    world: World, release: Release
) -> None:
    slug, ed = world.project.slug, actor_of(person("Ed", {"auditor": world.project}))
    there = asked(ed, project=world.project.pk)
    in_staging = asked(ed, project=world.project.pk, environment="staging")
    assert asked(ed, project=slug) == there
    assert len(there) > len(in_staging) > 0
    for fields in (
        {"project": f"{slug}/staging"},
        {"environment": f"{slug}/staging"},
        {"project": slug, "environment": "staging"},
    ):
        assert asked(ed, **fields) == in_staging


def test_page_api_and_export_take_the_same_places(world: World, release: Release) -> None:
    slug, ed = world.project.slug, person("Ed", {"auditor": world.project})
    client = api(ed)
    by_id = client.get(f"/audit/events?project={world.project.pk}").json()
    assert client.get(f"/audit/events?project={slug}").json()["items"] == by_id["items"] != []
    file = client.get(f"/audit/export?project={slug}/staging&format=jsonl")
    assert b"release.requested" in b"".join(file)
    assert "placet-audit-risk-staging-" in file["Content-Disposition"]
    page = browser(ed).get("/audit/", {"environment": f"{slug}/staging"}).content.decode()
    assert "Requested release" in text_of(page)
    assert "Only what happened in the environment staging" in text_of(page)
    assert f'<option value="{world.project.pk}" selected' in page


def test_a_token_that_reads_the_log_alone_names_its_project_too(world: World) -> None:
    token = token_for(person("Ed", {"auditor": world.project}), scopes=["audit.view"])
    assert api(token).get(f"/audit/events?project={world.project.slug}").json()["items"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "bogus"}, "kind"),
        ({"kind": "release.bogus"}, "kind"),
        ({"group": "bogus"}, "group"),
        ({"project": "nowhere"}, "project"),
        ({"project": "nowhere/staging"}, "project"),
        ({"project": "risk/nowhere"}, "environment"),
        ({"project": "risk/staging/churn"}, "environment"),
        ({"project": "/staging"}, "project"),
        ({"environment": "nowhere"}, "environment"),
        ({"project": "risk", "environment": "risk/staging"}, "environment"),
    ],
)
def test_what_cannot_be_is_refused_by_the_name_of_its_field(
    fields: dict[str, str], field: str, world: World
) -> None:
    eve = person("Eve", {"auditor": None})
    with pytest.raises(InvalidInput) as refused:
        asked(actor_of(eve), **fields)
    assert [error.pointer for error in refused.value.errors] == [field]
    query = urlencode(fields)
    for answer in (
        api(eve).get(f"/audit/events?{query}"),
        api(eve).get(f"/audit/export?{query}"),
        browser(eve).get("/audit/", fields),
    ):
        assert answer.status_code == 400
        assert refused.value.errors[0].detail[:40] in answer.content.decode()


@pytest.mark.parametrize("kind", ["release", "release.", "release.requested", "audit.exported.v1"])
def test_a_kind_is_asked_for_by_its_beginning_up_to_a_dot(kind: str, world: World) -> None:
    eve = person("Eve", {"auditor": None})
    assert browser(eve).get("/audit/", {"kind": kind}).status_code == 200


def test_a_project_next_door_is_answered_as_one_that_is_not_there(world: World) -> None:
    hidden = project("next-door")
    ed = api(person("Ed", {"auditor": world.project}))
    for text in ("{}", "{}/staging"):
        answers = []
        for one in ("next-door", hidden.pk, "nowhere", f"prj_{'0' * 32}"):
            answer = ed.get(f"/audit/events?project={text.format(one)}")
            answers.append((answer.status_code, answer.json()["errors"]))
        assert answers == [answers[0]] * 4 and answers[0][0] == 400


def test_about_takes_an_endpoint_an_environment_and_a_project_as_people_write_them(
    world: World, release: Release
) -> None:
    ed = actor_of(person("Ed", {"auditor": world.project}))
    about = asked(ed, "risk/staging/churn")
    assert about == asked(ed, "risk/churn") != []
    for thing in ("risk/production/churn", "nowhere/staging/churn", "risk/staging/churn/x"):
        assert asked(ed, thing) == [], thing
    kinds = {}
    for thing in ("risk", "risk/staging"):
        wanted = by_name(EventFilter(), ed, thing=thing)
        kinds[thing] = set(events_visible(ed, wanted).values_list("kind", flat=True))
    assert "project.created.v1" in kinds["risk"]
    assert {"environment.created.v1", "policy.published.v1"} <= kinds["risk/staging"]
    nina = actor_of(person("Nina", {"auditor": project("next-door")}))
    assert asked(nina, "risk") == asked(nina, "risk/staging") == []


@pytest.mark.parametrize("part", ["", "project", "environment"])
def test_who_reads_a_part_of_the_log_is_told_that_the_rest_is_not_visible(
    part: str, world: World
) -> None:
    project = world.project if part else None
    place = (project, "staging") if part == "environment" else project
    page = browser(person("Ed", {"auditor": place})).get("/audit/").content.decode()
    said = "Any others are not visible to you." in " ".join(text_of(page).split())
    assert said is bool(part)


def test_a_person_is_found_with_the_deletion_of_the_team_that_they_were_in(world: World) -> None:
    """By id and by name; who had left it before has nothing to do with that."""
    rex, vera = world.people["Rex"], world.people["Vera"]
    crew = team("Night Crew", rex, vera, roles={"reviewer": world.project})
    remove_member(crew, person=vera, actor=SYSTEM)
    team_id, role = crew.pk, RoleBinding.objects.get(team=crew).pk
    delete_team(crew, actor=SYSTEM)
    eve = browser(person("Eve", {"auditor": None}))

    def told(**asked: str) -> list[str]:
        page = eve.get("/audit/", asked).context["page"]
        return [line.kind for line in page.lines if line.kind.startswith("team.")]

    ended = ["team.deleted.v1", "team.member_added.v1"]
    assert told(subject=rex.pk) == told(subject=rex.name) == ended
    assert told(subject=vera.pk) == ["team.member_removed.v1", "team.member_added.v1"]
    assert told(subject=role) == ["team.deleted.v1"]
    whole = [
        *("team.deleted.v1", "team.member_removed.v1"),
        *("team.member_added.v1", "team.member_added.v1", "team.created.v1"),
    ]
    assert told(subject=team_id) == told(subject="night crew") == whole
    ed = browser(person("Ed", {"auditor": world.project}))
    part = ed.get("/audit/", {"subject": "Night Crew"}).context["page"].lines
    assert [line.kind for line in part] == ["role.granted.v1"], "what happened in the project"


def test_a_version_is_found_with_what_is_gone(world: World) -> None:
    """Uploads that ended, an alias that moved on, a hold that was released, a Bento that a node had
    pre-loaded: their rows do not lead to the version any more."""
    first, second = world.version("age"), world.version("age")
    draft = world.version("age", state="draft")
    file = {"path": "model.pkl", "size": 3, "sha256": "0" * 64}
    cancel_upload(start_upload(draft, **file, actor=world.alan), actor=world.alan)
    for version in (first, second):
        set_alias(first.model, name="champion", version=version, actor=SYSTEM)
        held = {"reason": "rollback", "holder": "rev_1"}
        place_hold(version, **held, actor=SYSTEM)
        release_hold(version, **held, actor=SYSTEM)
    prefetch(world.target, bento=world.bento(first), holder="rel_1", actor=SYSTEM)
    release_prefetch("rel_1", actor=SYSTEM)
    ed = actor_of(person("Ed", {"auditor": world.project}))
    holds = ["hold.placed.v1", "hold.released.v1"]
    ahead = ["prefetch.added.v1", "prefetch.removed.v1"]
    moved = ["alias.set.v1", "alias.set.v1"]
    wanted = {*holds, *ahead, *moved, "upload.started.v1", "upload.dropped.v1"}
    for thing, kinds in (
        ("age:1", [*moved, *holds, *ahead]),
        ("age:2", [*moved, *holds]),
        ("age:3", ["upload.dropped.v1", "upload.started.v1"]),
        ("age", [*moved, *holds, *holds, *ahead, "upload.dropped.v1", "upload.started.v1"]),
    ):
        events = events_visible(ed, by_name(EventFilter(), ed, thing=thing))
        found = events.filter(kind__in=wanted).values_list("kind", flat=True)
        assert sorted(found) == sorted(kinds), thing


def test_what_is_gone_of_a_version_is_found_without_the_whole_log(world: World) -> None:
    place_hold(world.version("age"), reason="rollback", holder="rev_1", actor=SYSTEM)
    with record(SYSTEM) as log:
        for _ in range(2000):
            log.add(PROJECT_UPDATED, world.project)
    analyze("audit_event")
    ed = actor_of(person("Ed", {"auditor": world.project}))
    with rows_read() as read:
        wanted = by_name(EventFilter(), ed, thing="age:1")
    assert Event.objects.get(kind="hold.placed.v1").subject in (wanted.subjects or ())
    assert read["audit_event"] < 20, read


def test_the_projects_of_what_is_gone_are_found_before_the_events_in_them(world: World) -> None:
    """What PostgreSQL guesses else, of a model in a log of a million events, has it read the bodies
    of all projects' for seconds; of so few as tests have it guesses right."""
    world.version("age")
    ed = actor_of(person("Ed", {"auditor": None}))
    with CaptureQueriesContext(connection) as caught:
        by_name(EventFilter(), ed, thing="age")
    (sql,) = [row["sql"] for row in caught if "split_part" in row["sql"]]
    narrowed = sql.count('"audit_event"."project" = ANY')
    assert (sql.count("split_part") - narrowed, narrowed) == (1, 4)  # a team is of no project
