"""A node's download that is cut goes on, and bytes of another digest are none."""

import hashlib
import os
from pathlib import Path

import pytest

from placet_agent import client
from placet_agent.client import Broken, Client, Unreachable
from placet_verify.signing.keys import PrivateKey
from tests.support.cutting import cutting

BODY = os.urandom(3_000_000)
DIGEST = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for."""
    monkeypatch.setattr(client, "PAUSES", (0, 0, 0))


def fetch(url: str, to: Path, size: int | None = len(BODY)) -> None:
    """Download it as a node does."""
    node = Client(url, PrivateKey.generate(), "nod_1")
    try:
        node.download(DIGEST, size, to)
    finally:
        node.close()


def test_one_that_is_cut_goes_on_where_it_was(tmp_path: Path) -> None:
    with cutting(BODY, 1 << 20, 1 << 20) as server:
        fetch(server.url, tmp_path / "bento")
        assert [at for at, _ in server.asked] == [None, f"bytes={1 << 20}-", f"bytes={2 << 20}-"]
    assert (tmp_path / "bento").read_bytes() == BODY


def test_one_goes_on_as_long_as_more_comes_and_past_what_a_proxy_says(tmp_path: Path) -> None:
    with cutting(BODY, 1 << 19, -502, -503, 1 << 19, -504, -502, 1 << 19, 1 << 19) as server:
        fetch(server.url, tmp_path / "bento")
        assert len(server.asked) == 9
    assert (tmp_path / "bento").read_bytes() == BODY


def test_a_platform_that_gives_no_rest_gives_all_of_it_again(tmp_path: Path) -> None:
    with cutting(BODY, 1 << 20) as server:
        server.ranges = False
        fetch(server.url, tmp_path / "bento")
    assert (tmp_path / "bento").read_bytes() == BODY


def test_one_that_is_cut_again_and_again_is_given_up(tmp_path: Path) -> None:
    with cutting(BODY, *[1 << 20] * 10) as server:
        server.ranges = False
        with pytest.raises(Broken):
            fetch(server.url, tmp_path / "bento")
        assert len(server.asked) == 4


def test_other_bytes_are_refused_where_they_are_too_many_at_once(tmp_path: Path) -> None:
    with cutting(BODY, 1 << 20) as server:
        with pytest.raises(Unreachable, match="more than the 2000000 announced"):
            fetch(server.url, tmp_path / "bento", 2_000_000)
        server.body = BODY[::-1]
        with pytest.raises(Unreachable, match="another digest"):
            fetch(server.url, tmp_path / "other")
    assert not (tmp_path / "other").exists()
