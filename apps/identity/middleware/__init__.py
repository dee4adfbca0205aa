"""Who is asking, how often, and repeated POSTs."""

from apps.identity.middleware.actor import ActorMiddleware
from apps.identity.middleware.idempotency import IdempotencyMiddleware
from apps.identity.middleware.quota import QuotaMiddleware

__all__ = ["ActorMiddleware", "IdempotencyMiddleware", "QuotaMiddleware"]
