"""A connection that a client keeps answers each of its requests; what signs in is not logged."""

import select
import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.factories import person, token_for
from tests.governed import World
from tests.integration.former.server import Answers, Web, gunicorn

pytestmark = pytest.mark.django_db(transaction=True)
MODELS = "/api/v1/projects/risk/models"
ROUNDS = 40


@pytest.fixture(scope="module")
def web(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """One web process."""
    with gunicorn(tmp_path_factory.mktemp("web")) as made:
        yield made


@pytest.fixture
def head(world: World) -> str:
    """What begins each request of a contributor's."""
    world.version()
    ada = person("Adele", roles={"contributor": world.project})
    return f"Host: localhost\r\nAuthorization: Bearer {token_for(ada)}\r\n"


def connected(web: Web) -> socket.socket:
    """Return a connection over which packets go at once."""
    wire = socket.create_connection(("127.0.0.1", web.port), timeout=20)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return wire


@pytest.mark.parametrize(
    ("path", "status"),
    [(f"{MODELS}/churn/versions/1/finalise", 409), ("/api/v1/nothing", 404)],
    ids=["finalise", "nowhere"],
)
def test_after_a_body_that_nobody_read_the_next_request_is_answered(
    web: Web, head: str, path: str, status: int
) -> None:
    asked = f"POST {path} HTTP/1.1\r\n{head}Content-Length: 2\r\n\r\n".encode()
    read = f"GET {MODELS} HTTP/1.1\r\n{head}\r\n".encode()
    told = []
    with connected(web) as wire, Answers(wire) as answers:
        for _ in range(ROUNDS):
            wire.sendall(asked)
            select.select([wire], [], [], 0.2)  # whether it answers before it has the body
            wire.sendall(b"{}")
            told.append(answers.status())
            wire.sendall(read)
            told.append(answers.status())
            if told[-1] == 0:
                break
    assert told == [status, 200] * ROUNDS


def test_requests_that_are_sent_ahead_of_their_answers_are_answered(web: Web, head: str) -> None:
    asked = f"GET {MODELS} HTTP/1.1\r\n{head}\r\n".encode()
    with connected(web) as wire, Answers(wire) as answers:
        wire.sendall(asked * 3)
        assert [answers.status() for _ in range(3)] == [200] * 3


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        ("/accounts/password/reset/key/1-s3cr3t/", "1-s3cr3t"),
        ("/accounts/oidc/corp/login/callback/?code=c0de", "c0de"),
    ],
    ids=["a key of a set-up link", "a code of an identity provider"],
)
def test_what_signs_somebody_in_is_not_in_the_servers_log(web: Web, path: str, secret: str) -> None:
    httpx.get(f"http://localhost:{web.port}{path}", timeout=60)
    assert web.page()
    logged = secret in web.log.read_text()
    assert not logged, "it stands in the log"
