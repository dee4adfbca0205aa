"""TLS on loopback, for real: the node checks the platform, and clients the node."""

import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from placet_agent import loop
from placet_agent.client import Unreachable
from placet_agent.haproxy.certificate import Certificate
from placet_agent.state.data_dir import Home
from placet_agent.state.joining import join
from tests.integration.agent.conftest import PATH, NodeUnderTest, free_port
from tests.integration.agent.control import Platform
from tests.integration.agent.run_agent import OPTIONS
from tests.integration.agent.test_commands import agent
from tests.integration.agent.test_lifecycle import haproxy
from tests.support.certificates import Authority
from tests.support.forking import Forker


class SecurePlatform(Platform):
    """The same platform over TLS."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://localhost:{self.server.server_port}"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who signed the certificates of this installation."""
    return Authority(tmp_path / "authority")


@pytest.fixture
def platform(platform: Platform, authority: Authority) -> Iterator[Platform]:
    """A platform that answers https alone."""
    made = SecurePlatform(platform.python_version)
    chain, key, _ = authority.issue("platform")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    made.server.socket = context.wrap_socket(
        made.server.socket, server_side=True, do_handshake_on_connect=False
    )
    yield made
    made.close()


@pytest.fixture
def joined(
    platform: Platform, authority: Authority, tmp_path: Path, forker: Forker
) -> Iterator[NodeUnderTest]:
    """A node that joined over TLS."""
    home, port = Home(tmp_path / "node"), free_port()
    join(home, platform.url, platform.token, root="", port=port, pythons=[], ca=str(authority.ca))
    node = NodeUnderTest(platform, home, port, forker)
    yield node
    node.clean()


def shown(port: int) -> int:
    """Return the serial number of the certificate that a port shows."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain) as secure,
    ):
        raw = secure.getpeercert(binary_form=True)
    assert raw is not None
    return x509.load_der_x509_certificate(raw).serial_number


def wait_shown(port: int, serial: int) -> None:
    """Wait until a port shows this certificate."""
    end = time.monotonic() + 20
    while shown(port) != serial:
        assert time.monotonic() < end, "the renewed certificate is not shown"
        time.sleep(0.05)


def test_a_node_joins_and_serves_over_tls_and_a_renewed_certificate_is_shown_without_a_restart(
    platform: Platform,
    joined: NodeUnderTest,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "TRIM_SECONDS", 0.2)
    chain, key, first = authority.issue("endpoints")
    joined.start(replace(OPTIONS, certificate=Certificate(chain, key)))
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    url = f"https://localhost:{joined.port}{PATH}/who"
    trusted = ssl.create_default_context(cafile=str(authority.ca))

    with httpx.Client(verify=trusted) as client:
        answer = client.get(url)
        assert (answer.json()["name"], answer.http_version) == ("one", "HTTP/1.1")
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(url)
    with pytest.raises(httpx.HTTPError):
        httpx.get(url.replace("https", "http")).raise_for_status()

    assert shown(joined.port) == first
    _, _, second = authority.issue("endpoints")
    wait_shown(joined.port, second)
    whole = key.read_bytes()
    key.write_bytes(b"not a key")
    platform.wait(lambda: "certificate_refused" in platform.errors())
    assert shown(joined.port) == second
    key.write_bytes(whole)
    assert httpx.get(url, verify=trusted).json()["name"] == "one"


def test_an_agent_that_starts_anew_has_the_running_haproxy_show_the_certificate_of_now(
    platform: Platform, joined: NodeUnderTest, authority: Authority
) -> None:
    chain, key, first = authority.issue("endpoints")
    options = replace(OPTIONS, certificate=Certificate(chain, key))
    joined.start(options)
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    assert shown(joined.port) == first
    joined.stop()

    _, _, second = authority.issue("endpoints")
    assert shown(joined.port) == first
    joined.start(options)
    wait_shown(joined.port, second)


def test_an_agent_that_starts_between_two_files_of_a_renewal_shows_the_certificate_before(
    platform: Platform,
    joined: NodeUnderTest,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "TRIM_SECONDS", 0.2)
    chain, key, first = authority.issue("endpoints")
    options = replace(OPTIONS, certificate=Certificate(chain, key))
    joined.start(options)
    platform.serve(platform.revision(1, platform.build("one"), weight=10_000))
    platform.wait_phase("rev_1", "serving")
    joined.stop()
    haproxy(joined).signal(signal.SIGKILL)
    before, whole = len(platform.reports), key.read_bytes()
    authority.issue("endpoints")
    key.write_bytes(whole)  # the chain is the new one already

    joined.start(options)

    refused = lambda: [e for r in platform.reports[before:] for e in r["errors"]]  # noqa: E731
    platform.wait(lambda: "certificate_refused" in {error["code"] for error in refused()})
    wait_shown(joined.port, first)
    _, _, third = authority.issue("endpoints")
    wait_shown(joined.port, third)


def test_a_node_refuses_a_platform_that_nobody_it_trusts_vouches_for(
    platform: Platform, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger", "Somebody else")
    for ca in ("", str(stranger.ca)):
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            join(
                Home(tmp_path / "node"),
                platform.url,
                platform.token,
                root="",
                port=free_port(),
                pythons=[],
                ca=ca,
            )
    assert platform.node_key is None


def test_an_operator_joins_with_a_token_and_an_authority_from_files(
    platform: Platform, authority: Authority, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(platform.token + "\n")
    words = ["join", platform.url, "--data", str(tmp_path / "node"), "--ca", str(authority.ca)]

    neither = agent(*words)
    joined = agent(*words, "--token-file", str(token))

    assert (neither.returncode, "either --token or --token-file" in neither.stderr) == (1, True)
    assert joined.stdout == "Joined here as nod_1.\n", joined.stderr
    no_ca = agent(*words[:-1], os.devnull, "--token-file", str(token))
    assert (no_ca.returncode, "holds no certificate authority" in no_ca.stderr) == (1, True)


def test_a_node_does_not_start_with_half_a_certificate(
    joined: NodeUnderTest, authority: Authority
) -> None:
    chain, key, _ = authority.issue("endpoints")
    key.write_bytes(b"not a key")
    words = ["run", "--data", str(joined.home.folder), "--tls-cert", str(chain)]

    half, wrong = agent(*words), agent(*words, "--tls-key", str(key))

    assert (half.returncode, "give both --tls-cert and --tls-key" in half.stderr) == (1, True)
    assert (wrong.returncode, "no certificate with its key" in wrong.stderr) == (1, True)
