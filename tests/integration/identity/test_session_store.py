"""Open sessions, seen by somebody who reads and writes the database but not the browser."""

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from apps.identity.sign_in.session_store import SessionStore, row_key
from placet_protocol.cookies import SESSION
from tests.support.factories import browser, person

pytestmark = pytest.mark.django_db


def signed_in() -> tuple[Client, str]:
    client = browser(person("Ada", roles={"auditor": None}))
    return client, client.cookies[SESSION].value


def test_a_person_stays_signed_in() -> None:
    client, _ = signed_in()
    assert client.get("/tokens/").status_code == 200


def test_what_stands_in_the_table_opens_nothing() -> None:
    _, key = signed_in()
    stored = Session.objects.get().session_key
    assert stored != key
    thief = Client()
    thief.cookies[SESSION] = stored
    assert thief.get("/tokens/").status_code == 302


def test_content_copied_under_a_known_key_opens_nothing() -> None:
    signed_in()
    row = Session.objects.get()
    own = "a" * 32
    Session.objects.create(
        session_key=row_key(own), session_data=row.session_data, expire_date=row.expire_date
    )
    thief = Client()
    thief.cookies[SESSION] = own
    assert thief.get("/tokens/").status_code == 302


def test_signing_out_removes_the_row() -> None:
    client, key = signed_in()
    client.post("/accounts/logout/")
    assert not SessionStore().exists(key)
    client.cookies[SESSION] = key
    assert client.get("/tokens/").status_code == 302
