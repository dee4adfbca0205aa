"""Builds, the runtimes they resolve, and the Bentos they make."""

from django.db import models

from apps.audit.models import Audited
from apps.builds.rules import OPEN, BuildState
from apps.identity.models import Project
from apps.registry.models import ModelVersion
from placet.kernel.ids import IdField
from placet.kernel.states import choices_of


class Runtime(Audited):
    """A Python version and its locked wheels, shared by every version with the same lock."""

    digest = models.CharField(max_length=71, primary_key=True)  # sha256:… of python + lock
    python_version = models.CharField(max_length=10)
    lock = models.TextField()  # requirements with hashes, no addresses
    wheels = models.JSONField(default=list)  # [{"name": file name, "sha256": hex, "size": n}]
    created_at = models.DateTimeField(auto_now_add=True)
    collected_at = models.DateTimeField(null=True, blank=True)  # its wheels were given up


class Build(Audited):
    """Turning one version into a Bento. ``step`` moves while it runs and is not an event."""

    LOG_SEALED = frozenset({"error"})
    LOG_HIDDEN = frozenset({"step"})

    id = IdField("bld")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="builds")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(
        max_length=10, choices=choices_of(BuildState), default=BuildState.QUEUED
    )
    generation = models.IntegerField(default=0)
    step = models.CharField(max_length=30, blank=True)
    accelerate = models.BooleanField(default=False, db_default=False)  # try the model's ONNX form
    isolation = models.CharField(max_length=20, blank=True)  # bwrap, user
    error = models.TextField(blank=True)
    bento_digest = models.CharField(max_length=71, blank=True)
    requested_by = models.CharField(max_length=40)
    job = models.CharField(max_length=40, blank=True)
    timings = models.JSONField(default=dict)  # step → seconds
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version"],
                condition=models.Q(state__in=list(OPEN)),
                name="builds_one_open",
            )
        ]


class BuildLine(models.Model):
    """One timed line of a build's log."""

    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="lines")
    number = models.IntegerField()
    at = models.DateTimeField()
    step = models.CharField(max_length=30)
    text = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["build", "number"], name="builds_line_number")
        ]


class Bento(Audited):
    """A built Bento: an archive in the artifact store, named by its SHA-256."""

    digest = models.CharField(max_length=71, primary_key=True)  # sha256:…
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="bentos")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    build = models.OneToOneField(Build, on_delete=models.PROTECT, related_name="bento")
    runtime = models.ForeignKey(Runtime, on_delete=models.PROTECT, related_name="bentos")
    size = models.BigIntegerField()
    accelerated = models.BooleanField(
        default=False, db_default=False
    )  # answers with the model's ONNX form
    slim = models.BooleanField(default=False, db_default=False)  # can be served without BentoML
    provenance = models.TextField()  # DSSE envelope, signed by the build key
    sbom = models.CharField(max_length=64)  # SHA-256 of the CycloneDX document in the store
    model_signature = models.TextField(blank=True)  # OpenSSF model.sig over the version's files
    created_at = models.DateTimeField(auto_now_add=True)
    collected_at = models.DateTimeField(null=True, blank=True)  # its bytes were given up
