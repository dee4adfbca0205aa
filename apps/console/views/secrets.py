"""The secrets of an environment: which there are, setting and revoking them."""

from django.contrib import messages
from django.http import HttpResponse

from apps.console.queries.environment_secrets import secret_list
from apps.console.views.base import PageRequest, action, back, page, show
from apps.identity.queries import project_by_slug
from apps.serving.actions import revoke_secret, set_secret
from apps.serving.queries import get_secret


@page
def secrets(request: PageRequest, project: str, environment: str) -> HttpResponse:
    """List the secrets of an environment by name."""
    found = secret_list(project, environment, request.actor)
    return show(request, "secrets", secrets=found, environment=found.environment)


@action
def set_value(request: PageRequest, project: str, environment: str) -> HttpResponse:
    """Set the value of a secret: its first, or its next version. It is never shown again."""
    version = set_secret(
        project_by_slug(project, request.actor),
        environment=environment,
        name=request.POST.get("name", "").strip(),
        value=request.POST.get("value", ""),
        actor=request.actor,
    )
    messages.success(request, f"Set version {version.number} of {version.secret}.")
    return back(request)


@action
def revoke(request: PageRequest, project: str, environment: str, secret: str) -> HttpResponse:
    """Revoke a secret that nothing uses."""
    version = revoke_secret(get_secret(secret, request.actor), actor=request.actor)
    messages.success(request, f"Revoked {version.secret}: its value is forgotten.")
    return back(request)
