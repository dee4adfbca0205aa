"""What a client says of its way here, which a proxy on the same machine hands on, is not believed:
over the real gunicorn, which takes whoever is local for that proxy."""

from collections.abc import Iterator

import httpx
import pytest

from tests.integration.deploy.test_slow_clients import Web, served


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A web process."""
    with served(tmp_path_factory.mktemp("data")) as made:
        yield made


def status(web: Web, path: str, **headers: str) -> int:
    """Ask for a page; return its answer's status."""
    url = f"http://127.0.0.1:{web.port}{path}"
    return httpx.get(url, headers=headers, timeout=60).status_code


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO"])
def test_no_client_says_where_the_pages_begin(web: Web, name: str) -> None:
    assert status(web, "/livez", **{name: "/x"}) == 200
    assert status(web, "/x/livez", **{name: "/x"}) != 200


@pytest.mark.parametrize("name", ["X-Forwarded-Ssl", "X-Forwarded-Protocol"])
def test_no_other_header_is_held_against_the_proxys(web: Web, name: str) -> None:
    assert status(web, "/livez", **{"X-Forwarded-Proto": "https", name: "no"}) == 200
