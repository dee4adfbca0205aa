"""Access that somebody writes into the log by hand: nobody decides by it, and it is found."""

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.audit.models import Event
from apps.audit.queries import verify_database
from apps.governance.errors import NoRole
from apps.identity.actions import grant_role, revoke_role
from apps.identity.models import RoleBinding, User
from placet.kernel.actor import SYSTEM
from placet.kernel.keystore import KeyUnavailable, signer
from placet_verify import canonical
from placet_verify.log import seals
from placet_verify.log.merkle import leaf_hash
from tests.support import factories
from tests.support.database import sql
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def mallory(world: World) -> User:
    """Somebody who may look, with a role that was written into the table by hand."""
    person = factories.person("Mallory", roles={"viewer": world.project})
    sql("UPDATE identity_rolebinding SET role = 'reviewer' WHERE person_id = %s", person.pk)
    return person


def last_grant(person: User) -> dict[str, Any]:
    """Return the body of the event that gave ``person`` their role, saying ``reviewer`` now."""
    binding = RoleBinding.objects.get(person=person)
    event = Event.objects.filter(kind="role.granted.v1", subject=binding.pk).latest("index")
    body: dict[str, Any] = json.loads(event.body)
    body["after"][f"identity.rolebinding:{binding.pk}"]["role"] = "reviewer"
    body["data"]["role"] = "reviewer"
    return body


def append_by_hand(body: dict[str, Any], *, key: str = "") -> int:
    """Append an event as somebody does who has the application's database role; return its leaf.

    ``key`` is a worker's key that it is sealed with.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, size FROM audit_loghead")
        role, index = cursor.fetchone()
        assert role == "placet_app"
    if key:
        unsealed = {name: value for name, value in body.items() if name != "seal"}
        body = seals.seal(unsealed, index, signer(key))  # type: ignore[arg-type]
    text = canonical.dumps(body)
    sql("UPDATE audit_loghead SET size = size + 1")
    sql(
        'INSERT INTO audit_event ("index", body, leaf_hash) VALUES (%s, %s, %s)',
        index,
        text.decode(),
        leaf_hash(text),
    )
    return int(index)


def cannot_decide(world: World, person: User) -> bool:
    """Tell whether ``person`` is refused as a reviewer in staging."""
    waiting = world.request("staging")
    with pytest.raises(NoRole):
        world.decide(waiting, factories.actor_of(person))
    return True


@pytest.mark.parametrize("key", ["", "state", "log", "build"])
def test_a_forged_event_gives_no_role_and_is_named(
    world: World, mallory: User, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The seal of the real event stays in the body (``key`` empty), or is made anew by a key that
    a worker has."""
    leaf = append_by_hand(last_grant(mallory), key=key)
    assert cannot_decide(world, mallory)
    found = verify_database()
    assert (found.fault, found.ok) == (None, False)
    assert [f.place for f in found.report.unsealed] == [f"leaf {leaf}"]
    with pytest.raises(CommandError, match="the log is intact, but somebody appended"):
        call_command("audit", "verify")
    assert f"leaf {leaf}: " in capsys.readouterr().out


def test_an_event_without_any_seal_gives_no_role(world: World, mallory: User) -> None:
    body = last_grant(mallory)
    del body["seal"]
    leaf = append_by_hand(body)
    assert cannot_decide(world, mallory)
    assert verify_database().report.unsealed[0].sentence == f"leaf {leaf}: it has no seal"


def test_a_real_event_appended_again_gives_a_revoked_role_back_to_nobody(world: World) -> None:
    rita = world.people["Rita"]
    body = last_grant(rita)
    binding = RoleBinding.objects.get(person=rita)
    columns = (
        binding.pk,
        binding.role,
        rita.pk,
        binding.project_id,
        binding.granted_by,
        binding.created_at,
    )
    revoke_role(binding, actor=SYSTEM)
    sql(
        "INSERT INTO identity_rolebinding (id, role, person_id, project_id, environment,"
        " granted_by, created_at) VALUES (%s, %s, %s, %s, '', %s, %s)",
        *columns,
    )
    assert cannot_decide(world, rita)
    append_by_hand(body)
    assert cannot_decide(world, rita)


def test_a_log_whose_head_was_moved_does_not_bring_a_revoked_role_back(world: World) -> None:
    """The role is granted at a place far ahead, and revoked at a place before it."""
    sam = factories.person("Sam", roles={"viewer": world.project})
    sql("UPDATE audit_loghead SET size = size + 500")
    binding = grant_role(role="reviewer", person=sam, project=world.project, actor=SYSTEM)
    created = binding.created_at
    sql("UPDATE audit_loghead SET size = size - 501")
    revoke_role(binding, actor=SYSTEM)
    sql(
        "INSERT INTO identity_rolebinding (id, role, person_id, project_id, environment,"
        " granted_by, created_at) VALUES (%s, 'reviewer', %s, %s, '', 'system', %s)",
        binding.pk,
        sam.pk,
        world.project.pk,
        created,
    )
    assert cannot_decide(world, sam)


def test_a_worker_cannot_give_access(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    eve = factories.person("Eve")
    for process in ("control", "build", "agent"):
        monkeypatch.setenv("PLACET_PROCESS", process)
        with pytest.raises(KeyUnavailable, match="has no access to the access key"):
            grant_role(role="reviewer", person=eve, project=world.project, actor=SYSTEM)
    assert not RoleBinding.objects.filter(person=eve).exists()
