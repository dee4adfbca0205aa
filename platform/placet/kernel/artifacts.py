"""Where artifacts lie: reading ``PLACET_ARTIFACT_URL``."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_OPTIONS = ("endpoint_url", "region")


@dataclass(frozen=True, slots=True)
class FolderAddress:
    """A folder of this machine, or one that every process of the platform mounts."""

    path: Path


@dataclass(frozen=True, slots=True)
class BucketAddress:
    """A bucket that speaks S3; ``endpoint_url`` is empty for Amazon's own."""

    bucket: str
    prefix: str = ""  # without slashes at its ends
    endpoint_url: str = ""
    region: str = ""


def artifact_address(url: str) -> FolderAddress | BucketAddress:
    """Read ``file:///folder`` or ``s3://bucket/prefix?endpoint_url=…&region=…``.

    Raises :class:`ValueError` with a sentence that says what to write instead, and that repeats
    no part of the address: somebody may have put a password into it.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        if parts.netloc or not parts.path.startswith("/") or parts.query or parts.fragment:
            raise ValueError("PLACET_ARTIFACT_URL: a folder is written file:///absolute/path")
        return FolderAddress(Path(unquote(parts.path)))
    if parts.scheme != "s3":
        raise ValueError(
            "PLACET_ARTIFACT_URL must be file:///folder or s3://bucket/prefix?endpoint_url=…&region=…"
        )
    return _bucket(parts.netloc, parts.path, parts.query, parts.fragment)


def _bucket(bucket: str, path: str, query: str, fragment: str) -> BucketAddress:
    if "@" in bucket:
        raise ValueError(
            "PLACET_ARTIFACT_URL must hold no credentials: set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        )
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(
            "PLACET_ARTIFACT_URL: name the bucket after s3://, as in s3://models/placet"
        )
    options = dict(parse_qsl(query, keep_blank_values=True))
    if fragment or set(options) - set(_OPTIONS):
        raise ValueError(
            "PLACET_ARTIFACT_URL takes endpoint_url and region after the question mark, nothing "
            "else; credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    prefix = unquote(path).strip("/")
    if ".." in prefix.split("/") or not re.fullmatch(r"[A-Za-z0-9._/-]*", prefix):
        raise ValueError("PLACET_ARTIFACT_URL: the prefix has letters, digits, . _ - and / only")
    endpoint = options.get("endpoint_url", "")
    url = urlsplit(endpoint)
    if "endpoint_url" in options and (url.scheme not in ("http", "https") or not url.hostname):
        raise ValueError("PLACET_ARTIFACT_URL: endpoint_url must be an http:// or https:// address")
    if url.username or url.password:
        raise ValueError("PLACET_ARTIFACT_URL: endpoint_url must hold no credentials")
    return BucketAddress(bucket, prefix, endpoint, options.get("region", ""))
