"""Recalls, ids, time, look-ups, locks and ways back."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.assurance.actions import lift, recall
from apps.audit.models import Event
from apps.governance.actions import end_glasses_due, review_break_glass
from apps.governance.models import BreakGlass
from apps.registry.actions import declare
from apps.rollouts.actions import abort
from apps.rollouts.actions.operate import go_back
from apps.rollouts.models import Rollout
from apps.rollouts.queries import former_revisions
from apps.serving.models import Revision
from placet.kernel.clock import now
from placet.kernel.problems import InvalidInput, Problem
from tests import factories
from tests.broken import POLICY, SAID, broken, responder
from tests.factories import api, person
from tests.governed import World
from tests.integration.former.conftest import RunJobs
from tests.nodes import SimulatedNode, run

pytestmark = pytest.mark.django_db
CANARY = {"strategy": "canary", "steps": [{"set_weight": 5}, {"pause": {}}]}
# A clock for the statements of one connection alone: a search path that begins elsewhere.
CLOCK = """
RESET ROLE;
CREATE SCHEMA earlier;
CREATE FUNCTION earlier.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
  'SELECT pg_catalog.clock_timestamp() - interval ''1 hour''';
GRANT USAGE ON SCHEMA earlier TO placet_app;
SET ROLE placet_app;
SET search_path = earlier, pg_catalog, public
"""
# A row that is locked, or whose state is changed
HOLDS = re.compile(
    r'(?:UPDATE|FROM) "(serving_endpoint|rollouts_rollout)" '
    r'(?:SET .*"state" =|.*FOR (?:NO KEY )?UPDATE)',
    re.S,
)


def test_a_token_does_not_lift_the_recall_of_a_persons_decisions(world: World) -> None:
    oda = factories.actor_of(person("Oda", {"operator": None}))
    found = recall(kind="person", what=world.rex.id, reason="coerced", actor=oda)
    chief = factories.actor_of(person("Chief", {"approver": None}))
    with pytest.raises(Problem):
        lift(found, reason="by a pipeline", actor=replace(chief, token="tok_1"))


def test_no_name_that_a_client_sends_as_an_id_gets_into_the_log() -> None:
    ann = person("Ann", {"admin": None})
    made = api(ann).post("/projects", {"slug": "risk", "name": "Risk"}, x_request_id="Jane.Doe")
    assert made.status_code == 201
    named = any("Jane.Doe" in event.body for event in Event.objects.all())
    assert not named, "the log names the person for ever"


def test_a_clock_that_is_set_back_does_not_take_the_logs_time_with_it() -> None:
    factories.project("first")
    with connection.cursor() as cursor:
        cursor.execute(CLOCK)
    factories.project("second")
    times = [event.at for event in Event.objects.order_by("index")]
    in_order = times == sorted(times)
    assert in_order, "what came later is earlier"


def test_a_contributor_does_not_learn_who_has_an_account(world: World) -> None:
    other = person("Olga", {"viewer": factories.project("elsewhere")})
    said = {"fact": "data_owner", "about": "sha256:" + "1" * 64}
    with pytest.raises(InvalidInput):
        declare(world.project, **said, person=other.email, actor=world.alan)


def held(act: Callable[[], object]) -> list[str]:
    """Return the tables of which something held or wrote a row, each once, in order."""
    with CaptureQueriesContext(connection) as queries:
        act()
    found = [match[1] for row in queries if (match := HOLDS.search(row["sql"]))]
    return list(dict.fromkeys(found))


def test_an_abort_locks_in_the_order_of_going_back(
    world: World, serving: SimulatedNode, run_jobs: RunJobs
) -> None:
    world.request("development")
    run(serving, run_jobs)
    endpoint = Revision.objects.get(state="live").endpoint
    back = held(lambda: go_back(endpoint, reason="x", actor=world.otto))
    assert back[0] == "serving_endpoint"
    run(serving, run_jobs)
    release = world.request("development", plan=CANARY)
    run(serving, run_jobs)
    rollout = Rollout.objects.get(release=release)
    aborted = held(lambda: abort(rollout, reason="x", actor=world.otto))
    assert aborted[0] == "serving_endpoint"


def test_nobody_goes_back_to_a_broken_glass_that_was_not_justified(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    responder(world)
    world.policy("staging", POLICY + SAID)
    first, second = world.request("staging"), None
    broken(world, first)
    run(node, run_jobs)
    glass: Any = BreakGlass.objects.get()
    second = world.request("staging")
    broken(world, second)
    run(node, run_jobs)
    live = Revision.objects.get(release=second.pk)
    assert (live.state, [row.release for row in former_revisions(live)]) == ("live", [first.pk])
    BreakGlass.objects.update(until=now() - timedelta(hours=1))
    end_glasses_due()
    review_break_glass(
        BreakGlass.objects.get(pk=glass.pk),
        finding="not_justified",
        findings="It could wait",
        actor=world.vito,
    )
    back = [row.number for row in former_revisions(live)]
    assert back == []
