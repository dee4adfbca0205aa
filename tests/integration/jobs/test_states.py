"""A state moves by compare-and-set: whoever comes second is told so."""

from datetime import timedelta

import pytest

from apps.jobs.actions import enqueue
from apps.jobs.models import Job
from placet.kernel.clock import database_now
from placet.kernel.states import move

pytestmark = pytest.mark.django_db


def test_the_first_mover_wins_and_the_second_is_told() -> None:
    job = enqueue("t.moved")
    first, second = Job.objects.get(pk=job.pk), Job.objects.get(pk=job.pk)
    later = database_now() + timedelta(hours=1)
    assert move(first, expected="queued", to="running", lease_until=later)
    assert (first.state, first.generation, first.lease_until) == ("running", 1, later)
    assert not move(second, expected="queued", to="cancelled")
    assert (second.state, second.generation) == ("queued", 0)
    assert Job.objects.get(pk=job.pk).state == "running"


def test_a_state_that_came_back_does_not_fool_an_old_generation() -> None:
    job = enqueue("t.moved")
    stale = Job.objects.get(pk=job.pk)
    assert move(job, expected="queued", to="running")
    assert move(job, expected=("running", "failed"), to="queued")
    assert not move(stale, expected="queued", to="running")
    assert job.generation == 2
