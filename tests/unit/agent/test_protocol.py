"""What comes over the wire is read strictly, and requests are signed over what they say."""

import base64
import hashlib
from datetime import UTC, datetime

import pytest

from placet_agent.client import Client, check_url
from placet_protocol.fields import ProtocolError, hex_digest, parse_time
from placet_protocol.runtimes import read_manifest
from placet_protocol.signing import sign_request, signed_text
from placet_verify.signing.keys import PrivateKey

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize("name", ["../x.whl", "a/b.whl", ".x.whl", "x.tar.gz", "a\\b.whl"])
def test_a_wheel_with_an_odd_name_is_refused(name: str) -> None:
    wheels = [{"name": name, "sha256": "ab" * 32, "size": 1}]

    with pytest.raises(ProtocolError):
        read_manifest({"python_version": "3.13", "lock": "", "wheels": wheels})


def test_a_request_is_signed_over_method_path_query_time_and_body() -> None:
    key, at = PrivateKey.generate(), datetime(2026, 11, 25, 12, tzinfo=UTC)
    target = "/agent/v1/state?epoch=1&number=2&wait=20"

    headers = sign_request(key, "get", target, b"", node="nod_1", at=at)

    assert headers["Placet-Node"] == "nod_1"
    text = f"GET\n{target}\n2026-11-25T12:00:00.000Z\n{hashlib.sha256(b'').hexdigest()}"
    signature = base64.b64decode(headers["Placet-Signature"])
    assert key.public.verify(signature, text.encode())
    for other in (
        signed_text("POST", target, headers["Placet-Time"], b""),
        signed_text("GET", target + "0", headers["Placet-Time"], b""),
        signed_text("GET", target, "2026-11-25T12:00:01.000Z", b""),
        signed_text("GET", target, headers["Placet-Time"], b"x"),
    ):
        assert not key.public.verify(signature, other)


@pytest.mark.parametrize(
    "url", ["http://placet.example", "ftp://localhost", "localhost:8000", "http://127.0.0.1.evil"]
)
def test_plain_http_goes_to_this_machine_only(url: str) -> None:
    with pytest.raises(ValueError, match="http"):
        check_url(url)


def test_a_platform_below_a_path_is_asked_there_and_signed_so() -> None:
    client = Client("http://localhost:8000/placet/", PrivateKey.generate(), "nod_1")
    request = client._request("GET", "state?wait=1", b"", signed=True, timeout=None)
    client.close()

    assert str(request.url) == "http://localhost:8000/placet/agent/v1/state?wait=1"
    assert request.headers["Placet-Signature"]


def test_a_digest_is_64_hex_digits() -> None:
    assert hex_digest(DIGEST) == "ab" * 32
    for text in ("ab" * 31, "AB" * 32, "../" + "a" * 61, None):
        with pytest.raises(ProtocolError):
            hex_digest(text)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-11-26T12:00:00", "0001-01-01T00:00:00+23:59", "9" * 100_000]
)
def test_what_is_no_time_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ProtocolError) as refusal:
        parse_time(text)
    assert len(str(refusal.value)) < 80
