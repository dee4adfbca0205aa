"""The door at which other logs show their checkpoints to be cosigned (C2SP tlog-witness)."""

from django.urls import path

from apps.audit.api.witnesses import AddCheckpoint

urlpatterns = [
    path("add-checkpoint", AddCheckpoint.as_view(), name="witness-add-checkpoint"),
]
