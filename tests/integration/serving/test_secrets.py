"""Secrets of an environment: who sets them, who uses them, and what becomes of their values."""

import json
import logging
from typing import Any

import pytest
from django.db import connection

from apps.audit.models import Event
from apps.governance.models import Release
from apps.identity.models import IdempotencyRecord
from apps.rollouts.actions import start_rollout
from apps.serving.errors import DoesNotFit
from apps.serving.models import Revision, SealedSecret, SecretVersion
from apps.serving.secret_values import seal_for
from placet.kernel.actor import SYSTEM
from placet.kernel.config import config
from placet.kernel.keystore import opening_keys
from placet.kernel.secret_key import rotate_secret
from placet_protocol.node_secrets import SecretPlace
from placet_protocol.secret_box import SealingKey
from tests.support.factories import ApiClient, api
from tests.support.leaks import leaks
from tests.support.nodes import PLATFORM, SECRETS
from tests.support.story import Story

pytestmark = pytest.mark.django_db
SECRET = 'pa55 word/+"quoted"-ünïque'
PLACE = "/projects/risk/environments/development/secrets"
NAMED = {"secrets": {"DB_PASSWORD": "risk/db"}, "egress": []}


@pytest.fixture
def otto(story: Story) -> ApiClient:
    """The operator of the project, who sets secrets."""
    return api(story.people["Otto"])


def set_(otto: ApiClient, value: str = SECRET, name: str = "db", **more: Any) -> dict[str, Any]:
    """Have Otto set a value."""
    answer = otto.post(PLACE, {"name": name, "value": value}, **more)
    assert answer.status_code == 201, answer.content
    assert leaks(answer.content, value) == []
    return dict(answer.json())


def given(story: Story, revision: Revision, version: SecretVersion) -> str:
    """Return the value that the node is given."""
    path = f"/agent/v1/secrets/{revision.pk}/db/{version.pk}"
    answer = story.node.call("GET", path)
    assert answer.status_code == 200, answer.content
    place = SecretPlace(revision.project_id, "development", "db", version.pk)
    return SECRETS.open(answer.json()["sealed"], place=place.on(story.node.id))


def rows() -> bytes:
    """Return all that every table holds."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT to_jsonb(t)::text FROM "{table}" t')
            found += [row for (row,) in cursor.fetchall()]
    return "\n".join(found).encode()


def test_a_value_goes_from_who_sets_it_to_the_node_and_nowhere_else(
    story: Story, otto: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    set_(otto, idempotency_key="once")
    release = story.live(serving=NAMED)
    revision, version = Revision.objects.get(), SecretVersion.objects.get()
    (told,) = story.node.revisions().values()
    assert told["secrets"] == {"db": {"value": version.pk, "version": 1}}
    assert "secrets" in told["needs"]
    assert given(story, revision, version) == SECRET

    story.node.apart[revision.pk] = {"isolation": "socket", "secrets": [version.pk, "sev_other"]}
    story.node.step()
    story.node.step()
    (event,) = Event.objects.filter(kind="secret.given.v1")
    assert json.loads(event.body)["data"]["node"] == story.node.id

    read = [PLACE, f"/secrets/{version.secret_id}", f"/releases/{release.pk}/permit"]
    answers = b"".join(otto.get(path).content for path in read)
    state = json.dumps(story.node.state, ensure_ascii=False).encode()
    assert leaks(answers + state + caplog.text.encode() + rows(), SECRET) == []


def test_a_repeat_is_recognised_by_no_hash_that_a_guess_could_be_held_against(
    story: Story, otto: ApiClient
) -> None:
    import hashlib

    body = json.dumps({"name": "db", "value": SECRET}).encode()
    set_(otto, idempotency_key="once")
    kept = IdempotencyRecord.objects.get()
    head = f"POST\n/api/v1{PLACE}\n".encode()
    assert kept.request_hash != hashlib.sha256(head + body).hexdigest()
    again = otto.post(PLACE, {"name": "db", "value": SECRET}, idempotency_key="once")
    assert again["Idempotency-Replayed"] == "true"
    assert SecretVersion.objects.count() == 1


def test_another_value_reaches_replicas_without_a_release(story: Story, otto: ApiClient) -> None:
    set_(otto)
    story.live(serving=NAMED)
    first, revision = SecretVersion.objects.get(), Revision.objects.get()
    secret = first.secret_id
    answer = otto.post(f"/secrets/{secret}/rotate", {"value": "another"})
    assert answer.status_code == 200 and answer.json()["version"] == 2
    story.settle()
    second = SecretVersion.objects.get(number=2)
    (told,) = story.node.revisions().values()
    assert told["secrets"]["db"]["value"] == second.pk
    assert given(story, revision, second) == "another"
    former = story.node.call("GET", f"/agent/v1/secrets/{revision.pk}/db/{first.pk}")
    assert former.status_code == 404
    assert SecretVersion.objects.get(number=1).sealed == ""


def test_a_value_that_is_forgotten_while_it_is_sealed_for_a_node_stays_forgotten(
    story: Story, otto: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_(otto)
    story.live(serving=NAMED)
    SealedSecret.objects.all().delete()
    read = SealingKey.read

    def late(public: str) -> SealingKey:
        monkeypatch.setattr(SealingKey, "read", read)
        set_(otto, "another")
        return read(public)

    monkeypatch.setattr(SealingKey, "read", late)
    seal_for(Revision.objects.get().endpoint.target_id)
    assert not SealedSecret.objects.exclude(sealed="").exists()
    assert SecretVersion.objects.exclude(sealed="").get().number == 2


def test_what_is_in_use_is_not_revoked_and_what_is_revoked_starts_nothing(
    story: Story, otto: ApiClient
) -> None:
    set_(otto)
    waiting = story.release("development", serving=NAMED, plan={"start": "manual"})
    secret = SecretVersion.objects.get().secret_id
    assert otto.post(f"/secrets/{secret}/revoke").status_code == 200
    assert otto.post(f"/secrets/{secret}/revoke").json()["code"] == "secret_gone"
    assert SecretVersion.objects.get().sealed == ""
    with pytest.raises(DoesNotFit, match="has no secret risk/db with a value"):
        start_rollout(Release.objects.get(pk=waiting.pk), actor=SYSTEM)

    set_(otto, "another")
    start_rollout(Release.objects.get(pk=waiting.pk), actor=SYSTEM)
    story.settle()
    answer = otto.post(f"/secrets/{secret}/revoke")
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("Used by churn.")


def test_a_secret_that_is_not_there_and_one_of_another_project_are_refused_alike(
    story: Story, otto: ApiClient
) -> None:
    set_(otto)
    bento = story.world.bento(story.world.version())
    ask = lambda name: story.world.ask(bento, serving={"secrets": {"DB": name}})  # noqa: E731
    for name in ("token", "other/db", "risk/token"):
        said = f"/serving/secrets/DB development of risk has no secret {name} with a value"
        status, detail = ask(name)
        assert (status, detail.startswith(said)) == (400, True), detail
    assert ask("db") == (201, "")


def test_who_may_set_and_who_may_use(story: Story, otto: ApiClient) -> None:
    ada = api(story.people["Ada"])
    assert ada.post(PLACE, {"name": "db", "value": SECRET}).status_code == 403
    set_(otto)
    assert ada.get(PLACE).json()["items"][0]["version"] == 1
    for value in ("", "x" * (64 * 1024 + 1)):
        answer = otto.post(PLACE, {"name": "db", "value": value})
        assert answer.status_code == 400 and "/value" in answer.content.decode()


def test_a_node_without_a_key_is_given_none_and_another_key_another_copy(
    story: Story, otto: ApiClient
) -> None:
    set_(otto)
    story.live(serving=NAMED)
    copy = SealedSecret.objects.get()
    from placet_protocol.secret_box import OpeningKeys

    fresh = OpeningKeys.generate()
    story.node.upgraded(secret_key=fresh.public.write().strip())
    story.run_jobs("control")
    again = SealedSecret.objects.get()
    assert again.sealed != copy.sealed and again.public_key != copy.public_key
    story.node.upgraded(secret_key="", features=PLATFORM["features"][:-1])
    waiting = story.release("development", serving=NAMED, plan={"start": "manual"})
    with pytest.raises(DoesNotFit, match="has no key for secrets"):
        start_rollout(waiting, actor=SYSTEM)


def test_values_are_encrypted_anew_after_a_rotation_of_the_key(
    story: Story, otto: ApiClient, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.jobs.handlers import LeasedJob
    from apps.serving import actions, queries
    from placet.kernel.keystore import ensure_keys

    ensure_keys(tmp_path / "keys")
    monkeypatch.setattr(config(), "keys_dir", tmp_path / "keys")
    set_(otto)
    before = SecretVersion.objects.get().sealed
    key = rotate_secret(tmp_path / "keys")
    behind = queries.versions_behind_key(key)
    assert len(behind) == 1

    class Job(LeasedJob):
        def fence(self) -> None:
            """Nobody else has it."""

    job = Job.__new__(Job)
    assert actions.reseal_secrets(behind, opening_keys(), job=job) == 1
    assert SecretVersion.objects.get().sealed != before
    assert queries.versions_behind_key(key) == []
