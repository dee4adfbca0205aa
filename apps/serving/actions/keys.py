"""API keys that clients of an endpoint send."""

import hashlib
import secrets

from apps.audit.actions import record
from apps.identity.queries import authorize
from apps.identity.sign_in.freshness import demand_fresh
from apps.serving import desired
from apps.serving.actions.deletion import refuse_deleted
from apps.serving.actions.locking import lock_endpoint
from apps.serving.events import KEY_ISSUED, KEY_REVOKED
from apps.serving.models import Endpoint, EndpointKey
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, InvalidInput

MAX_NAME = 120


def issue_endpoint_key(endpoint: Endpoint, *, name: str, actor: Actor) -> tuple[EndpointKey, str]:
    """Return a new key and its text, which is shown this once; its SHA-256 is stored."""
    text = f"plk_{secrets.token_urlsafe(32)}"
    with record(actor) as log:
        endpoint = lock_endpoint(endpoint.pk)
        authorize(actor, "endpoint.manage", endpoint, view="endpoint.view")
        refuse_deleted(endpoint)
        if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
            detail = f"Say whose it is, in at most {MAX_NAME} printable characters"
            raise InvalidInput(errors=[FieldError("/name", detail)])
        demand_fresh(actor)
        key = EndpointKey.objects.create(
            endpoint=endpoint,
            project_id=endpoint.project_id,
            name=name,
            secret_hash=hashlib.sha256(text.encode()).hexdigest(),
            created_by=actor.id,
        )
        log.add(KEY_ISSUED, key, environment=endpoint.environment, data={"endpoint": endpoint.pk})
        desired.publish(endpoint.target_id)
    return key, text


def revoke_endpoint_key(key: EndpointKey, *, actor: Actor) -> EndpointKey:
    """End a key: the node stops accepting it with its next state. Repeating it changes nothing."""
    with record(actor) as log:
        row = EndpointKey.objects.select_for_update(of=("self",), no_key=True).get(pk=key.pk)
        endpoint = Endpoint.objects.get(pk=row.endpoint_id)
        authorize(actor, "endpoint.manage", endpoint, view="endpoint.view")
        if row.revoked_at is None:
            row.revoked_at = now()
            row.save(update_fields=["revoked_at"])
            log.add(
                KEY_REVOKED, row, environment=endpoint.environment, data={"endpoint": endpoint.pk}
            )
            desired.publish(endpoint.target_id)
    return row
