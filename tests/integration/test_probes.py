"""What a load balancer, a scraper and a browser are told about the server itself."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from tests.support.factories import browser, person, project

pytestmark = pytest.mark.django_db


def test_a_living_server_says_so_without_a_database(django_db_blocker: Any) -> None:
    with django_db_blocker.block():
        answer = Client().get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_server_with_its_database_is_ready() -> None:
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["database"]) == (200, "ok")


def test_a_server_without_its_database_is_not_ready_and_says_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import psycopg

    def away(*_args: object, **_kwargs: object) -> None:
        raise psycopg.OperationalError("connection to secret-host failed")

    monkeypatch.setattr(connection, "cursor", away)
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "unavailable", "database": "OperationalError"}
    assert Client().get("/livez").status_code == 200


def test_metrics_are_in_prometheus_form() -> None:
    answer = Client().get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    assert b"\nplacet_" in answer.content


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/models/",
        "/admin/",
        "/accounts/login/",
        "/api/v1/whoami",
        "/api/docs/",
        "/no-such",
        "/api/docs/?script=",
        "/api/schema/",
        "/api/v1/no-such",
    ],
)
def test_every_answer_has_the_security_headers(path: str) -> None:
    for client in (browser(), browser(person("Ann", {"admin": None, "viewer": project("risk")}))):
        answer = client.get(path)
        policy = answer["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["Referrer-Policy"] == "same-origin"
        html = answer.content if "html" in answer["Content-Type"] else b""
        assert b"<style" not in html
        assert b"<script>" not in html
        assert b' onclick="' not in html


def test_the_api_docs_come_from_local_files() -> None:
    page = Client().get("/api/docs/").content.decode()
    assert "swagger-ui-bundle.js" in page
    assert "http://" not in page
    assert "https://" not in page
    script = Client().get("/api/docs/?script=")
    assert script["Content-Type"].startswith("application/javascript")
    assert "SwaggerUIBundle(" in script.content.decode()
