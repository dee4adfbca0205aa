"""What people keep for themselves alone."""

from django.db import models

from apps.identity.models.people import User
from placet.kernel.ids import IdField


class SavedView(models.Model):
    """How one person looks at a list: its filters and what it is sorted by, under a name.

    It grants nothing and nobody else sees it, so the log has no events of it: what somebody calls
    their own view would otherwise stay there for ever.
    """

    id = IdField("viw")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="saved_views")
    list_name = models.CharField(max_length=40)  # the name of the list's route
    name = models.CharField(max_length=60)
    asked = models.JSONField(default=dict)  # parameters of the list's address, by name
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "list_name", "name"], name="identity_saved_view_name"
            )
        ]

    def __str__(self) -> str:
        return self.name
