"""Asking for builds, watching and stopping them, by people who may and people who may not."""

import json

import pytest

from apps.audit.models import Event
from apps.builds.actions import append_lines, request_build, requests
from apps.builds.errors import NotFinalised
from apps.builds.models import Build
from apps.builds.rules import LogLine
from apps.jobs.models import Job
from apps.registry.actions import create_version, start_upload, uploads
from apps.registry.models import Upload
from placet.kernel.clock import now
from tests.integration.builds.conftest import Yard
from tests.support.factories import api
from tests.support.meeting import Meeting, at_once
from tests.support.world import World


def kinds(build: Build) -> list[str]:
    """Return the kinds of the build's events."""
    return list(Event.objects.filter(subject=build.pk).values_list("kind", flat=True))


def test_a_contributor_has_a_version_built(yard: Yard) -> None:
    answer = api(yard.ada).post(f"{yard.address}/builds")
    assert answer.status_code == 202
    body = answer.json()
    assert (body["state"], body["name"]) == ("queued", "churn:1")
    assert answer.headers["Location"] == f"/api/v1/builds/{body['id']}"
    build = Build.objects.get()
    assert Job.objects.get(pk=build.job).args == {"build": build.pk}
    assert kinds(build) == ["build.requested.v1"]


def test_a_double_click_asks_once(yard: Yard) -> None:
    first = api(yard.ada).post(f"{yard.address}/builds").json()
    second = api(yard.ada).post(f"{yard.address}/builds").json()
    assert first["id"] == second["id"]
    assert (Build.objects.count(), Job.objects.filter(kind="builds.run").count()) == (1, 1)


def test_acceleration_is_asked_for_with_the_build_and_stands_in_the_log(yard: Yard) -> None:
    answer = api(yard.ada).post(f"{yard.address}/builds", {"accelerate": True})
    assert (answer.status_code, answer.json()["accelerate"]) == (202, True)
    event = Event.objects.get(kind="build.requested.v1")
    assert json.loads(event.body)["data"]["accelerate"] is True
    again = api(yard.ada).post(f"{yard.address}/builds", {"accelerate": True})
    assert again.json()["id"] == answer.json()["id"]


def test_an_open_build_of_the_other_choice_is_no_answer(yard: Yard) -> None:
    yard.requested()
    answer = api(yard.ada).post(f"{yard.address}/builds", {"accelerate": True})
    assert (answer.status_code, answer.json()["code"]) == (409, "build_open")
    assert Build.objects.count() == 1


@pytest.mark.parametrize("wrong", [{"accelerate": "perhaps"}, {"faster": True}])
def test_a_choice_that_is_none_is_refused_by_name(yard: Yard, wrong: dict[str, object]) -> None:
    answer = api(yard.ada).post(f"{yard.address}/builds", wrong)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == f"/{next(iter(wrong))}"


def test_a_format_that_cannot_become_onnx_is_not_accelerated(yard: Yard) -> None:
    type(yard.version).objects.update(format="mlflow")
    answer = api(yard.ada).post(f"{yard.address}/builds", {"accelerate": True})
    assert answer.status_code == 400
    assert "mlflow cannot be converted" in answer.json()["errors"][0]["detail"]
    assert not Build.objects.exists()


def test_a_draft_is_not_built(yard: Yard) -> None:
    type(yard.version).objects.update(state="draft")
    answer = api(yard.ada).post(f"{yard.address}/builds")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_finalised")


def test_a_viewer_sees_and_may_not_and_a_stranger_sees_nothing(yard: Yard) -> None:
    build = yard.requested()
    viewer, stranger = api(yard.victor), api(yard.sam)
    assert viewer.get(f"/builds/{build.pk}").status_code == 200
    assert viewer.get(f"/builds/{build.pk}/log").status_code == 200
    assert viewer.post(f"{yard.address}/builds").status_code == 403
    assert viewer.post(f"/builds/{build.pk}/cancel").status_code == 403
    for path in (f"{yard.address}/builds", f"/builds/{build.pk}", f"/builds/{build.pk}/log"):
        assert stranger.get(path).status_code == 404, path
    assert stranger.post(f"{yard.address}/builds").status_code == 404
    assert stranger.post(f"/builds/{build.pk}/cancel").status_code == 404
    assert api().get(f"/builds/{build.pk}").status_code == 401


def test_a_waiting_build_is_cancelled_at_once(yard: Yard) -> None:
    build = yard.requested()
    answer = api(yard.ada).post(f"/builds/{build.pk}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    assert Job.objects.get(pk=build.job).state == "cancelled"
    again = api(yard.ada).post(f"/builds/{build.pk}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "build_ended")
    assert kinds(build) == ["build.requested.v1", "build.cancelled.v1"]


def test_a_running_build_is_asked_to_stop(yard: Yard) -> None:
    build, job = yard.taken()
    assert not job.cancelled()
    answer = api(yard.ada).post(f"/builds/{build.pk}/cancel")
    assert answer.json()["state"] == "running"
    job._looked = 0.0  # the worker looks every half second
    assert job.cancelled()
    assert kinds(build)[-1] == "build.cancel_asked.v1"


def test_after_an_end_the_version_can_be_built_again(yard: Yard) -> None:
    first = yard.requested()
    api(yard.ada).post(f"/builds/{first.pk}/cancel")
    assert yard.requested().pk != first.pk
    listed = api(yard.ada).get(f"{yard.address}/builds").json()["items"]
    assert [item["state"] for item in listed] == ["queued", "cancelled"]


def test_the_log_is_read_piece_by_piece(yard: Yard) -> None:
    build, job = yard.taken()
    append_lines(build, [LogLine(now(), "fetch", "one"), LogLine(now(), "scan", "two")], job=job)
    first = api(yard.ada).get(f"/builds/{build.pk}/log").json()
    assert [line["text"] for line in first["lines"]] == ["one", "two"]
    assert (first["after"], first["ended"], first["step"]) == (2, False, "scan")
    append_lines(build, [LogLine(now(), "scan", "three\x1b[2J")], job=job)
    more = api(yard.ada).get(f"/builds/{build.pk}/log?after=2").json()
    assert [(line["number"], line["text"]) for line in more["lines"]] == [(3, "three\ufffd[2J")]
    for bad in ("-1", "x", "1.5", "9" * 12):
        assert api(yard.ada).get(f"/builds/{build.pk}/log?after={bad}").status_code == 400


@pytest.mark.parametrize("path", ["/bentos/sha256:" + "0" * 64, "/runtimes/sha256:" + "0" * 64])
def test_what_does_not_exist_is_not_found(yard: Yard, path: str) -> None:
    assert api(yard.ada).get(path).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_file_is_announced_while_its_version_is_to_be_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The project is held before the version, whatever somebody wants of it."""
    world, meeting = World(), Meeting()
    draft = create_version(world.version().model, actor=world.ada)
    monkeypatch.setattr(uploads, "lock_draft", meeting.behind(uploads.lock_draft))
    monkeypatch.setattr(requests, "lock_version", meeting.before(requests.lock_version))
    found = at_once(
        lambda: start_upload(draft, path="a.txt", size=1, sha256="0" * 64, actor=world.ada),
        lambda: request_build(draft, actor=world.ada),
    )
    assert [type(one) for one in found] == [Upload, NotFinalised]
