"""Where one goes on in the browser: the path of each kind of page.

The client knows them by itself, so that an answer of the API needs no address of its own: the apps
that answer stand below the pages. A test holds each path against the server's own.
"""

from urllib.parse import quote

PATHS = {
    "project": "/projects/{}/",
    "environment": "/projects/{}/environments/{}/",
    "secrets": "/projects/{}/environments/{}/secrets/",
    "inbox": "/inbox/",
    "absence": "/absence/",
    "notifications": "/notifications/",
    "models": "/models/?project={}",
    "model": "/models/{}/{}/",
    "version": "/models/{}/{}/{}/",
    "build": "/builds/{}/",
    "release": "/releases/{}/",
    "rollout": "/rollouts/{}/",
    "endpoints": "/endpoints/",
    "endpoint": "/endpoints/{}/",
    "endpoint-predictions": "/endpoints/{}/predictions/",
    "alerts": "/alerts/",
    "thread": "/threads/{}/",
    "recall": "/recalls/{}/",
    "target": "/targets/{}/",
    "policies": "/policies/{}/{}/",
    "signing-keys": "/signing-keys/{}/",
    "streams": "/streams/",
    "stream": "/streams/{}/",
    "webhooks": "/webhooks/",
    "webhook": "/webhooks/{}/",
    "witnesses": "/audit/witnesses/",
    "retention": "/audit/retention/",
}


def path_of(page: str, *parts: object) -> str:
    """Return the path of a page by the name that its route has; whatever a part holds stays one."""
    return PATHS[page].format(*(quote(str(part), safe="") for part in parts))
