"""Lines of defence and reporting lines in the admin."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from apps.identity import actions
from apps.identity.admin.base import ActionAdmin, ActionForm, actor_of
from apps.identity.models import Position, User
from placet.kernel.problems import InvalidInput


class PositionForm(ActionForm):
    """What an access admin says of somebody else."""

    class Meta:
        model = Position
        fields = ("person", "line", "manager", "top")
        help_texts = {
            "line": "The first line owns the risk, the second challenges it, the third audits.",
            "manager": "Whom the person reports to. Leave empty when nobody knows, or at the top.",
            "top": "The person reports to nobody: reporting lines end here.",
        }


@admin.register(Position)
class PositionAdmin(ActionAdmin):
    """Where people stand. Nobody places themselves."""

    form = PositionForm
    list_display = ("person", "line", "manager", "top", "set_by", "set_at")
    list_filter = ("line", "top")
    list_select_related = ("person", "manager")
    search_fields = ("person__name", "person__email", "manager__name")
    ordering = ("person__name",)

    def get_fields(self, request: HttpRequest, obj: Position | None = None) -> Any:
        """Show who said it."""
        entered = ("person", "line", "manager", "top")
        return (*entered, "set_by", "set_at") if obj else entered

    def get_readonly_fields(self, request: HttpRequest, obj: Position | None = None) -> Any:
        """A position stays with its person."""
        return ("person", "set_by", "set_at") if obj else ()

    def save_model(self, request: HttpRequest, obj: Position, form: Any, change: bool) -> None:
        """Place the person."""
        person = User.objects.get(pk=obj.person_id)
        if not change and Position.objects.filter(person=person).exists():
            raise InvalidInput("This person has a position: change that one")
        placed = actions.place_person(
            person, line=obj.line, manager=obj.manager, top=obj.top, actor=actor_of(request)
        )
        obj.pk = placed.pk
