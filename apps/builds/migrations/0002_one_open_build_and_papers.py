"""One open build per version; the bill of materials and the model's signature of a Bento."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("builds", "0001_initial")]

    operations = [
        migrations.AddConstraint(
            model_name="build",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["queued", "running"])),
                fields=("version",),
                name="builds_one_open",
            ),
        ),
        migrations.AddField(
            model_name="bento",
            name="sbom",
            field=models.CharField(default="", max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="bento",
            name="model_signature",
            field=models.TextField(blank=True, default=""),
            preserve_default=False,
        ),
    ]
