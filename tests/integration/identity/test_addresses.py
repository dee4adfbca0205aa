"""An address is one person's, whatever letters Unicode has that look or count as others."""

from io import StringIO
from typing import Any

import pytest
from allauth.account.adapter import get_adapter
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.assurance.queries.named_items import named_person
from apps.identity import actions
from apps.identity.models import User
from apps.identity.queries import fresh_grants
from apps.identity.sign_in.forms import AddressField
from apps.registry.actions import declare
from apps.serving.actions import create_target
from placet.kernel.actor import SYSTEM
from placet.kernel.problems import InvalidInput, NotFound
from tests.integration.identity.identity_provider import Provider, come_in, who
from tests.support.database import sql
from tests.support.factories import actor_of, api, browser, grant, person, project, team

pytestmark = pytest.mark.django_db
KELVIN, DOTTED, LONG_S, DOTLESS = "\u212a", "\u0130", "\u017f", "\u0131"
ALIKE = [
    (f"{KELVIN}im@example.com", "kim@example.com"),
    (f"kim@{KELVIN}iosk.example", "kim@kiosk.example"),
    (f"k{DOTTED}m@example.com", "kim@example.com"),
    (f"k{DOTLESS}m@example.com", "kim@example.com"),
    (f"{LONG_S}am@example.com", "sam@example.com"),
    ("kim@\uff45xample.com", "kim@example.com"),
    ("\uff4bim@example.com", "kim@example.com"),
    ("kim@example.com\u3000", "kim@example.com"),
]


def kim(email: str, password: str | None = None) -> User:
    return actions.create_person(email=email, name="Kim", password=password, actor=SYSTEM)


@pytest.mark.parametrize(("said", "email"), ALIKE, ids=ascii)
def test_an_address_that_only_looks_like_somebodys_opens_nothing(
    provider: Provider, said: str, email: str
) -> None:
    kim(email)
    client, answer = come_in(provider, email=said, email_verified=True)
    assert (answer.status_code, who(client)) == (403, None)
    client, _ = come_in(provider, email=email.upper(), email_verified=True)
    assert who(client)


@pytest.mark.parametrize(("said", "email"), ALIKE[:-1], ids=ascii)
def test_nobody_signs_in_or_gets_a_reset_with_an_address_that_looks_like_theirs(
    said: str, email: str, mailoutbox: list[Any]
) -> None:
    kim(email, "a long passphrase")
    client = browser()
    for typed, signed_in in ((said, False), (email.upper(), True)):
        client.post("/accounts/password/reset/", {"email": typed})
        assert [m.to for m in mailoutbox] == [[email]] * signed_in
        client.post("/accounts/login/", {"login": typed, "password": "a long passphrase"})
        assert bool(who(client)) is signed_in


def test_the_forms_take_an_address_of_other_letters_from_before_in_any_case() -> None:
    field = AddressField()
    assert field.clean(" Ada@b\u00fccher.Example") == "ada@b\u00fccher.example"
    with pytest.raises(ValidationError, match="as it is written"):
        field.clean(f"ada@b\u00fccher.{KELVIN}iosk")


def test_an_address_of_other_letters_from_before_is_compared_as_it_is() -> None:
    """Earlier releases took an international domain as it was typed."""
    ada = person("Ada")
    sql("UPDATE identity_user SET email = %s WHERE id = %s", "ada@b\u00fccher.example", ada.pk)
    assert User.objects.with_email("Ada@b\u00fccher.Example").get() == ada


@pytest.mark.parametrize(("said", "email"), ALIKE[:-1], ids=ascii)
def test_nobody_is_added_under_an_address_that_looks_like_another(said: str, email: str) -> None:
    ann = person("Ann", roles={"admin": None})
    with pytest.raises(InvalidInput) as refused:
        kim(said)
    assert [e.pointer for e in refused.value.errors] == ["/email"]
    answer = api(ann).post("/people", {"email": said, "name": "Kim"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/email"
    browser(ann).post("/admin/identity/user/add/", {"email": said, "name": "Kim"})
    assert not User.objects.filter(name="Kim").exists()


@pytest.mark.parametrize(("said", "email"), ALIKE[:-1], ids=ascii)
def test_the_command_line_takes_nobody_for_another(said: str, email: str) -> None:
    found = kim(email)
    with pytest.raises(CommandError):
        call_command("setup_link", said, stdout=StringIO())
    with pytest.raises(CommandError):
        call_command("create_admin", "--email", said, stdout=StringIO())
    assert not fresh_grants(found.pk, lock=False)


def test_an_address_is_found_in_any_case() -> None:
    found = kim("Kim@Example.com")
    assert found.email == "kim@example.com"
    assert User.objects.get_by_natural_key("KIM@example.COM") == found
    call_command("setup_link", " KIM@example.com", stdout=StringIO())


@pytest.mark.parametrize(("said", "email"), ALIKE[:-1], ids=ascii)
def test_nobody_is_named_by_an_address_that_looks_like_theirs(said: str, email: str) -> None:
    risk = project("risk")
    grant(kim(email), {"viewer": risk})
    ada = actor_of(person("Ada", roles={"contributor": risk}))
    with pytest.raises(InvalidInput):
        declare(risk, fact="data_owner", about="sha256:" + "d" * 64, person=said, actor=ada)
    with pytest.raises(InvalidInput):
        create_target(name="plant-8", owner=said, actor=SYSTEM)
    assert create_target(name="plant-8", owner=email.upper(), actor=SYSTEM).owner


@pytest.mark.parametrize(("said", "email"), ALIKE[:-1], ids=ascii)
def test_a_recall_names_nobody_by_an_address_that_looks_like_theirs(said: str, email: str) -> None:
    row = kim(email)
    with CaptureQueriesContext(connection) as asked:
        assert named_person(email.upper(), SYSTEM) == row.pk
        with pytest.raises(NotFound):
            named_person(said, SYSTEM)
    assert "UPPER(" not in str(asked.captured_queries), "what that does is up to its locale"


def test_failed_sign_ins_are_counted_for_an_address_as_it_is_compared() -> None:
    counted_for = get_adapter()._get_login_attempts_cache_key
    assert counted_for(None, email=" KIM@Example.com") == "kim@example.com"
    for said, email in ALIKE[:-1]:
        assert counted_for(None, email=said) != email, ascii(said)


@pytest.mark.parametrize(("said", "email"), ALIKE[:-1], ids=ascii)
def test_nobody_is_put_into_a_team_or_found_in_the_log_by_an_address_that_looks_like_theirs(
    said: str, email: str
) -> None:
    row, ann = kim(email), person("Ann", roles={"admin": None, "auditor": None})
    crew, desk = team("Crew"), browser(ann)
    with CaptureQueriesContext(connection) as asked:
        for typed, members in ((said, []), (f" {email.upper()} ", [row])):
            desk.post(f"/administration/teams/{crew.pk}/members/add", {"who": typed})
            assert [one.person for one in crew.memberships.all()] == members
        for name in ("person", "object"):
            answer = api(ann).get(f"/audit/events?{name}={email.upper()}")
            assert bool(answer.json()["items"]) is (name == "object"), "who has done nothing yet"
    upper = 'UPPER("identity_user"."email"'
    assert upper not in str(asked.captured_queries), "what that does is up to its locale"


@pytest.mark.parametrize("said", ['"kim"@example.com', '"k\\im"@example.com', "kim@example.com."])
def test_a_mailbox_has_one_spelling(said: str) -> None:
    kim("kim@example.com")
    with pytest.raises(InvalidInput) as refused:
        kim(said)
    (fault,) = refused.value.errors
    assert fault.pointer == "/email"
    assert ("quotation marks" in fault.detail) is ('"' in said)
