"""Adds the views of lists that people save, and what lists of people and tokens are sorted by."""

from django.conf import settings
from django.db import migrations, models
from django.db.models import F
from django.db.models.functions import Lower

from placet.kernel.ids import IdField

SAVED_VIEW = migrations.CreateModel(
    name="SavedView",
    fields=[
        ("id", IdField(prefix="viw", serialize=False)),
        ("list_name", models.CharField(max_length=40)),
        ("name", models.CharField(max_length=60)),
        ("asked", models.JSONField(default=dict)),
        ("created_at", models.DateTimeField(auto_now_add=True)),
        (
            "person",
            models.ForeignKey(
                on_delete=models.CASCADE,
                related_name="saved_views",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ],
    options={
        "constraints": [
            models.UniqueConstraint(
                fields=["person", "list_name", "name"], name="identity_saved_view_name"
            )
        ]
    },
)
INDEXES = (
    migrations.AddIndex(
        "apitoken", models.Index(fields=["name", "id"], name="identity_token_name")
    ),
    migrations.AddIndex(
        "apitoken", models.Index(fields=["expires_at", "id"], name="identity_token_expires")
    ),
    migrations.AddIndex(
        "user", models.Index(Lower("name"), F("id"), name="identity_user_called")
    ),
)


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("identity", "0010_second_factor_demand")]

    operations = [SAVED_VIEW, *INDEXES]
