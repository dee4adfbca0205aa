"""Blobs in a bucket that speaks S3: ``<prefix>/sha256/ab/abcdef…``.

Written once (``If-None-Match: *``), with SHA-256 checksums that the service checks, in parts when
large; hashed again whenever they are read. Credentials come from the environment as the AWS SDK
looks for them, and stand neither in our settings nor in our errors.
"""

import base64
import hashlib
from collections.abc import Iterator
from datetime import datetime
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

from botocore.exceptions import ClientError

from apps.registry.errors import BlobMissing, DigestMismatch, StoreUnavailable
from apps.registry.store.backend import PIECE, Stored
from apps.registry.store.refusals import code_of, service
from apps.registry.store.verifying import Body, Verifying
from placet.kernel.artifacts import BucketAddress
from placet.kernel.s3 import client

PART = 64 * 1024 * 1024  # a larger file goes in parts of this size: 10,000 of them at most
_GONE = frozenset({"NoSuchKey", "404", "NotFound"})
_TAKEN = frozenset({"PreconditionFailed", "412"})
_RACING = frozenset({"ConditionalRequestConflict", "409"})


class Bucket:
    """A bucket of blobs."""

    def __init__(self, address: BucketAddress, *, part: int = PART) -> None:
        self.address, self.part = address, part

    def local(self, digest: str) -> None:
        """Nothing here is a file of this machine."""

    def key(self, digest: str) -> str:
        """Return the name of the blob's object."""
        return f"{self._prefix}{digest[:2]}/{digest}"

    def exists(self, digest: str) -> bool:
        """Tell whether the object is there."""
        return self._head(digest) is not None

    def open(self, digest: str) -> BufferedReader:
        """Stream the object; see :class:`Verifying`."""
        with service():
            try:
                response = self._client.get_object(Bucket=self.address.bucket, Key=self.key(digest))
            except ClientError as error:
                if code_of(error) in _GONE:
                    raise BlobMissing(f"The artifact store does not hold {digest}") from None
                raise
        return BufferedReader(Verifying(response["Body"], digest, _read), PIECE)

    def adopt(self, source: Path, digest: str) -> None:
        """Send the file, unless the same bytes are there. A damaged object is replaced."""
        with service():
            for condition in ({"IfNoneMatch": "*"}, {"IfNoneMatch": "*"}, {}):
                try:
                    self._put(source, digest, condition)
                    break
                except ClientError as error:
                    if code_of(error) not in _TAKEN | _RACING:
                        raise
                if self._is_whole(source, digest):
                    break
            else:
                raise StoreUnavailable("Others keep writing the same object: try again")

    def delete(self, digest: str) -> None:
        """Remove the object."""
        with service():
            self._client.delete_object(Bucket=self.address.bucket, Key=self.key(digest))

    def listing(self) -> Iterator[Stored]:
        """Yield every blob, a page of a thousand at a time."""
        with service():
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.address.bucket, Prefix=self._prefix):
                for entry in page.get("Contents", ()):
                    name = entry["Key"].rpartition("/")[2]
                    yield Stored(name, entry["Size"], entry["LastModified"])

    def abandon(self, before: datetime) -> int:
        """Abort uploads in parts that a dead process began."""
        dropped = 0
        with service():
            pages = self._client.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self.address.bucket, Prefix=self._prefix):
                for upload in page.get("Uploads", ()):
                    if upload["Initiated"] < before:
                        self._abort(
                            {
                                "Bucket": self.address.bucket,
                                "Key": upload["Key"],
                                "UploadId": upload["UploadId"],
                            }
                        )
                        dropped += 1
        return dropped

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    @property
    def _client(self) -> Any:
        return client(self.address)

    @property
    def _prefix(self) -> str:
        return f"{self.address.prefix}/sha256/".removeprefix("/")

    def _head(self, digest: str) -> dict[str, Any] | None:
        with service():
            try:
                head: dict[str, Any] = self._client.head_object(
                    Bucket=self.address.bucket, Key=self.key(digest), ChecksumMode="ENABLED"
                )
            except ClientError as error:
                if code_of(error) in _GONE and not self._bucket_missing():
                    return None
                raise
        return head

    def _bucket_missing(self) -> bool:
        """A HEAD has no body: ask which of the two is not there, object or bucket."""
        try:
            self._client.head_bucket(Bucket=self.address.bucket)
        except ClientError as error:
            return code_of(error) in _GONE | {"NoSuchBucket"}
        return False

    def _put(self, source: Path, digest: str, condition: dict[str, str]) -> None:
        if source.stat().st_size > self.part:
            return self._put_parts(source, digest, condition)
        with source.open("rb") as file:
            self._client.put_object(
                Bucket=self.address.bucket,
                Key=self.key(digest),
                Body=file,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=_checksum(bytes.fromhex(digest)),
                **condition,
            )
        return None

    def _put_parts(self, source: Path, digest: str, condition: dict[str, str]) -> None:
        where = {"Bucket": self.address.bucket, "Key": self.key(digest)}
        begun = self._client.create_multipart_upload(**where, ChecksumAlgorithm="SHA256")
        where["UploadId"] = begun["UploadId"]
        try:
            parts = self._send_parts(source, digest, where)
            self._client.complete_multipart_upload(
                **where, MultipartUpload={"Parts": parts}, **condition
            )
        except BaseException:
            self._abort(where)
            raise

    def _send_parts(self, source: Path, digest: str, where: dict[str, str]) -> list[dict[str, Any]]:
        """Send the file in parts, each with its checksum, and hash the whole beside."""
        parts: list[dict[str, Any]] = []
        whole = hashlib.sha256()
        with source.open("rb") as file:
            while piece := file.read(self.part):
                whole.update(piece)
                number, checksum = len(parts) + 1, _checksum(hashlib.sha256(piece).digest())
                sent = self._client.upload_part(
                    **where,
                    PartNumber=number,
                    Body=piece,
                    ChecksumAlgorithm="SHA256",
                    ChecksumSHA256=checksum,
                )
                parts.append(
                    {"PartNumber": number, "ETag": sent["ETag"], "ChecksumSHA256": checksum}
                )
        if whole.hexdigest() != digest:
            raise DigestMismatch("The file changed while it was sent to the artifact store")
        return parts

    def _abort(self, where: dict[str, str]) -> None:
        """Drop the parts; whatever cannot be dropped now, the clean-up finds by its age."""
        try:
            self._client.abort_multipart_upload(**where)
        except Exception as error:  # the first failure is the one to tell
            if code_of(error) == "NoSuchUpload":
                return

    def _is_whole(self, source: Path, digest: str) -> bool:
        """Tell whether the object that is there has our bytes, by the service's own checksum."""
        head = self._head(digest)
        size = source.stat().st_size
        if head is None or head["ContentLength"] != size:
            return False
        stored = head.get("ChecksumSHA256", "")
        return bool(stored == _expected(source, digest, self.part))


def _expected(source: Path, digest: str, part: int) -> str:
    """Return the checksum that the service keeps: of the bytes, or of the checksums of parts."""
    if source.stat().st_size <= part:
        return _checksum(bytes.fromhex(digest))
    with source.open("rb") as file:
        sums = [hashlib.sha256(piece).digest() for piece in _pieces(file, part)]
    return f"{_checksum(hashlib.sha256(b''.join(sums)).digest())}-{len(sums)}"


def _pieces(file: IO[bytes], size: int) -> Iterator[bytes]:
    while piece := file.read(size):
        yield piece


def _read(body: Body, size: int) -> bytes:
    with service():
        return body.read(size)


def _checksum(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
