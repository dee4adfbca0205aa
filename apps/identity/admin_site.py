"""The Django admin as Placet uses it: the access administration, and nothing else."""

from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from apps.identity.errors import Reauthenticate
from apps.identity.sign_in.freshness import ask_again
from placet.kernel.actor import ANONYMOUS, Actor


class PlacetAdminSite(AdminSite):
    """The access administration, for who holds ``access.manage`` on the whole instance.

    Neither ``is_staff`` nor ``is_superuser`` opens it. Only admins whose writes are actions are
    registered; what other packages would register is left out.
    """

    site_header = site_title = "Placet access"
    index_title = "People and access"
    enable_nav_sidebar = False
    final_catch_all_view = True

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Register ``admin_class`` if it belongs here, else do nothing."""
        if getattr(admin_class, "writes_by_actions", False):
            super().register(model_or_iterable, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        """Let access admins in, and nobody else."""
        actor: Actor = getattr(request, "actor", ANONYMOUS)
        return actor.can("access.manage")

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Have whoever did not just show who they are do so, and come back to the page."""
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def asked(request: HttpRequest, *args: Any, **names: Any) -> HttpResponse:
            try:
                answer: HttpResponse = inner(request, *args, **names)
            except Reauthenticate:
                return ask_again(request.get_full_path())
            return answer

        return asked

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send whoever is not signed in to the one sign-in page; refuse anybody else."""
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied
        target = request.GET.get("next", "")
        if not url_has_allowed_host_and_scheme(target, allowed_hosts=None):
            target = reverse("admin:index")
        if request.user.is_authenticated:
            return HttpResponseRedirect(target)
        return redirect(f"{reverse('account_login')}?{urlencode({'next': target})}")

    def logout(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Sign out where everybody does."""
        return redirect("account_logout")

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Change the password where everybody does."""
        return redirect("account_change_password")


class PlacetAdminConfig(AdminConfig):
    """Makes :class:`PlacetAdminSite` the default site."""

    default_site = "apps.identity.admin_site.PlacetAdminSite"
