"""What sign-in counts holds over all web processes together."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.core.cache import cache
from django.db import connection
from django.test import Client

from apps.identity.actions.credentials import change_credentials
from apps.identity.models import SharedValue
from apps.identity.sign_in.shared_cache import forget_expired
from tests.support.factories import person
from tests.support.processes import database_url

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "correct horse battery staple"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def elsewhere(*words: str) -> list[str]:
    """Sign in from another process; return what it printed."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("other_process.py")), *words],
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
            "DJANGO_SETTINGS_MODULE": "placet.settings",
            "PLACET_DATABASE_URL": database_url(),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.isdigit()]


def here(password: str) -> int:
    """Sign in from this process; return the status of what only the signed-in see."""
    client = Client(headers={"host": "localhost"})
    client.post("/accounts/login/", {"login": "ada@example.com", "password": password})
    return client.get("/api/v1/whoami").status_code


def test_guesses_at_two_processes_add_up() -> None:
    person("Ada", password=PASSWORD)
    assert elsewhere("ada@example.com", "-", *["wrong"] * 3)[-1] == "401"
    for _ in range(2):
        assert here("wrong") == 401
    assert here(PASSWORD) == 401
    assert elsewhere("ada@example.com", "-", PASSWORD)[-1] == "401"


def test_the_right_password_in_time_opens_both() -> None:
    person("Ada", password=PASSWORD)
    assert elsewhere("ada@example.com", "-", "wrong", PASSWORD)[-1] == "200"
    assert here(PASSWORD) == 200


def test_a_one_time_code_opens_one_session_whatever_process_it_is_shown_to() -> None:
    ada = person("Ada", password=PASSWORD)
    change_credentials(ada, lambda row: TOTP.activate(row, SECRET))
    for _ in range(10):  # again when the code's half minute ended before all had shown it
        counter = int(time.time()) // 30
        code = format_hotp_value(hotp_value(SECRET, counter))
        shown = [elsewhere("ada@example.com", code, PASSWORD)[-1] for _ in range(2)]
        client = Client(headers={"host": "localhost"})
        client.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})
        client.post("/accounts/2fa/authenticate/", {"code": code})
        shown.append(str(client.get("/api/v1/whoami").status_code))
        if int(time.time()) // 30 == counter:
            break
    assert shown == ["200", "401", "401"]


def test_of_many_that_add_at_once_one_wins() -> None:
    won: list[bool] = []
    start = threading.Barrier(6)

    def add() -> None:
        start.wait()
        won.append(cache.add("code", "used", timeout=30))
        connection.close()

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 5 + [True]


def test_the_cache_forgets_in_time_and_keeps_neither_addresses_nor_codes() -> None:
    cache.set("user=ada@example.com", [1.5, 2.5], timeout=30)
    cache.set("gone", "x", timeout=0)
    assert cache.get("user=ada@example.com") == [1.5, 2.5]
    assert cache.get("gone", "not there") == "not there"
    assert cache.add("gone", "again", timeout=0)
    assert not any("ada" in key for key in SharedValue.objects.values_list("key", flat=True))
    assert forget_expired() == 1
    cache.set("stays", True, timeout=None)
    assert cache.delete("stays")
    assert not cache.delete("stays")
    cache.clear()
    assert not SharedValue.objects.exists()
