"""Files of comments."""

import django.db.models.deletion
from django.db import migrations, models

import placet.kernel.ids


class Migration(migrations.Migration):

    dependencies = [("discussions", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="CommentFile",
            fields=[
                ("id", placet.kernel.ids.IdField(prefix="tcf", serialize=False)),
                ("person", models.CharField(max_length=40)),
                ("name_sealed", models.CharField(blank=True, max_length=71)),
                ("commitment", models.CharField(max_length=71)),
                ("size", models.PositiveIntegerField()),
                ("type", models.CharField(max_length=40)),
                ("verdict", models.CharField(blank=True, max_length=20)),
                ("created_at", models.DateTimeField()),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
                (
                    "comment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="files",
                        to="discussions.comment",
                    ),
                ),
            ],
            options={"verbose_name": "file of a comment"},
        ),
        migrations.CreateModel(
            name="FileContent",
            fields=[
                (
                    "file",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="content",
                        serialize=False,
                        to="discussions.commentfile",
                    ),
                ),
                ("project", models.CharField(blank=True, max_length=40)),
                ("size", models.PositiveIntegerField()),
                ("ciphertext", models.BinaryField()),
                ("found", models.BinaryField(default=b"")),
            ],
            options={
                "indexes": [models.Index(fields=["project"], name="discussions_file_project")]
            },
        ),
    ]
