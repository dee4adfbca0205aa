"""What comes over the wire is read strictly, and requests are signed over what they say."""

import base64
import copy
import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from placet_agent.client import Client, check_url
from placet_protocol.fields import ProtocolError, hex_digest
from placet_protocol.runtimes import parse_manifest
from placet_protocol.signing import sign_request, signed_text
from placet_protocol.state import parse_state
from placet_verify.keys import PrivateKey

DIGEST = "sha256:" + "ab" * 32


def state() -> dict[str, Any]:
    """Return a whole state."""
    revision = {
        "id": "rev_1", "release": "rel_1", "bento_digest": DIGEST, "bento_sha256": "ab" * 32,
        "bento_size": 10, "runtime": {"digest": DIGEST, "python_version": "3.13"},
        "permit": "{}", "serving": {}, "replicas": 1, "memory_mb": 512,
        "variables": {"MODE": "x"}, "weight": 10_000, "wanted": "run", "restart_nonce": 0,
    }  # fmt: skip
    endpoint = {
        "id": "end_1", "project": "prj_1", "project_slug": "risk", "environment": "staging",
        "name": "score", "path": "/risk/staging/score", "keys": ["cd" * 32],
        "api_key_required": True, "revisions": [revision],
    }  # fmt: skip
    return {
        "v": 1, "target": "tgt_1", "epoch": 1, "number": 7, "issued_at": "2026-11-25T12:00:00Z",
        "valid_until": "2026-11-26T12:00:00Z", "checkpoint": None, "on_expired": "serve",
        "recalled": [DIGEST], "endpoints": [endpoint],
        "prefetch": [{"bento_digest": DIGEST, "runtime_digest": DIGEST}],
    }  # fmt: skip


def test_a_whole_state_is_read() -> None:
    found = parse_state(state())

    assert found.generation == (1, 7)
    assert found.endpoints[0].revisions[0].variables == {"MODE": "x"}
    assert found.recalled == {DIGEST}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("v",), 2),
        (("epoch",), -1),
        (("number",), True),
        (("issued_at",), "yesterday"),
        (("valid_until",), "2026-11-26T12:00:00"),
        (("on_expired",), "whatever"),
        (("recalled",), ["not a digest"]),
        (("checkpoint",), 7),
        (("endpoints", 0, "id"), "../../etc"),
        (("endpoints", 0, "path"), "/risk/production/score"),
        (("endpoints", 0, "name"), "score\nbackend evil"),
        (("endpoints", 0, "keys"), ["open sesame"]),
        (("endpoints", 0, "revisions", 0, "id"), "rev/1"),
        (("endpoints", 0, "revisions", 0, "weight"), 10_001),
        (("endpoints", 0, "revisions", 0, "replicas"), 1000),
        (("endpoints", 0, "revisions", 0, "wanted"), "maybe"),
        (("endpoints", 0, "revisions", 0, "bento_sha256"), "cd" * 32),
        (("endpoints", 0, "revisions", 0, "variables"), {"A B": "x"}),
        (("endpoints", 0, "revisions", 0, "variables"), {"A": 7}),
        (("endpoints", 0, "revisions", 0, "variables"), {"A": "x\0y"}),
        (("endpoints", 0, "revisions", 0, "runtime"), "3.13"),
    ],
)
def test_a_state_with_one_wrong_member_is_refused_whole(path: tuple[Any, ...], value: Any) -> None:
    broken = copy.deepcopy(state())
    place: Any = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value

    with pytest.raises(ProtocolError):
        parse_state(broken)


def test_a_state_that_names_a_revision_twice_is_refused() -> None:
    broken = state()
    broken["endpoints"].append({**broken["endpoints"][0], "id": "end_2", "name": "b",
                                "path": "/risk/staging/b"})  # fmt: skip

    with pytest.raises(ProtocolError, match="twice"):
        parse_state(broken)


@pytest.mark.parametrize("name", ["../x.whl", "a/b.whl", ".x.whl", "x.tar.gz", "a\\b.whl"])
def test_a_wheel_with_an_odd_name_is_refused(name: str) -> None:
    wheels = [{"name": name, "sha256": "ab" * 32, "size": 1}]

    with pytest.raises(ProtocolError):
        parse_manifest({"python_version": "3.13", "lock": "", "wheels": wheels})


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
