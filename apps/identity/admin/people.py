"""People, teams and service accounts in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from apps.identity import actions
from apps.identity.admin.base import ActionAdmin, actor_of, in_words
from apps.identity.errors import Reauthenticate
from apps.identity.models import RoleBinding, ServiceAccount, Team, TeamMember, User
from placet.kernel.config import config
from placet.kernel.problems import InvalidInput, Problem


def secret_page(request: HttpRequest, title: str, text: str, secret: str) -> HttpResponse:
    """Show something once: it is stored nowhere, and no cache keeps the page."""
    context = {
        **admin.site.each_context(request),
        "title": title,
        "text": text,
        "secret": secret,
    }
    response = TemplateResponse(request, "admin/identity/secret.html", context)
    response["Cache-Control"] = "no-store"
    return response


TIMES = ("last_login", "reactivated_at", "created_at")


@admin.register(User)
class PersonAdmin(ActionAdmin):
    """People. The address is fixed; a person is deactivated, never deleted."""

    list_display = ("name", "email", "is_active", "last_login", "created_at")
    list_filter = ("is_active",)
    search_fields = ("name", "email")
    ordering = ("name",)
    actions = ("make_setup_link",)

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Show more of a person than one enters."""
        if obj is None:
            return ("email", "name")
        return ("name", "email", "is_active", "roles", *TIMES)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """The address stays as it was made."""
        return ("email", "roles", *TIMES) if obj else ()

    @admin.display(description="Roles")
    def roles(self, person: User) -> str:
        """Return the person's roles, their teams' included."""
        teams = person.memberships.values("team_id")
        bindings = RoleBinding.objects.select_related("project", "team")
        own = [str(b) for b in bindings.filter(person=person)]
        return (
            "; ".join(own + [f"{b} (team {b.team})" for b in bindings.filter(team__in=teams)])
            or "–"
        )

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Add a person, rename one, or end or renew their access."""
        actor = actor_of(request)
        if not change:
            obj.pk = actions.create_person(email=obj.email, name=obj.name, actor=actor).pk
            return
        if "is_active" in form.changed_data:  # first: it takes its turn before it holds a row
            act = actions.reactivate_person if obj.is_active else actions.deactivate_person
            act(obj, actor=actor)
        if "name" in form.changed_data:
            actions.update_person(obj, name=obj.name, actor=actor)

    def response_add(self, request: HttpRequest, obj: User, post_url_continue: Any = None) -> Any:
        """Show the new person's set-up link."""
        return self._link(request, User.objects.get(pk=obj.pk))

    @admin.action(description="Make a one-time set-up link")
    def make_setup_link(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Make the link for one person who has no password yet."""
        if queryset.count() != 1:
            messages.error(request, "Select one person")
            return None
        try:
            return self._link(request, queryset.get())
        except Reauthenticate:
            raise
        except Problem as refusal:
            messages.error(request, in_words(refusal))
            return None

    def _link(self, request: HttpRequest, person: User) -> HttpResponse:
        path = actions.setup_link(person, actor=actor_of(request))
        text = f"Give this link to {person}: it opens once, and there they set their password."
        return secret_page(
            request, "One-time set-up link", text, config().public_url.rstrip("/") + path
        )


class MemberInline(admin.TabularInline):  # type: ignore[type-arg]
    """The people of a team."""

    model = TeamMember
    extra = 1
    fields = ("person",)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As the team itself."""
        return admin.site.has_permission(request)

    has_add_permission = has_delete_permission = has_view_permission

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A membership is made and ended, never changed."""
        return False


@admin.register(Team)
class TeamAdmin(ActionAdmin):
    """Teams and their members."""

    list_display = ("name", "created_at")
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name",)
    inlines = (MemberInline,)
    deletes = True

    def get_readonly_fields(self, request: HttpRequest, obj: Team | None = None) -> Any:
        """A team keeps its name."""
        return ("name",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Team, form: Any, change: bool) -> None:
        """Make a team."""
        if not change:
            obj.pk = actions.create_team(name=obj.name, actor=actor_of(request)).pk

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Put people in and take them out."""
        team, actor = Team.objects.get(pk=form.instance.pk), actor_of(request)
        for member in formset.save(commit=False):
            actions.add_member(team, person=member.person, actor=actor)
        for member in formset.deleted_objects:
            actions.remove_member(team, person=member.person, actor=actor)

    def delete_model(self, request: HttpRequest, obj: Team) -> None:
        """Remove a team with its roles."""
        actions.delete_team(obj, actor=actor_of(request))


@admin.register(ServiceAccount)
class ServiceAccountAdmin(ActionAdmin):
    """Service accounts and who answers for them."""

    list_display = ("name", "owner", "is_active", "created_at")
    list_filter = ("is_active",)
    list_select_related = ("owner",)
    search_fields = ("name",)
    ordering = ("name",)

    def get_fields(self, request: HttpRequest, obj: ServiceAccount | None = None) -> Any:
        """A new one is active."""
        return ("name", "owner", "is_active") if obj else ("name", "owner")

    def get_readonly_fields(self, request: HttpRequest, obj: ServiceAccount | None = None) -> Any:
        """A service account keeps its name."""
        return ("name",) if obj else ()

    def save_model(
        self, request: HttpRequest, obj: ServiceAccount, form: Any, change: bool
    ) -> None:
        """Make one, hand it over, or end it."""
        actor = actor_of(request)
        if not change:
            account = actions.create_service_account(name=obj.name, owner=obj.owner, actor=actor)
            obj.pk = account.pk
            return
        if "owner" in form.changed_data:
            actions.change_owner(obj, owner=obj.owner, actor=actor)
        if "is_active" in form.changed_data:
            if obj.is_active:
                raise InvalidInput("An ended service account stays ended: make a new one")
            actions.deactivate_service_account(obj, actor=actor)
