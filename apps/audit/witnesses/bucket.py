"""A bucket with object lock: what was put there can be removed by nobody until its day has come.

Objects are named so that the newest comes first in a listing, and are read by version: a marker
that says "deleted" hides nothing from us.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from apps.audit.models import Witness
from apps.audit.witnesses.answers import PushFailed
from apps.audit.witnesses.shelf import MOST_READ, ShelvedNote
from placet.kernel.artifacts import BucketAddress, artifact_address
from placet.kernel.clock import now

_LAST = 10**19 - 1
_MOST_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Locked:
    """Where notes go, and for how many days nobody can remove them."""

    address: BucketAddress
    retain_days: int

    @classmethod
    def of(cls, witness: Witness) -> "Locked":
        """Return the bucket of a witness."""
        address = artifact_address(witness.address)
        assert isinstance(address, BucketAddress)
        return cls(address, witness.retain_days)

    @property
    def _prefix(self) -> str:
        return f"{self.address.prefix}/" if self.address.prefix else ""

    @property
    def _client(self) -> Any:
        from placet.kernel.s3 import client  # the SDK is slow to import

        return client(self.address)

    def newest(self) -> Iterator[ShelvedNote]:
        """Yield the notes, the largest first."""
        listed = _asked(
            lambda: self._client.list_object_versions(
                Bucket=self.address.bucket, Prefix=self._prefix, MaxKeys=MOST_READ
            )
        )
        for version in listed.get("Versions", ()):
            size = version["Key"].removeprefix(self._prefix).partition("-")[2]
            if size.isdecimal() and version["Size"] <= _MOST_BYTES:
                note = _asked(partial(self._read, version))
                yield ShelvedNote(int(size), note, version["LastModified"])

    def add(self, size: int, note: str) -> None:
        """Put the note under a lock, and see that the lock holds."""
        location = {
            "Bucket": self.address.bucket,
            "Key": f"{self._prefix}{_LAST - size:019d}-{size}",
        }
        until = now() + timedelta(days=self.retain_days)
        _asked(
            lambda: self._client.put_object(
                **location,
                Body=note.encode("utf-8"),
                ContentType="text/plain; charset=utf-8",
                ChecksumAlgorithm="SHA256",
                IfNoneMatch="*",
                ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=until,
            )
        )
        lock = _asked(lambda: self._client.head_object(**location))
        locked_until = lock.get("ObjectLockRetainUntilDate")
        if lock.get("ObjectLockMode") != "COMPLIANCE" or locked_until < _whole(until):
            raise PushFailed("The bucket took the note, but does not lock it: see object lock")

    def _read(self, version: dict[str, Any]) -> str:
        response = self._client.get_object(
            Bucket=self.address.bucket, Key=version["Key"], VersionId=version["VersionId"]
        )
        raw: bytes = response["Body"].read(_MOST_BYTES)
        return raw.decode("utf-8", "replace")


def _whole(until: datetime) -> datetime:
    """Return the time less what a service may round away."""
    return until.replace(microsecond=0) - timedelta(seconds=1)


def _asked(call: Callable[[], Any]) -> Any:
    """Return what the service answers; its refusals hold no credentials, but name what to do."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise PushFailed(f"The bucket refuses: {code[:60]}") from None
    except BotoCoreError as error:
        raise PushFailed(f"The bucket does not answer: {type(error).__name__}") from None
