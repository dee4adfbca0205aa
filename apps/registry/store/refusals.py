"""What a service that speaks S3 may answer, in words that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from apps.registry.errors import StorageFull, StoreUnavailable

SENTENCES = {
    "NoSuchBucket": "The bucket that PLACET_ARTIFACT_URL names does not exist",
    "AccessDenied": "The artifact store refuses these credentials for this bucket",
    "403": "The artifact store refuses these credentials for this bucket",
    "InvalidAccessKeyId": "The artifact store does not know AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID",
    "BadDigest": "The bytes changed on their way to the artifact store: try again",
    "404": "The bucket that PLACET_ARTIFACT_URL names does not exist",
}
NO_CREDENTIALS = (
    "No credentials for the artifact store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)
_FULL = frozenset({"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "507"})


@contextmanager
def service() -> Iterator[None]:
    """Turn whatever the service or the way to it answers into a problem of ours."""
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError):
        raise StoreUnavailable(NO_CREDENTIALS) from None
    except ClientError as error:
        code = code_of(error)
        if code in _FULL:
            raise StorageFull from None
        sentence = SENTENCES.get(code, f"The artifact store answered {code}: try again later")
        raise StoreUnavailable(sentence) from None
    except BotoCoreError as error:  # no connection, a connection cut, a time-out
        what = type(error).__name__
        raise StoreUnavailable(f"The artifact store cannot be reached ({what})") from None


def code_of(error: Exception) -> str:
    """Return the service's code, or nothing."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""
