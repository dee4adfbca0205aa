"""Projects in the admin: their name, what they are for, and how much they may keep."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from apps.identity import actions
from apps.identity.admin.base import ActionAdmin, ActionForm, actor_of
from apps.identity.models import Project


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


@admin.register(Project)
class ProjectAdmin(ActionAdmin):
    """Projects: made and changed, never deleted."""

    form = ProjectForm
    list_display = ("slug", "name", "artifact_quota", "created_at")
    search_fields = ("slug", "name")
    ordering = ("slug",)

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> Any:
        """The slug stays as it was made."""
        return ("slug", "created_at") if obj else ()

    def get_fields(self, request: HttpRequest, obj: Project | None = None) -> Any:
        """Show when it was made once it is."""
        entered = ("slug", "name", "description", "artifact_quota")
        return (*entered, "created_at") if obj else entered

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        """Make or change the project."""
        actor = actor_of(request)
        fields: dict[str, Any] = {"name": obj.name, "description": obj.description}
        if change:
            actions.update_project(obj, **fields, artifact_quota=obj.artifact_quota, actor=actor)
            return
        fields["artifact_quota"] = obj.artifact_quota
        obj.pk = actions.create_project(slug=obj.slug, **fields, actor=actor).pk
