"""Whose secrets a stream is let in by: a project's by those of its own folder alone."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from apps.identity.models import Project, User
from tests.integration.integrations.conftest import Feed
from tests.support import factories
from tests.support.certificates import Authority
from tests.support.factories import api
from tests.support.receivers import Receiver, https

pytestmark = pytest.mark.django_db
THEIRS = "Splunk 11111111-2222-3333-4444"
MISSING = "siem.token cannot be read: No such file or directory"


@pytest.fixture
def mine(secrets: Path) -> Path:
    """The folder of a project's secrets, beside those of the instance and of another project."""
    for slug in ("mine", "other"):
        factories.project(slug)
        (secrets / slug).mkdir()
    for folder in (secrets, secrets / "other"):
        (folder / "siem.token").write_text(THEIRS)
    return secrets / "mine"


@pytest.fixture
def eve(mine: Path) -> User:
    """Who administers that project, and nothing else."""
    return factories.person("Eve", roles={"admin": Project.objects.get(slug=mine.name)})


def attempt(who: User, feed: Feed, url: str, **terms: Any) -> str:
    """Have ``who`` add a stream of theirs and test it; return why it did not get through."""
    body = {"name": "own", "kind": "jsonl", "url": url, "project": "mine", **terms}
    stream = api(who).post("/streams", body).json()["id"]
    assert api(who).post(f"/streams/{stream}/test").status_code == 202
    feed.run_jobs("control")
    return str(api(who).get(f"/streams/{stream}").json()["deliveries"][0]["detail"])


def test_a_project_has_no_token_of_the_instance_or_of_another_project_sent(
    feed: Feed, mine: Path, eve: User
) -> None:
    with https(None) as evil:
        for number, name in enumerate(("siem.token", "nothing.token", "other")):
            why = attempt(eve, feed, evil.url, name=f"own-{number}", token_file=name)
            assert why == MISSING.replace("siem.token", name) + (
                ". Its files belong into the folder mine in PLACET_STREAMS_DIR"
            ), "and it does not hear whether others have one of that name"
        assert evil.headers == []
        (mine / "siem.token").write_text("own")
        assert attempt(eve, feed, evil.url, token_file="siem.token") == ""
        assert [sent["Authorization"] for sent in evil.headers] == ["Bearer own"]


def test_nor_has_the_instance_those_of_a_project(
    feed: Feed, receiver: Receiver, mine: Path, secrets: Path
) -> None:
    (secrets / "siem.token").rename(mine / "siem.token")
    stream = feed.go(feed.stream(receiver.url, token_file="siem.token"))
    assert stream.error == f"{MISSING}. Its files belong into PLACET_STREAMS_DIR"


def test_a_certificate_of_others_is_shown_to_nobody(
    feed: Feed, authority: Authority, mine: Path, secrets: Path, eve: User
) -> None:
    chain, key, _ = authority.issue("me")
    (secrets / "me.pem").write_bytes(chain.read_bytes() + key.read_bytes())
    shutil.copy(authority.ca, mine / "ca.pem")
    with https(authority, clients=authority.ca) as receiver:
        files = {"ca_file": "ca.pem", "cert_file": "me.pem"}
        why = attempt(eve, feed, receiver.url, **files)
        assert "cannot be used (No such file or directory). Its files belong into the" in why
        assert receiver.headers == []
        (secrets / "me.pem").rename(mine / "me.pem")
        assert attempt(eve, feed, receiver.url, name="again", **files) == ""


@pytest.mark.parametrize("leads", ["file", "folder", "in circles"])
def test_a_link_that_leads_out_is_not_followed(
    feed: Feed, secrets: Path, mine: Path, eve: User, leads: str
) -> None:
    if leads == "folder":
        mine.rmdir()
        mine.symlink_to(secrets / "other")
    else:
        target = "../siem.token" if leads == "file" else "../mine/siem.token"
        (mine / "siem.token").symlink_to(target)
    with https(None) as evil:
        why = attempt(eve, feed, evil.url, token_file="siem.token")
        expected = "cannot be read" if leads == "in circles" else "siem.token leads out of its"
        assert expected in why
        assert evil.headers == []


def test_one_that_stays_inside_is(feed: Feed, mine: Path, eve: User) -> None:
    (mine / "..data").mkdir()  # as Kubernetes lays secrets out
    (mine / "..data" / "siem.token").write_text("own")
    (mine / "siem.token").symlink_to("..data/siem.token")
    with https(None) as receiver:
        assert attempt(eve, feed, receiver.url, token_file="siem.token") == ""
        assert receiver.headers[0]["Authorization"] == "Bearer own"
