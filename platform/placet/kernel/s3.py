"""The connection to a service that speaks S3. Slow to import: the SDK is."""

from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config as ClientConfig

from placet.kernel.artifacts import BucketAddress

ATTEMPTS = 4


@lru_cache(maxsize=8)
def client(address: BucketAddress) -> Any:
    """Return the connection pool to the service; safe for many threads.

    Credentials come from the environment as the AWS SDK looks for them.
    """
    return boto3.session.Session().client(
        "s3",
        endpoint_url=address.endpoint_url or None,
        region_name=address.region or None,
        config=ClientConfig(
            connect_timeout=5,
            read_timeout=60,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
            s3={"addressing_style": "path" if address.endpoint_url else "auto"},
            request_checksum_calculation="when_required",  # we give SHA-256 ourselves
            response_checksum_validation="when_required",  # and hash what comes back
        ),
    )
