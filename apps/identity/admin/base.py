"""A model admin whose every write is an action of identity."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponseRedirect

from apps.audit.actions import record
from apps.identity.errors import Reauthenticate
from placet.kernel.actor import Actor
from placet.kernel.problems import Problem

FILTERS = ("", "exact", "isnull", "id__exact")  # how Django's own filters of a list ask


def actor_of(request: HttpRequest) -> Actor:
    """Return who is asking."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor


def in_words(problem: Problem) -> str:
    """Return a refusal as one sentence for a message."""
    faults = [f"{e.pointer.strip('/')}: {e.detail}." for e in problem.errors]
    return " ".join([problem.detail, *faults])


class ActionForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form that shows why an action refused what was sent."""

    refusal: Problem | None = None

    def clean(self) -> dict[str, Any]:
        """Add the refusal's sentences at the fields they name."""
        cleaned: dict[str, Any] = super().clean() or {}
        if self.refusal is not None:
            for fault in self.refusal.errors:
                name = fault.pointer.strip("/").split("/")[0]
                self.add_error(name if name in self.fields else None, fault.detail)
            if not self.refusal.errors:
                self.add_error(None, self.refusal.detail)
        return cleaned

    def validate_unique(self) -> None:
        """Leave it to the action, which answers for the transaction it happens in."""


class ActionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Shows rows and writes them through actions only.

    One form is one unit of work: if an action refuses, nothing of it happened and the form is
    shown again with the reason; the site sends whoever has to show first who they are to do so.
    Subclasses implement ``save_model`` (and ``delete_model`` where
    ``deletes``) by calling actions. Django's own admin log is not written: the audit log is.
    """

    writes_by_actions = True
    adds = changes = True
    deletes = False
    form = ActionForm
    actions: Any = ()
    show_full_result_count = False
    list_per_page = 50

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Allow what the list's own filters ask: any other column, a password's hash too, could be
        read bit by bit from whether a row is found."""
        name, _, how = lookup.partition("__")
        return name in self.list_filter and how in FILTERS

    def get_actions(self, request: HttpRequest) -> Any:
        """Offer this admin's own bulk actions; never the bulk deletion."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def _may(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Access admins see everything here."""
        return self._may(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Access admins see everything here."""
        return self._may(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Access admins add where adding is an action."""
        return self.adds and self._may(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Access admins change where changing is an action."""
        return self.changes and self._may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Access admins delete where deleting is an action."""
        return self.deletes and self._may(request)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Hand the refusal of the first pass to the form of the second."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.refusal = getattr(request, "refusal", None)
        return form

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Carry the form out as one unit of work, or show it again with the refusal."""
        if request.method != "POST":
            return super().changeform_view(request, object_id, form_url, extra_context)
        try:
            with record(actor_of(request)):
                return super().changeform_view(request, object_id, form_url, extra_context)
        except Reauthenticate:
            raise
        except Problem as refusal:
            request.refusal = refusal  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Delete through the action, or say why not."""
        try:
            with record(actor_of(request)):
                return super().delete_view(request, object_id, extra_context)
        except Reauthenticate:
            raise
        except Problem as refusal:
            messages.error(request, in_words(refusal))
            return HttpResponseRedirect("../change/")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name the rows themselves: what goes with them is the action's matter."""
        return [str(o) for o in objs], {self.opts.verbose_name_plural: len(objs)}, set(), []

    def each(self, request: HttpRequest, rows: models.QuerySet[Any], act: Any, done: str) -> None:
        """Apply ``act`` to each row; say what was done and what was refused."""
        count = 0
        for row in rows:
            try:
                act(row, actor=actor_of(request))
                count += 1
            except Reauthenticate:
                raise
            except Problem as refusal:
                messages.error(request, f"{row}: {in_words(refusal)}")
        if count:
            messages.success(request, f"{done}: {count}")

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """The history is in the audit log."""
        return HttpResponseRedirect("../change/")

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """The audit log has it."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """The audit log has it."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:  # type: ignore[override]
        """The audit log has it."""
