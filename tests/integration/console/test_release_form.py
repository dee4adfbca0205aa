"""The form that asks for a release: targets, variables, and what is wrong beside its field."""

import re
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from apps.console.queries.request_again import request_again_url
from apps.console.views.release_form import serving_of
from apps.governance.actions import (
    draft_policy,
    publish_policy,
    set_freeze,
    update_environment,
)
from apps.governance.models import Release
from apps.governance.policy_templates import TEMPLATES
from apps.identity import actions
from apps.identity.actions import place_person
from apps.identity.models import User
from apps.registry.actions import add_evidence, set_card
from apps.serving.models import TargetUse
from placet.kernel.actor import SYSTEM
from tests.support import factories
from tests.support.factories import browser
from tests.support.world import World, listed

pytestmark = pytest.mark.django_db
FAIR = {"attribute": "age", "metrics": {"gap": 0.1}}
STRICTER = (
    "version: 1\ngates: [{gate: build}, {gate: approvals, role: reviewer, second_line: all}]\n"
)


def form(world: World, *declared: str) -> dict[str, Any]:
    """Return what the form sends of a new version."""
    bento = world.bento(world.version(variables=list(declared)))
    return {
        "version": bento.version.pk,
        "bento": bento.pk,
        "environment": "development",
        "endpoint": "churn",
    }


def shown(world: World, fields: dict[str, Any]) -> str:
    path = f"/releases/new/?version={fields['version']}"
    return tight(browser(world.people["Ada"]).get(path).content)


def asked(world: World, fields: dict[str, Any]) -> str:
    return tight(browser(world.people["Ada"]).post("/releases/request", fields).content)


def tight(page: bytes) -> str:
    """Return a page without the white space around its tags."""
    return re.sub(r"\s*([<>])\s*", r"\1", " ".join(page.decode().split()))


def untouched(page: str) -> str:
    """Return where the form says that nothing is live yet."""
    said = re.sub("<[^>]*>", " ", page).split("Nothing is live in ")[1]
    return " ".join(said.split(" yet: all traffic")[0].split())


def beside(page: str, field: str) -> str:
    """Return what is said beside a field."""
    return page.split(f'id="{field}-fault"')[1].split("</div>")[0]


def test_with_several_targets_the_form_asks_on_which_one_a_new_endpoint_stands(
    world: World,
) -> None:
    fields = form(world)
    assert 'id="target"' not in shown(world, fields), "one target is not asked for"
    world.another_target("ward-2", "development")
    page = shown(world, fields)
    assert "Target (for a new endpoint)" in page
    assert '<option value="">Choose a target</option>' in page
    assert '<option value="ward-2">ward-2 (development)</option>' in page
    refused = asked(world, fields)
    assert "development has several targets: name the one" in beside(refused, "target")
    assert "Choose a target: development has several" in refused
    assert "cannot be created automatically" not in refused
    asked(world, fields | {"target": "ward-2"})
    assert Release.objects.get().endpoint.target.name == "ward-2"


def test_a_target_that_two_projects_use_is_offered_once_and_as_this_one_may_use_it(
    world: World,
) -> None:
    """The other one lists all of its environments there, this one development alone."""
    ward = world.another_target("ward-2", "development", "staging", "production")
    listed(ward, other := factories.project("secret"))
    for place in other.environments.all():
        update_environment(place, targets=[ward], actor=SYSTEM)
    TargetUse.objects.filter(target=ward, project=world.project).update(environment="development")
    page = shown(world, form(world))
    assert '<option value="ward-2">ward-2 (development)</option>' in page
    assert '<option value="local">local (development, staging, production)</option>' in page


def test_a_target_that_the_environment_does_not_run_on_is_refused_beside_its_field(
    world: World,
) -> None:
    world.another_target("ward-2", "staging")
    refused = asked(world, form(world) | {"target": "ward-2"})
    says = "development does not run on ward-2: choose one of its targets"
    assert says in beside(refused, "target")
    assert '<option value="ward-2" selected>' in refused
    assert not Release.objects.exists()


def test_each_variable_that_the_version_declares_has_a_field(world: World) -> None:
    fields = form(world, "THRESHOLD", "MODE")
    page = shown(world, fields)
    assert 'name="variable.THRESHOLD"' in page
    assert 'name="variable.MODE"' in page
    refused = asked(world, fields | {"variable.THRESHOLD": "\u200b", "variable.MODE": "<b>"})
    assert "THRESHOLD must be one line" in beside(refused, "variables")
    assert 'value="&lt;b&gt;"' in refused
    asked(world, fields | {"variable.THRESHOLD": "0.4", "variable.MODE": ""})
    assert Release.objects.get().serving["variables"] == {"THRESHOLD": "0.4"}
    assert "Environment variables the version reads" not in shown(world, form(world))


def test_the_variables_that_any_version_may_be_given_have_fields_too(world: World) -> None:
    fields = form(world, "MODE", "OMP_NUM_THREADS")
    page = shown(world, fields)
    assert '<details class="col-12">' in page
    declared, usual = page.split("Common environment variables")
    assert 'name="variable.OMP_NUM_THREADS"' in declared
    assert 'name="variable.OMP_NUM_THREADS"' not in usual
    assert 'name="variable.TOKENIZERS_PARALLELISM"' in usual
    fields |= {"variable.MKL_NUM_THREADS": "2"}
    assert '<details class="col-12" open>' in asked(world, fields | {"memory_mb": "9000"})
    asked(world, fields)
    assert Release.objects.get().serving["variables"] == {"MKL_NUM_THREADS": "2"}


def test_what_does_not_fit_stands_beside_its_field(world: World) -> None:
    fields = form(world) | {"replicas": "9", "max_replicas": "2", "memory_mb": "9000"}
    assert "must be a whole number from 9 to 64" in beside(asked(world, fields), "max_replicas")
    fields |= {"replicas": "1"}
    assert "9000 MB are asked for" in beside(asked(world, fields), "memory_mb")


def test_all_that_is_wrong_is_said_at_once_also_of_the_name_of_the_endpoint(world: World) -> None:
    wrong = {"endpoint": "No Such Name!", "replicas": "two", "egress": "nowhere", "capture": "200"}
    page = asked(world, form(world) | wrong)
    assert "Small letters, digits and hyphens" in beside(page, "endpoint")
    assert "write it as host:port" in beside(page, "egress")
    for name in ("replicas", "capture"):
        assert "must be a" in beside(page, name), name
    assert not Release.objects.exists()


@pytest.mark.parametrize(
    ("source", "typed", "says"),
    [
        ("header", "", "must be the name of a header: letters, digits, _ and - alone"),
        ("cookie", "a b", "must be the name of a cookie: letters, digits, _ and - alone"),
        ("json", "user", "must say where the field stands, such as /user/id"),
        ("header", "Cookie", "must not be taken from Cookie, which holds secrets"),
    ],
)
def test_a_sticky_routing_key_that_is_none_is_refused_in_words(
    world: World, source: str, typed: str, says: str
) -> None:
    said = beside(
        asked(world, form(world) | {"unit_source": source, "unit_name": typed}), "unit_name"
    )
    assert says in said and "{" not in said


@pytest.mark.parametrize("typed", ["200", "0.001", "some"])
def test_a_share_of_the_prediction_log_that_is_none_is_refused_with_what_turns_it_off(
    world: World, typed: str
) -> None:
    said = beside(asked(world, form(world) | {"capture": typed}), "capture")
    assert "must be a number from 0.01 to 100, or 0 to record none" in said


def test_destinations_may_share_a_line() -> None:
    typed = QueryDict("egress=a:1,%20b:2%0d%0a%0d%0ac:3")
    assert serving_of(typed) == {"egress": ["a:1", "b:2", "c:3"]}


@pytest.mark.parametrize("digest", ["another version's", "sha256:" + "0" * 64, "x"])
def test_a_bento_that_is_none_of_the_version_is_refused_beside_its_field(
    world: World, digest: str
) -> None:
    """It was the newest that was asked for then, and nobody was told."""
    other = world.bento(world.version("other")).pk
    sent = other if digest == "another version's" else digest
    refused = asked(world, form(world) | {"bento": sent})
    assert not Release.objects.exists()
    assert f"{sent} is not a build of churn:1: choose one from the list" in beside(refused, "bento")


@pytest.mark.parametrize(
    "name", ["replicas", "max_replicas", "memory_mb", "target_inflight", "capture"]
)
@pytest.mark.parametrize("typed", ["two", "-1", "1e9", "\u00b2", "9" * 20])
def test_what_is_no_number_is_refused_beside_its_field(world: World, name: str, typed: str) -> None:
    """And is not taken for a field that was left open."""
    refused = asked(world, form(world) | {name: typed})
    assert not Release.objects.exists()
    assert "must be a" in beside(refused, name)


def gates_of(page: str, environment: str) -> str:
    """Return what the form foretells of an environment's gates."""
    return page.split(f"<b>{environment}</b>")[1].split("</details>")[0]


def test_the_form_foretells_what_each_gate_says_of_this_version(world: World) -> None:
    world.policy(
        "staging",
        """version: 1
gates:
  - {gate: scan, allow: [safe]}
  - {gate: build, smoke_test: equal}
  - {gate: evidence, kind: fairness}
  - {gate: soaked, environment: development, for: 1h}
  - {gate: approvals, role: reviewer, count: 1}
  - {gate: approvals, role: approver, count: 2}
  - {gate: freeze}
  - {gate: schema}
""",
    )
    world.policy("development", "version: 1\ngates: [{gate: freeze}]\n")
    User.objects.filter(pk=world.people["Vito"].pk).update(is_active=False)
    bento = world.bento(world.version(), verdict="code-carrying", result="different")
    fields = {"version": bento.version.pk}
    said = gates_of(shown(world, fields), "staging")
    assert "only files that do not" in said
    assert "This Bento has not been live in development" in said
    assert "There is no fairness evidence" in said
    assert "Can decide: Rex risk, Rita risk" in said
    assert "only Vera risk could decide as approver" in said
    assert (said.count("Failed"), said.count("Waiting")) == (4, 2)  # people may yet decide
    assert "◆" in said  # what the form does not know before it is sent
    set_freeze(world.environment("staging"), reason="Audit", actor=world.otto)
    world.live("development", bento)
    said = gates_of(shown(world, fields), "staging")
    assert "passes at" in said
    assert "Staging is frozen" in said


def test_a_card_that_was_written_is_the_evidence_that_regulated_models_need(world: World) -> None:
    """Nobody has to report its hash; what somebody else reports in its place does not count."""
    factories.grant(world.people["Rita"], {"security-reviewer": world.project})
    world.policy("staging", TEMPLATES["regulated"].sources["staging"])
    bento = world.bento(world.version())
    fields = {"version": bento.version.pk}
    add_evidence(bento.version, kind="model_card", data={"sha256": "0" * 64}, actor=world.alan)
    bare = "Placet took down no model card of it: write one, or save it once more"
    assert bare in gates_of(shown(world, fields), "staging")
    set_card(bento.version, card="# For whom it is", actor=world.alan)
    assert bare not in gates_of(shown(world, fields), "staging")
    set_card(bento.version, card="", actor=world.alan)
    assert bare in gates_of(shown(world, fields), "staging")


def test_who_asks_is_not_among_those_who_can_decide(world: World) -> None:
    rex = world.people["Rex"]
    actions.grant_role(role="contributor", person=rex, project=world.project, actor=SYSTEM)
    bento = world.bento(world.version())
    page = tight(browser(rex).get(f"/releases/new/?version={bento.version.pk}").content)
    assert "Can decide: Rita risk" in gates_of(page, "staging")


def test_who_is_not_independent_is_not_among_those_who_can_decide(world: World) -> None:
    """Nor does a gate name who holds another role than it asks for."""
    rule = "{gate: approvals, role: reviewer, count: 1, second_line: all}"
    place = world.environment("staging")
    source = f"version: 1\ngates: [{rule}]\n"
    publish_policy(draft_policy(place, source=source, actor=world.vera), actor=SYSTEM)
    bento = world.bento(world.version())
    fields = {"version": bento.version.pk}
    said = gates_of(shown(world, fields), "staging")
    assert (
        "Needs one person, and nobody could decide as reviewer: an access administrator gives this"
        in said
    )
    place_person(world.people["Rita"], line="second", actor=SYSTEM)
    world.live("development", bento)
    client = browser(world.people["Ada"])
    with CaptureQueriesContext(connection) as caught:
        page = tight(client.get(f"/releases/new/?version={bento.version.pk}").content)
    said = gates_of(page, "staging")
    assert "Can decide: Rita risk<" in said
    assert "Rex risk" not in said
    assert "Vera" not in said
    assert len(caught) <= 12


def test_the_form_takes_few_queries_where_independence_is_asked_and_nothing_was_released_yet(
    world: World,
) -> None:
    place = world.environment("staging")
    publish_policy(draft_policy(place, source=STRICTER, actor=world.vera), actor=SYSTEM)
    bento = world.bento(world.version())
    client = browser(world.people["Ada"])
    with CaptureQueriesContext(connection) as caught:
        page = client.get(f"/releases/new/?version={bento.version.pk}")
    assert page.status_code == 200
    assert len(caught) <= 12


def test_where_nothing_is_live_no_steps_are_drawn(world: World) -> None:
    bento = world.bento(world.version())
    first = shown(world, {"version": bento.version.pk})
    assert untouched(first) == "development, staging, production at churn"
    assert '<svg class="chart plan' not in first
    world.live("development", bento)
    later = shown(world, {"version": bento.version.pk})
    assert untouched(later) == "staging, production at churn"
    assert '<svg class="chart plan' in later


def test_who_decides_on_what_was_rejected_before_reads_who_rejected_it_and_why(
    world: World,
) -> None:
    bento = world.bento(world.version())
    first = world.request("staging", bento)
    world.decide(first, world.rex, verdict="reject", comment="No <b>fairness</b> report")
    again = world.request("staging", bento)
    client = browser(world.people["Rita"])
    with CaptureQueriesContext(connection) as caught:
        said = tight(client.get(f"/releases/{again.pk}/").content)
    assert len(caught) <= 12
    assert "An earlier release of this version to staging was rejected by Rex risk" in said
    assert f'<a href="/releases/{again.pk}/attempts/">Earlier attempt</a>' in said
    assert "“No &lt;b&gt;fairness&lt;/b&gt; report”" in said
    other = world.request("staging", world.bento(world.version()))
    for path in (f"/releases/{first.pk}/", f"/releases/{other.pk}/"):
        assert "was rejected by" not in tight(client.get(path).content)
    world.decide(again, world.rita)
    Release.objects.filter(pk=again.pk).update(state="live")
    assert "was rejected by Rex" in tight(client.get(f"/releases/{again.pk}/").content)


def test_the_record_of_a_release_names_no_rejection_that_came_after_its_own_decision(
    world: World,
) -> None:
    version = world.version()
    first, second = (world.request("staging", world.bento(version)) for _ in range(2))
    world.decide(second, world.rita)
    world.decide(first, world.rex, verdict="reject", comment="Too late")
    page = tight(browser(world.people["Rita"]).get(f"/releases/{second.pk}/").content)
    assert "was rejected" not in page


def test_who_requests_again_what_was_withdrawn_reads_that(world: World) -> None:
    release = world.request("staging")
    client = browser(world.people["Ada"])
    client.post(f"/releases/{release.pk}/withdraw")
    page = tight(client.get(f"/releases/new/?again={release.pk}").content)
    assert "Release 1: withdrawn" in page
    open_one = world.request("staging")
    page = tight(client.get(f"/releases/new/?again={open_one.pk}").content)
    assert "changed since" not in page


def test_limits_are_read_said_and_filled_in_again(world: World) -> None:
    fields = form(world)
    fault = asked(world, fields | {"queue": "3", "rate": "many"})
    assert "needs in_flight: without it no request waits" in beside(fault, "queue")
    assert "must be a whole number from 1 to 10000" in beside(fault, "rate")
    assert 'name="queue" type="number" min="0" max="1000" value="3"' in fault
    asked(world, fields | {"in_flight": "2", "queue": "0"})
    release = Release.objects.get()
    assert release.serving["limits"] == {"in_flight": 2, "queue": 0}
    page = tight(browser(world.people["Ada"]).get(f"/releases/{release.pk}/").content)
    assert "2 at once per replica, 0 may wait" in page
    again = tight(browser(world.people["Ada"]).get(request_again_url(release)).content)
    assert 'name="queue" type="number" min="0" max="1000" value="0"' in again
    assert 'name="rate" type="number" min="1" max="10000" value=""' in again
