"""A POST repeated under its Idempotency-Key."""

from datetime import timedelta

import psycopg
import pytest
import time_machine
from django.db import OperationalError
from django.http import HttpResponse
from django.test import RequestFactory

from apps.identity.actions import idempotency, revoke_role
from apps.identity.middleware import IdempotencyMiddleware
from apps.identity.models import ApiToken, IdempotencyRecord, Project, RoleBinding
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now, rfc3339
from tests.support.factories import api, person, token_for

pytestmark = pytest.mark.django_db
RISK = {"slug": "risk", "name": "Risk"}


def test_the_same_request_again_gets_the_same_answer_and_makes_nothing_new() -> None:
    ann = token_for(person("Ann", roles={"admin": None}))
    first = api(ann).post("/projects", RISK, idempotency_key="k1")
    again = api(ann).post("/projects", RISK, idempotency_key="k1")
    assert first.status_code == again.status_code == 201
    assert again.content == first.content
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    for header in ("Content-Type", "ETag", "Location"):
        assert again[header] == first[header]
    assert Project.objects.count() == 1


def test_another_body_under_the_same_key_is_refused() -> None:
    ann = token_for(person("Ann", roles={"admin": None}))
    api(ann).post("/projects", RISK, idempotency_key="k1")
    other = api(ann).post("/projects", {"slug": "fraud", "name": "F"}, idempotency_key="k1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")
    assert Project.objects.count() == 1


def test_two_people_may_use_the_same_key() -> None:
    ann = token_for(person("Ann", roles={"admin": None}))
    bob = token_for(person("Bob", roles={"admin": None}))
    api(ann).post("/projects", RISK, idempotency_key="k1")
    made = api(bob).post("/projects", {"slug": "fraud", "name": "F"}, idempotency_key="k1")
    assert made.status_code == 201


def test_a_lesser_token_of_the_same_person_is_not_answered_with_what_another_was() -> None:
    ann = person("Ann", roles={"admin": None})
    assert api(token_for(ann)).post("/projects", RISK, idempotency_key="k1").status_code == 201
    lesser = token_for(ann, scopes=["project.view"])
    assert api(lesser).post("/projects", RISK, idempotency_key="k1").status_code == 403


def test_a_request_that_is_still_running_is_not_started_twice() -> None:
    ann = person("Ann", roles={"admin": None})
    text = token_for(ann)
    api(text).post("/projects", RISK, idempotency_key="k1")
    IdempotencyRecord.objects.update(status=None)
    answer = api(text).post("/projects", RISK, idempotency_key="k1")
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")


def test_a_refusal_is_replayed_too() -> None:
    ada = token_for(person("Ada"))
    first = api(ada).post("/projects", RISK, idempotency_key="k1")
    again = api(ada).post("/projects", RISK, idempotency_key="k1")
    assert first.status_code == again.status_code == 403
    assert again["Idempotency-Replayed"] == "true"


def test_what_is_not_valid_is_refused_again_and_not_kept() -> None:
    """A viewer's POST of 2 MiB left five times as many bytes, for a day, as often as they liked."""
    vera = token_for(person("Vera"))
    body = {f"{n:x}": 0 for n in range(1_000)} | {"n" * 5_000: 0}
    for _ in range(2):
        answer = api(vera).post("/projects", body, idempotency_key="k1")
        assert (answer.status_code, answer.get("Idempotency-Replayed")) == (400, None)
        assert len(answer.json()["errors"]) == 100
        assert max(len(error["pointer"]) for error in answer.json()["errors"]) <= 300
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.parametrize("fault", [500, None])
def test_a_server_error_leaves_the_key_free(fault: int | None) -> None:
    def broken(_request: object) -> HttpResponse:
        if fault:
            return HttpResponse(status=fault)
        raise RuntimeError("broken")

    request = RequestFactory().post(
        "/api/v1/projects", b"{}", "application/json", headers={"Idempotency-Key": "k"}
    )
    request.actor = SYSTEM  # type: ignore[attr-defined]
    middleware = IdempotencyMiddleware(broken)
    if fault:
        assert middleware(request).status_code == fault
    else:
        with pytest.raises(RuntimeError):
            middleware(request)
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.parametrize("key", ["", "x" * 201, "tab\there"])
def test_an_odd_key_is_refused(key: str) -> None:
    ann = token_for(person("Ann", roles={"admin": None}))
    answer = api(ann).post("/projects", RISK, idempotency_key=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")


def test_a_new_tokens_secret_is_replayed_but_not_stored_in_clear() -> None:
    client = api(person("Ada"))
    body = {
        "name": "ci",
        "scopes": ["model.view"],
        "expires_at": rfc3339(now() + timedelta(days=3)),
    }
    first = client.post("/tokens", body, idempotency_key="k1")
    assert first.status_code == 201, first.content
    secret = first.json()["secret"]
    stored = bytes(IdempotencyRecord.objects.get().body)
    assert secret.encode() not in stored
    assert client.post("/tokens", body, idempotency_key="k1").json()["secret"] == secret
    assert ApiToken.objects.count() == 1


def test_a_secret_is_replayed_only_while_its_reader_may_do_the_same() -> None:
    ada = person("Ada", roles={"contributor": None})
    body = {
        "name": "ci",
        "scopes": ["model.view"],
        "expires_at": rfc3339(now() + timedelta(days=3)),
    }
    first = api(ada).post("/tokens", body, idempotency_key="k1")
    again = api(ada).post("/tokens", body, idempotency_key="k1")
    assert (again["Cache-Control"], again.json()) == ("no-store", first.json())
    assert "Placet-Rights" not in again
    revoke_role(RoleBinding.objects.get(person=ada), actor=SYSTEM)
    refused = api(ada).post("/tokens", body, idempotency_key="k1")
    assert (refused.status_code, refused.json()["code"]) == (409, "answer_withheld")
    assert first.json()["secret"] not in refused.content.decode()
    assert ApiToken.objects.count() == 1


def test_records_expire_after_a_day() -> None:
    ann = token_for(person("Ann", roles={"admin": None}))
    api(ann).post("/projects", RISK, idempotency_key="k1")
    assert idempotency.expire() == 0
    with time_machine.travel(now() + timedelta(hours=25)):
        assert idempotency.expire() == 1


@pytest.mark.parametrize(
    ("cause", "later"),
    [
        (psycopg.OperationalError("the connection is lost"), 409),
        (psycopg.errors.AdminShutdown("terminating connection"), 409),
        (psycopg.errors.DeadlockDetected("deadlock detected"), 201),
    ],
    ids=["lost", "shut down", "said no"],
)
def test_what_may_have_been_done_when_the_connection_broke_is_not_done_again(
    monkeypatch: pytest.MonkeyPatch, cause: Exception, later: int
) -> None:
    ann = token_for(person("Ann", roles={"admin": None}))

    def broken(**_options: object) -> None:
        raise OperationalError(str(cause)) from cause

    with monkeypatch.context() as patch:
        patch.setattr("apps.identity.actions.create_project", broken)
        first = api(ann).post("/projects", RISK, idempotency_key="k1")
    assert (first.status_code, first.json()["code"]) == (503, "database_unavailable")
    assert api(ann).post("/projects", RISK, idempotency_key="k1").status_code == later
