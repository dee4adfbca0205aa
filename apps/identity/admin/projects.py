"""Projects in the admin: their name, what they are for, and how much they may keep."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from apps.identity import actions
from apps.identity.admin.base import ActionAdmin, ActionForm, actor_of
from apps.identity.models import Project, RoleBinding


class ProjectForm(ActionForm):
    """What an access admin decides about a project."""

    class Meta:
        model = Project
        fields = ("slug", "name", "description", "artifact_quota")
        labels = {"artifact_quota": "Storage quota (bytes)"}
        help_texts = {
            "slug": "Part of every address of the project; it stays as it is.",
            "artifact_quota": "Most bytes that files of versions may take; each content counts "
            "once. 0 is no limit.",
        }


class MemberInline(admin.TabularInline):  # type: ignore[type-arg]
    """Who has a role in the project; roles are given and taken away by themselves."""

    model = RoleBinding
    verbose_name_plural = "members"
    fields = readonly_fields = ("role", "subject", "environment", "granted_by", "created_at")
    extra = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> Any:
        """Read the names along."""
        related = ("person", "team", "service_account")
        return super().get_queryset(request).select_related(*related).order_by("role", "pk")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As the project itself."""
        return admin.site.has_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not from here."""
        return False

    has_change_permission = has_delete_permission = has_add_permission

    @admin.display(description="given to")
    def subject(self, binding: RoleBinding) -> str:
        """Return whom the role is given to."""
        team = f"team {binding.team}" if binding.team else ""
        return team or str(binding.person or binding.service_account)


@admin.register(Project)
class ProjectAdmin(ActionAdmin):
    """Projects: made and changed, never deleted."""

    form = ProjectForm
    list_display = ("slug", "name", "artifact_quota", "created_at")
    search_fields = ("slug", "name")
    ordering = ("slug",)
    inlines = (MemberInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> Any:
        """The slug stays as it was made."""
        return ("slug", "created_at") if obj else ()

    def get_fields(self, request: HttpRequest, obj: Project | None = None) -> Any:
        """Show when it was made once it is."""
        entered = ("slug", "name", "description", "artifact_quota")
        return (*entered, "created_at") if obj else entered

    def get_inlines(self, request: HttpRequest, obj: Project | None) -> Any:
        """Show the members of a project that there is; a form that is sent holds none of them."""
        return self.inlines if obj and request.method != "POST" else ()

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        """Make or change the project."""
        actor = actor_of(request)
        fields: dict[str, Any] = {"name": obj.name, "description": obj.description}
        if change:
            actions.update_project(obj, **fields, artifact_quota=obj.artifact_quota, actor=actor)
            return
        fields["artifact_quota"] = obj.artifact_quota
        obj.pk = actions.create_project(slug=obj.slug, **fields, actor=actor).pk
