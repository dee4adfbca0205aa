"""Who is asking, and repeated POSTs."""

from apps.identity.middleware.actor import ActorMiddleware
from apps.identity.middleware.idempotency import IdempotencyMiddleware

__all__ = ["ActorMiddleware", "IdempotencyMiddleware"]
