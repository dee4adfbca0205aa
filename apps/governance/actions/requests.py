"""The request statement: everything a release is bound to, signed."""

import secrets
from datetime import datetime, timedelta
from typing import Any

from apps.governance.models import Release
from placet.kernel import clock
from placet_verify import canonical
from placet_verify.signing.dsse import Envelope
from placet_verify.signing.keys import PrivateKey
from placet_verify.statements import RequestStatement


def statement_of(release: Release, *, at: datetime, nonce: str) -> RequestStatement:
    """Return the request as the rows describe it now."""
    policy = release.policy
    return RequestStatement(
        release=release.pk,
        project=release.project_id,
        environment=release.environment.name,
        endpoint=release.endpoint_id,
        artifact_digest=release.version.artifact_digest,
        bento_digest=release.bento_id,
        evidence=sorted({item["digest"] for item in release.evidence}),
        policy_id=policy.pk,
        policy_number=policy.number,
        policy_digest=policy.digest,
        plan_digest=canonical.digest(release.plan),
        serving=release.serving,
        requester=release.requester,
        author=release.version.author,
        not_after=release.not_after,
        nonce=nonce,
        at=at,
    )


def sign_request(release: Release, signer: PrivateKey) -> dict[str, Any]:
    """Sign the request anew; return the columns that change with it."""
    now = clock.now()
    days = timedelta(days=release.policy.document["expires_after_days"])
    release.not_after = (release.created_at or now) + days
    statement = statement_of(release, at=now, nonce=secrets.token_hex(16))
    release.request_envelope = statement.sign(signer).to_json()
    release.request_digest = statement.digest
    return {
        "not_after": release.not_after,
        "request_envelope": release.request_envelope,
        "request_digest": release.request_digest,
    }


def open_request(release: Release) -> RequestStatement:
    """Return the request that was signed."""
    return RequestStatement.parse(Envelope.from_json(release.request_envelope).payload)


def still_bound(release: Release, statement: RequestStatement) -> bool:
    """Tell whether the rows are still, member by member, what the statement binds."""
    if statement.digest != release.request_digest:
        return False
    now = statement_of(release, at=statement.at, nonce=statement.nonce)
    return now.payload() == statement.payload()
