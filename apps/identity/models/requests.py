"""What requests leave behind: shared counters, and answers to repeat."""

from django.db import models

from placet.kernel.ids import uuid7_hex


class SharedValue(models.Model):
    """One value of :mod:`apps.identity.sign_in.shared_cache`, under the hash of its key."""

    key = models.CharField(max_length=64, primary_key=True)
    value = models.JSONField()
    expires_at = models.DateTimeField(db_index=True)


class IdempotencyRecord(models.Model):
    """What a POST with an ``Idempotency-Key`` was answered, so that a repeat gets the same.

    ``body`` is encrypted: answers may hold a secret that is shown once.
    """

    actor_id = models.CharField(max_length=40)
    key = models.CharField(max_length=200)
    request_hash = models.CharField(max_length=64)
    claim = models.CharField(max_length=32, default=uuid7_hex)  # tells who came first
    status = models.IntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["actor_id", "key"], name="identity_key_once")
        ]
