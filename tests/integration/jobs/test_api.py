"""Jobs over REST: who sees which, and who may stop one."""

import pytest

from apps.jobs.actions import enqueue
from apps.jobs.models import Job
from tests.support.factories import api, person, project

pytestmark = pytest.mark.django_db


def test_a_viewer_sees_the_jobs_of_their_project_without_the_arguments() -> None:
    risk, other = project("risk"), project("other")
    mine = enqueue("t.mine", project=risk.pk, secret="hunter2")
    theirs = enqueue("t.theirs", project=other.pk)
    instance = enqueue("t.instance")
    viewer = api(person("Vera", {"viewer": risk}))
    listed = viewer.get("/jobs").json()["items"]
    assert [j["id"] for j in listed] == [mine.pk]
    assert "hunter2" not in viewer.get(f"/jobs/{mine.pk}").content.decode()
    assert viewer.get(f"/jobs/{theirs.pk}").status_code == 404
    assert viewer.get(f"/jobs/{instance.pk}").status_code == 404
    assert viewer.post(f"/jobs/{mine.pk}/cancel").status_code == 403
    assert viewer.post(f"/jobs/{theirs.pk}/cancel").status_code == 404


def test_an_operator_lists_filters_and_cancels() -> None:
    operator = api(person("Otto", {"operator": None}))
    first, second = enqueue("t.one"), enqueue("t.two")
    assert [j["id"] for j in operator.get("/jobs?kind=t.two").json()["items"]] == [second.pk]
    assert operator.get("/jobs?state=running").json()["items"] == []
    assert operator.get("/jobs?state=asleep").status_code == 400
    answer = operator.post(f"/jobs/{first.pk}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    again = operator.post(f"/jobs/{first.pk}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "job_ended")


def test_a_job_of_a_webhook_or_stream_is_seen_by_who_sees_that() -> None:
    risk = project("risk")
    operator = api(person("Otto", {"operator": risk}))
    everywhere = api(person("Olga", {"operator": None}))
    partly = api(person("Pia", {"operator": risk, "auditor": (risk, "staging")}))
    auditor = api(person("Aude", {"auditor": risk}))
    for kind in ("integrations.call", "integrations.deliver", "integrations.test"):
        job = enqueue(kind, key=kind, project=risk.pk)
        enqueue(kind, key="instance")
        for who in (operator, everywhere, partly):
            assert who.get(f"/jobs?kind={kind}").json()["items"] == []
            assert who.post(f"/jobs/{job.pk}/cancel").status_code == 404
        assert [j["id"] for j in auditor.get(f"/jobs?kind={kind}").json()["items"]] == [job.pk]
    own = enqueue("t.own", project=risk.pk)
    assert [j["id"] for j in operator.get("/jobs").json()["items"]] == [own.pk]


def test_old_jobs_are_tidied_away() -> None:
    from datetime import timedelta

    from apps.jobs.actions import tidy
    from placet.kernel.clock import database_now

    old, failed, fresh = enqueue("t.old"), enqueue("t.failed"), enqueue("t.fresh")
    ended = database_now() - timedelta(days=31)
    Job.objects.filter(pk=old.pk).update(state="succeeded", finished_at=ended)
    Job.objects.filter(pk=failed.pk).update(state="failed", finished_at=database_now())
    assert tidy() == 1
    assert set(Job.objects.values_list("pk", flat=True)) == {failed.pk, fresh.pk}
