"""The node's side of the protocol: signed requests to the platform, nothing to anywhere else."""

import hashlib
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import httpx

from placet_protocol import PREFIX
from placet_protocol.captures import OTHER_OFFSET, capture_path, read_offset
from placet_protocol.fields import ProtocolError, hex_digest
from placet_protocol.joining import JoinReply, JoinRequest, read_reply
from placet_protocol.node_secrets import read_sealed, secret_path
from placet_protocol.runtimes import RuntimeManifest, read_manifest
from placet_protocol.signing import Signer, sign_request

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_MAX_JSON = 64 << 20
_ANSWER_SECONDS = 300.0  # from the head of an answer to its end, of what is no blob
_STARTING = (502, 503, 504)  # as a proxy says of a platform that is started anew
PAUSES = (1, 2, 4, 8, 16)  # seconds until a download that broke off goes on


class Unreachable(Exception):
    """The platform does not answer, or not with what was asked for."""


class Broken(Unreachable):
    """The connection failed, or an answer broke off."""


class Rejected(Exception):
    """The platform understood the request and refuses it."""

    def __init__(self, status: int, code: str, detail: str, body: dict[str, Any]) -> None:
        super().__init__(detail or f"the platform answered {status}")
        self.status = status
        self.code = code
        self.body = body


def check_url(url: str) -> str:
    """Return the platform's URL without a trailing slash; plain HTTP only on this machine."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{url} is not an http or https address")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("plain http is for this machine only: use https")
    return url.rstrip("/")


def trusted(ca: str) -> ssl.SSLContext | bool:
    """Return who may vouch for the platform: the authorities in the file ``ca``, else the usual."""
    if not ca:
        return True
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise ValueError(f"{ca} holds no certificate authority: {error}") from error


class Client:
    """Speaks to one platform as one node."""

    def __init__(
        self, url: str, key: Signer | None = None, node: str = "", *, ca: str = ""
    ) -> None:
        self.url = check_url(url)
        self.key = key
        self.node = node
        self._root = urlsplit(self.url).path
        self._http = httpx.Client(
            timeout=httpx.Timeout(15, connect=5), trust_env=False, verify=trusted(ca)
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def keys(self) -> dict[str, Any]:
        """Return the root public key and the list of keys."""
        return _members(self._send("GET", "keys", signed=False))

    def join(self, body: JoinRequest) -> JoinReply:
        """Offer this node's key with a token."""
        answer = _members(self._send("POST", "join", content=json.dumps(body).encode()))
        try:
            return read_reply(answer)
        except ProtocolError as error:
            raise Unreachable(f"the platform did not say who this node is: {error}") from error

    def state(self, epoch: int, number: int, wait: int) -> str | None:
        """Wait for a state other than the one given; ``None`` when there was none in time."""
        path = f"state?epoch={epoch}&number={number}&wait={wait}"
        response = self._send("GET", path, timeout=wait + 15)
        return None if response.status_code == 204 else response.text

    def report(self, envelope: str) -> dict[str, Any]:
        """Post a signed report."""
        return _members(self._send("POST", "report", content=envelope.encode()))

    def capture(self, revision: str, file: str, offset: int, packed: bytes) -> int:
        """Post whole lines of a file of captured predictions, compressed, from ``offset`` on.

        Returns the offset up to which the platform now has the file. 409 says the same: those
        lines were there already, or others are missing before them.
        """
        path = capture_path(revision, file, offset)
        try:
            answer = _members(self._send("POST", path, content=packed))
        except Rejected as refusal:
            if refusal.code != OTHER_OFFSET:
                raise
            answer = refusal.body
        try:
            return read_offset(answer)
        except ProtocolError as error:
            raise Unreachable("the platform did not say how much of the file it has") from error

    def secret(self, revision: str, name: str, value: str) -> str:
        """Return the value of a secret that a revision names, sealed for this node."""
        answer = _members(self._send("GET", secret_path(revision, name, value)))
        try:
            return read_sealed(answer)
        except ProtocolError as error:
            raise Unreachable(f"the platform answered with no secret: {error}") from error

    def manifest(self, digest: str) -> RuntimeManifest:
        """Return how a runtime is installed."""
        return read_manifest(_members(self._send("GET", f"runtimes/{hex_digest(digest)}")))

    def download(self, digest: str, size: int | None, target: Path) -> None:
        """Fetch a blob, and go on where an answer breaks off, as when the platform is started
        anew; raise ``Unreachable`` unless its bytes hash to ``digest``."""
        pauses = iter(PAUSES)
        with target.open("w+b") as file:
            while True:
                before = file.tell()
                try:
                    self._fetch(digest, size, file)
                    break
                except Broken:
                    pauses = iter(PAUSES) if file.tell() > before else pauses
                    pause = next(pauses, None)
                    if pause is None or not file.tell():
                        raise
                    time.sleep(pause)
            file.seek(0)
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != hex_digest(digest):
            target.unlink(missing_ok=True)
            raise Unreachable(f"the bytes that came for {digest} have another digest")

    def _fetch(self, digest: str, size: int | None, file: BinaryIO) -> None:
        """Append the rest of a blob to what is there of it (RFC 9110, 14), or begin anew where the
        platform gives all of it."""
        start = file.tell()
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self._stream(f"blobs/{hex_digest(digest)}", headers) as response:
            if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                file.seek(0)
                file.truncate()
            for chunk in response.iter_raw():
                file.write(chunk)
                if size is not None and file.tell() > size:
                    raise Unreachable(f"the bytes of {digest} are more than the {size} announced")

    def _request(
        self, method: str, path: str, content: bytes, *, signed: bool, timeout: float | None
    ) -> httpx.Request:
        target = f"{self._root}{PREFIX}{path}"
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if signed:
            if self.key is None:
                raise ProtocolError("this node has no key yet")
            now = datetime.now(UTC)
            headers |= sign_request(self.key, method, target, content, node=self.node, at=now)
        return self._http.build_request(
            method,
            f"{self.url}{PREFIX}{path}",
            content=content,
            headers=headers,
            timeout=httpx.USE_CLIENT_DEFAULT if timeout is None else timeout,
        )

    def _send(
        self,
        method: str,
        path: str,
        *,
        content: bytes = b"",
        signed: bool = True,
        timeout: float | None = None,
    ) -> httpx.Response:
        request = self._request(method, path, content, signed=signed, timeout=timeout)
        try:
            response = _whole(self._http.send(request, stream=True))
        except httpx.HTTPError as error:
            raise Unreachable(f"the platform does not answer: {error}") from error
        _refuse(response)
        return response

    @contextmanager
    def _stream(self, path: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        request = self._request("GET", path, b"", signed=True, timeout=60)
        request.headers.update(headers)
        try:
            response = self._http.send(request, stream=True)
            try:
                if response.status_code in _STARTING:
                    raise Broken(f"the platform answered {response.status_code}")
                if response.status_code >= 300:
                    _refuse(_whole(response))
                yield response
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise Broken(f"the platform does not answer: {error}") from error


def _whole(response: httpx.Response) -> httpx.Response:
    """Read an answer as it was sent, within its bounds. One that is packed is refused, which was
    not asked for: a few hundred bytes of it may be gigabytes."""
    body, end = bytearray(), time.monotonic() + _ANSWER_SECONDS
    with closing(response):
        if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise Unreachable("the platform packed its answer")
        for piece in response.iter_raw():
            body += piece
            if len(body) > _MAX_JSON:
                raise Unreachable("the platform answered more than this node reads")
            if time.monotonic() > end:
                raise Unreachable("the platform's answer did not come to its end in time")
    headers = [(n, v) for n, v in response.headers.multi_items() if n != "transfer-encoding"]
    return httpx.Response(
        response.status_code, headers=headers, content=bytes(body), request=response.request
    )


def _refuse(response: httpx.Response) -> None:
    if response.status_code >= 500:
        raise Unreachable(f"the platform answered {response.status_code}")
    if response.status_code >= 300:
        try:
            body = response.json()
        except ValueError:
            body = {}
        body = body if isinstance(body, dict) else {}
        detail = str(body.get("detail") or body.get("title") or "")
        raise Rejected(response.status_code, str(body.get("code", "")), detail, body)


def _members(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError as error:
        raise Unreachable("the platform answered something that is not JSON") from error
    if not isinstance(body, dict):
        raise Unreachable("the platform answered something that is not an object")
    return body
