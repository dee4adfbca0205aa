"""Somebody who writes the tables by hand does not get in as somebody else."""

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client

from apps.audit.actions import record
from apps.audit.models import Event
from apps.governance.errors import NoRole
from apps.identity import actions
from apps.identity.actions.credentials import change_credentials
from apps.identity.errors import NotVouched
from apps.identity.models import CredentialChanges, RoleBinding, User
from apps.identity.trust.vouching import is_vouched
from placet.kernel.actor import SYSTEM
from placet.kernel.ids import new_id
from placet.kernel.problems import Forbidden
from tests.support import factories
from tests.support.database import sql
from tests.support.factories import actor_of, browser, person
from tests.support.world import World

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"
STOLEN = "battery staple horse correct"


@pytest.fixture(autouse=True)
def no_rate_limit_from_other_tests() -> None:
    cache.clear()


@pytest.fixture
def alma(world: World) -> User:
    """A reviewer with a password."""
    return person("Alma", roles={"reviewer": world.project}, password=PASSWORD)


def sign_in(email: str, password: str = PASSWORD) -> tuple[Client, Any]:
    """Try to sign in; return the browser and the answer."""
    client = browser()
    answer = client.post("/accounts/login/", {"login": email, "password": password})
    return client, answer


def who(client: Client) -> str | None:
    """Return who is signed in."""
    answer = client.get("/api/v1/whoami")
    return str(answer.json()["id"]) if answer.status_code == 200 else None


def other_password(alma: User) -> None:
    sql("UPDATE identity_user SET password = %s WHERE id = %s", make_password(STOLEN), alma.pk)


def other_address(alma: User) -> None:
    sql("UPDATE identity_user SET email = 'eve@example.com' WHERE id = %s", alma.pk)


def more_flags(alma: User) -> None:
    sql("UPDATE identity_user SET is_staff = true, is_superuser = true WHERE id = %s", alma.pk)


def second_address(alma: User) -> None:
    sql(
        'INSERT INTO account_emailaddress (user_id, email, verified, "primary")'
        " VALUES (%s, 'eve@example.com', true, true)",
        alma.pk,
    )


def strange_factor(alma: User) -> None:
    sql(
        "INSERT INTO mfa_authenticator (user_id, type, data, created_at)"
        ' VALUES (%s, \'webauthn\', \'{"name": "x", "credential": {}}\', now())',
        alma.pk,
    )


def strange_identity(alma: User) -> None:
    sql(
        "INSERT INTO socialaccount_socialaccount (user_id, provider, uid, last_login, date_joined,"
        " extra_data) VALUES (%s, 'oidc', 'eve', now(), now(), '{}')",
        alma.pk,
    )


TAMPERINGS = [
    other_password,
    other_address,
    more_flags,
    second_address,
    strange_factor,
    strange_identity,
]
Tampering = Callable[[User], None]


@pytest.mark.parametrize("tamper", TAMPERINGS)
def test_a_person_changed_by_hand_neither_signs_in_nor_decides(
    world: World, alma: User, tamper: Tampering
) -> None:
    waiting, actor = world.request("staging"), actor_of(alma)
    tamper(alma)
    email = "eve@example.com" if tamper is other_address else "alma@example.com"
    client, answer = sign_in(email, STOLEN if tamper is other_password else PASSWORD)
    if tamper is strange_factor:  # asked for the passkey first; see the test of the browser
        assert answer.status_code == 302
    else:
        assert answer.status_code == 403
        assert b"changed outside Placet" in answer.content
        last = Event.objects.filter(kind="session.refused.v1").latest("index")
        assert (last.subject, '"method":"not_vouched"' in last.body) == (alma.pk, True)
    assert who(client) is None
    with pytest.raises(NoRole):
        world.decide(waiting, actor)


@pytest.mark.parametrize("tamper", TAMPERINGS)
def test_an_action_does_not_make_good_what_was_changed_by_hand(
    alma: User, tamper: Tampering
) -> None:
    tamper(alma)
    for act in (
        lambda: actions.update_person(alma, name="Alma", actor=SYSTEM),
        lambda: actions.reactivate_person(alma, actor=SYSTEM),
        lambda: actions.setup_link(alma, actor=SYSTEM),
        lambda: actions.grant_role(role="auditor", person=alma, actor=SYSTEM),
        lambda: actions.add_member(factories.team("T"), person=alma, actor=SYSTEM),
    ):
        with pytest.raises(NotVouched):
            act()
    assert not is_vouched(User.objects.get(pk=alma.pk))


@pytest.mark.parametrize("tamper", TAMPERINGS)
def test_deactivating_puts_an_account_right(world: World, alma: User, tamper: Tampering) -> None:
    tamper(alma)
    actions.deactivate_person(alma, actor=SYSTEM)
    actions.reactivate_person(alma, actor=SYSTEM)
    row = User.objects.get(pk=alma.pk)
    assert (row.email, row.is_staff, row.is_superuser) == ("alma@example.com", False, False)
    client = browser()
    page = client.get(actions.setup_link(row, actor=SYSTEM), follow=True)
    new = {"password1": PASSWORD, "password2": PASSWORD}
    assert client.post(page.redirect_chain[-1][0], new).status_code == 302
    assert who(client) == alma.pk
    world.decide(world.request("staging"), actor_of(row))


@pytest.mark.parametrize("tamper", TAMPERINGS)
def test_what_was_changed_and_changed_back_still_shows(alma: User, tamper: Tampering) -> None:
    """Nobody exchanges a credential for the moment between its use and the look at the log."""
    before = User.objects.get(pk=alma.pk)
    tamper(alma)
    User.objects.filter(pk=alma.pk).update(
        email=before.email, password=before.password, is_staff=False, is_superuser=False
    )
    for table in ("account_emailaddress", "mfa_authenticator", "socialaccount_socialaccount"):
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table}")
    assert not is_vouched(User.objects.get(pk=alma.pk))
    assert who(sign_in("alma@example.com")[0]) is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE identity_credentialchanges SET count = count - 1",
        "DELETE FROM identity_credentialchanges",
        "INSERT INTO identity_credentialchanges VALUES ('per_1', 1)",
        "TRUNCATE identity_credentialchanges",
        "DROP TRIGGER identity_user_credentials ON identity_user",
        "ALTER TABLE identity_user DISABLE TRIGGER ALL",
    ],
)
def test_the_count_of_changes_cannot_be_set_back(alma: User, statement: str) -> None:
    before = CredentialChanges.objects.get(pk=alma.pk).count
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert CredentialChanges.objects.get(pk=alma.pk).count == before


def test_a_reset_link_asked_for_by_an_address_written_in_by_hand_opens_nothing(
    alma: User, mailoutbox: list[Any]
) -> None:
    second_address(alma)
    browser().post("/accounts/password/reset/", {"email": "eve@example.com"})
    links = [re.search(r"/accounts/password/reset/key/\S+", m.body) for m in mailoutbox]
    sql("DELETE FROM account_emailaddress WHERE user_id = %s", alma.pk)
    for link in links:
        assert link
        page = browser().get(link[0], follow=True)
        assert b'name="password1"' not in page.content


def test_a_reset_link_asked_for_in_good_faith_dies_with_a_change_by_hand(alma: User) -> None:
    link = actions.setup_link(alma, actor=SYSTEM)
    assert b'name="password1"' in browser().get(link, follow=True).content
    strange_identity(alma)
    assert b'name="password1"' not in browser().get(link, follow=True).content


def test_the_own_password_is_changed_and_the_new_one_vouched_for(alma: User) -> None:
    client, _ = sign_in("alma@example.com")
    new = {"oldpassword": PASSWORD, "password1": STOLEN, "password2": STOLEN}
    assert client.post("/accounts/password/change/", new).status_code == 302
    assert is_vouched(User.objects.get(pk=alma.pk))
    assert who(sign_in("alma@example.com", STOLEN)[0]) == alma.pk


def test_an_open_session_does_not_make_good_what_was_added_by_hand(alma: User) -> None:
    client, _ = sign_in("alma@example.com")
    strange_identity(alma)
    new = {"oldpassword": PASSWORD, "password1": STOLEN, "password2": STOLEN}
    assert client.post("/accounts/password/change/", new).status_code == 409
    assert client.post("/accounts/2fa/totp/activate/", {"code": "1"}).status_code == 409
    assert not is_vouched(User.objects.get(pk=alma.pk))


def test_an_older_hash_is_renewed_at_sign_in_and_vouched_for(
    alma: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = User.objects.get(pk=alma.pk).password
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", PBKDF2PasswordHasher.iterations + 1)
    assert who(sign_in("alma@example.com")[0]) == alma.pk
    row = User.objects.get(pk=alma.pk)
    assert row.password != old
    assert is_vouched(row)
    assert Event.objects.filter(kind="credentials.rehashed.v1").count() == 1


def test_an_older_hash_put_there_by_hand_is_not_made_good(
    alma: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_password(alma)
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", PBKDF2PasswordHasher.iterations + 1)
    assert who(sign_in("alma@example.com", STOLEN)[0]) is None
    assert not is_vouched(User.objects.get(pk=alma.pk))


def test_a_second_factor_taken_away_by_hand_lets_nobody_in(alma: User) -> None:
    change_credentials(alma, lambda row: TOTP.activate(row, generate_totp_secret()))
    assert is_vouched(User.objects.get(pk=alma.pk))
    sql("DELETE FROM mfa_authenticator WHERE user_id = %s", alma.pk)
    client, answer = sign_in("alma@example.com")
    assert (answer.status_code, who(client)) == (403, None)


def test_using_a_factor_changes_nothing_that_is_vouched_for(alma: User) -> None:
    change_credentials(alma, lambda row: TOTP.activate(row, generate_totp_secret()))
    factor = Authenticator.objects.get(user=alma)
    factor.record_usage()
    factor.data["used_mask"] = 3
    factor.save()
    assert is_vouched(User.objects.get(pk=alma.pk))


def test_a_person_made_by_hand_neither_signs_in_nor_is_made_good(world: World) -> None:
    made = new_id("per")
    sql(
        "INSERT INTO identity_user (id, password, is_superuser, email, name, is_active, is_staff,"
        " created_at) VALUES (%s, %s, true, 'eve@example.com', 'Eve', true, true, now())",
        made,
        make_password(STOLEN),
    )
    client, answer = sign_in("eve@example.com", STOLEN)
    assert (answer.status_code, who(client)) == (403, None)
    with pytest.raises(NotVouched, match="Nobody added this person"):
        actions.deactivate_person(User.objects.get(pk=made), actor=SYSTEM)


def test_an_address_swapped_with_the_name_of_another_gets_no_role(alma: User) -> None:
    """``create_admin`` finds people by address: it must not make somebody else an admin."""
    eve = person("Eve")
    sql("UPDATE identity_user SET email = 'gone@example.com' WHERE id = %s", alma.pk)
    sql("UPDATE identity_user SET email = 'alma@example.com' WHERE id = %s", eve.pk)
    with pytest.raises(CommandError, match="changed outside Placet"):
        call_command("create_admin", "--email", "alma@example.com")


def test_create_admin_gives_a_role_that_counts_where_one_was_written_in_by_hand(
    alma: User, capsys: pytest.CaptureFixture[str]
) -> None:
    sql(
        "INSERT INTO identity_rolebinding (id, role, person_id, environment, granted_by,"
        " created_at) VALUES (%s, 'admin', %s, '', 'system', now())",
        new_id("rol"),
        alma.pk,
    )
    for _ in range(2):
        call_command("create_admin", "--email", "alma@example.com")
        assert RoleBinding.objects.filter(person=alma, role="admin").count() == 1
        actions.create_team(name=new_id("t"), actor=actor_of(alma))


def test_an_access_admin_made_by_hand_manages_no_access(world: World) -> None:
    mallory = person("Mallory", roles={"viewer": None})
    sql("UPDATE identity_rolebinding SET role = 'admin' WHERE person_id = %s", mallory.pk)
    actor, eve = actor_of(mallory), person("Eve")
    assert actor.can("access.manage")
    for act in (
        lambda: actions.grant_role(role="reviewer", person=eve, project=world.project, actor=actor),
        lambda: actions.create_person(email="x@example.com", name="X", actor=actor),
        lambda: actions.deactivate_person(eve, actor=actor),
        lambda: actions.setup_link(eve, actor=actor),
        lambda: actions.create_team(name="T", actor=actor),
    ):
        with pytest.raises(Forbidden, match="does not vouch"):
            act()


def test_a_session_put_off_by_hand_has_ended(alma: User, time_machine: Any) -> None:
    time_machine.move_to("2026-11-25T08:00:00Z", tick=True)
    client, _ = sign_in("alma@example.com")
    assert who(client) == alma.pk
    time_machine.move_to("2026-11-25T20:30:00Z", tick=True)
    sql("UPDATE django_session SET expire_date = '2030-01-01T00:00:00Z'")
    assert Session.objects.exists()
    assert who(client) is None


def test_the_server_repairs_an_account_by_command(
    alma: User, capsys: pytest.CaptureFixture[str]
) -> None:
    other_address(alma)
    with pytest.raises(CommandError, match="changed outside Placet"):
        call_command("setup_link", alma.pk)
    call_command("setup_link", alma.pk, "--repair")
    link = re.search(r"http://localhost:\d+(/accounts/\S+)", capsys.readouterr().out)
    assert link
    assert b'name="password1"' in browser().get(link[1], follow=True).content
    call_command("setup_link", "Alma@example.com")
    with pytest.raises(CommandError, match="Nobody has"):
        call_command("setup_link", "nobody@example.com")


@pytest.mark.django_db(transaction=True)
def test_what_is_added_during_a_change_waits_and_is_not_vouched_for() -> None:
    """A second writer adds an identity after the first looked and before it commits."""
    alma = person("Alma", password=PASSWORD)

    def add_by_hand() -> None:
        strange_identity(alma)
        connection.close()

    writer = threading.Thread(target=add_by_hand)

    def change(row: User) -> None:
        writer.start()
        while not waiting_for_a_lock():
            assert writer.is_alive(), "nothing kept the second writer waiting"
        TOTP.activate(row, generate_totp_secret())

    change_credentials(alma, change)
    writer.join()
    assert SocialAccount.objects.filter(user=alma).exists()
    assert not is_vouched(User.objects.get(pk=alma.pk))


def waiting_for_a_lock() -> bool:
    """Tell whether another connection to this database waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        row = cursor.fetchone()
    return bool(row and row[0])


def test_several_actions_in_one_unit_of_work_vouch_for_each_other() -> None:
    with record(SYSTEM):
        eve = person("Eve", roles={"auditor": None})
        actions.update_person(eve, name="Eve B.", actor=SYSTEM)
        actions.setup_link(eve, actor=SYSTEM)
    assert is_vouched(User.objects.get(pk=eve.pk))
