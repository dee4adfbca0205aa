"""Roles and tokens in the admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from apps.identity import actions
from apps.identity.admin.base import ActionAdmin, ActionForm, actor_of
from apps.identity.admin.people import secret_page
from apps.identity.models import ApiToken, RoleBinding, ServiceAccount, User
from apps.identity.rules import ROLES, SCOPES


class RoleForm(ActionForm):
    """One subject, one role, one place."""

    role = forms.ChoiceField(choices=[(r, r) for r in ROLES])

    class Meta:
        model = RoleBinding
        fields = ("role", "person", "team", "service_account", "project", "environment")
        help_texts = {
            "person": "Name one person, team or service account.",
            "project": "Leave empty for everywhere.",
            "environment": "Leave empty for the whole project.",
        }

    def clean(self) -> dict[str, Any]:
        """Say in words what the table's constraints would refuse."""
        cleaned = super().clean()
        if len([s for s in ("person", "team", "service_account") if cleaned.get(s)]) != 1:
            self.add_error("person", "Name exactly one of person, team and service account")
        if cleaned.get("environment") and not cleaned.get("project"):
            self.add_error("environment", "An environment belongs to a project: name it too")
        return cleaned


@admin.register(RoleBinding)
class RoleAdmin(ActionAdmin):
    """Roles: granted and revoked, never edited."""

    form = RoleForm
    changes = False
    deletes = True
    list_display = ("role", "subject", "place", "created_at")
    list_filter = ("role", "project")
    list_select_related = ("person", "team", "service_account", "project")
    search_fields = ("person__name", "person__email", "team__name", "service_account__name")
    ordering = ("-created_at",)

    def get_fields(self, request: HttpRequest, obj: RoleBinding | None = None) -> Any:
        """Show who granted it."""
        entered = ("role", "person", "team", "service_account", "project", "environment")
        return (*entered, "granted_by", "created_at") if obj else entered

    @admin.display(description="given to")
    def subject(self, binding: RoleBinding) -> str:
        """Return whom the role is given to."""
        if binding.team:
            return f"team {binding.team}"
        return str(binding.person or binding.service_account)

    @admin.display(description="where")
    def place(self, binding: RoleBinding) -> str:
        """Return where the role holds."""
        return " / ".join(filter(None, [str(binding.project or "everywhere"), binding.environment]))

    def save_model(self, request: HttpRequest, obj: RoleBinding, form: Any, change: bool) -> None:
        """Grant the role."""
        binding = actions.grant_role(
            role=obj.role,
            person=obj.person,
            team=obj.team,
            service_account=obj.service_account,
            project=obj.project,
            environment=obj.environment,
            actor=actor_of(request),
        )
        obj.pk = binding.pk

    def delete_model(self, request: HttpRequest, obj: RoleBinding) -> None:
        """Revoke the role."""
        actions.revoke_role(obj, actor=actor_of(request))


class TokenForm(ActionForm):
    """A token for oneself, or for a service account one owns."""

    scopes = forms.MultipleChoiceField(
        choices=[(s, s) for s in sorted(SCOPES)], widget=forms.CheckboxSelectMultiple
    )
    owner_id: str = ""

    class Meta:
        model = ApiToken
        fields = ("name", "service_account", "scopes", "project", "expires_at")
        help_texts = {
            "service_account": "Leave empty for a token of your own.",
            "project": "Leave empty for every project you see.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "service_account" in self.fields:
            field: Any = self.fields["service_account"]
            field.queryset = ServiceAccount.objects.filter(owner=self.owner_id, is_active=True)


@admin.register(ApiToken)
class TokenAdmin(ActionAdmin):
    """Tokens of everybody to look at and revoke; new ones only for oneself."""

    form = TokenForm
    changes = False
    list_display = ("name", "holder", "project", "expires_at", "last_used_at", "revoked_at")
    list_select_related = ("person", "service_account", "project")
    search_fields = ("name", "person__name", "service_account__name", "prefix")
    ordering = ("-created_at",)
    actions = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        """Never the hash."""
        if obj is None:
            return ("name", "service_account", "scopes", "project", "expires_at")
        return (
            "name",
            "prefix",
            "person",
            "service_account",
            "scopes",
            "project",
            "expires_at",
            "revoked_at",
            "last_used_at",
            "created_at",
        )

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Offer the service accounts that the person asking owns."""
        form = super().get_form(request, obj, change=change, **kwargs)
        form.owner_id = actor_of(request).id
        return form

    @admin.display(description="acts for")
    def holder(self, token: ApiToken) -> str:
        """Return whom the token acts for."""
        return str(token.person or token.service_account)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        """Issue the token; keep its text for the one page that shows it."""
        actor = actor_of(request)
        holder: dict[str, Any] = (
            {"service_account": obj.service_account}
            if obj.service_account
            else {"person": User.objects.get(pk=actor.id)}
        )
        token, secret = actions.issue_token(
            name=obj.name,
            scopes=form.cleaned_data["scopes"],
            project=obj.project,
            expires_at=obj.expires_at,
            actor=actor,
            **holder,
        )
        obj.pk = token.pk
        request.issued_secret = secret  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: ApiToken, post_url_continue: Any = None
    ) -> Any:
        """Show the token once."""
        secret: str = request.issued_secret  # type: ignore[attr-defined]
        text = "Copy the token now: it is stored nowhere and not shown again."
        return secret_page(request, f"API token {obj.name}", text, secret)

    @admin.action(description="Revoke")
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        """Revoke the selected tokens."""
        self.each(request, queryset, actions.revoke_token, "Revoked")
