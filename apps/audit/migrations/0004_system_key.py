"""Makes the key of the system's own texts, so that no two first users wait for each other."""

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import migrations


def forward(apps, schema_editor):
    apps.get_model("audit", "PersonKey").objects.get_or_create(
        person_id="system", defaults={"key": AESGCM.generate_key(bit_length=256)}
    )


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_touched")]
    operations = [migrations.RunPython(forward, migrations.RunPython.noop)]
