"""Registered models, their numbered versions, files, aliases, evidence and holds."""

from django.db import models

from apps.audit.models import Audited
from apps.identity.models import Project
from placet.kernel.ids import IdField
from placet.kernel.stored_json import HashedJSONField


class RegisteredModel(Audited):
    """A named model inside a project."""

    LOG_SEALED = frozenset({"description"})

    id = IdField("mdl")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="models")
    name = models.SlugField(max_length=80)
    description = models.TextField(blank=True)
    created_by = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)
    revision = models.IntegerField(default=1)  # goes up with every change; the ETag
    highest_discarded = models.IntegerField(default=0, db_default=0)  # number that a draft had

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="registry_model_name")
        ]

    def __str__(self) -> str:
        return self.name


class VersionState(models.TextChoices):
    """``draft → finalised``; a finalised version's files and facts are frozen."""

    DRAFT = "draft"
    FINALISED = "finalised"


class ModelVersion(Audited):
    """A numbered version, ``name:3``.

    Frozen when finalised: files (``artifact_digest``), ``format``, ``signature``, ``example``,
    ``expected``, ``parameters``, ``lineage``, ``python_version``, ``requirements``, ``variables``.
    Editable and audited: ``card``, ``tags``, aliases. Metrics are evidence of kind ``metrics``.
    """

    LOG_SEALED = frozenset({"card", "example", "expected"})  # rows may be somebody's

    id = IdField("ver")
    model = models.ForeignKey(RegisteredModel, on_delete=models.PROTECT, related_name="versions")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    number = models.IntegerField()
    state = models.CharField(
        max_length=10, choices=VersionState.choices, default=VersionState.DRAFT
    )
    generation = models.IntegerField(default=0)
    author = models.CharField(max_length=40)  # accountable person id
    created_by = models.CharField(max_length=40)  # actor id
    format = models.CharField(max_length=20, blank=True)  # a key of formats.FORMATS
    artifact_digest = models.CharField(max_length=71, blank=True)  # sha256:… of the manifest
    python_version = models.CharField(max_length=10, blank=True)  # "3.13"; '' = the platform's
    requirements = models.JSONField(default=list)  # ["scikit-learn==1.9.1", …]
    variables = models.JSONField(default=list, db_default=[])  # names that a release may set
    signature = HashedJSONField(null=True, blank=True)  # {"inputs": [...], "outputs": [...]}
    example = HashedJSONField(null=True, blank=True)  # rows: [{column: value}]
    expected = HashedJSONField(null=True, blank=True)  # one output per example row
    parameters = HashedJSONField(default=dict)
    lineage = HashedJSONField(default=dict)
    tags = models.JSONField(default=dict)
    card = models.TextField(blank=True)  # Markdown with YAML front matter
    created_at = models.DateTimeField(auto_now_add=True)
    finalised_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="registry_version_number")
        ]
        indexes = [
            models.Index(  # found by the beginning of its digest
                fields=["artifact_digest"],
                name="registry_version_digest",
                opclasses=["varchar_pattern_ops"],
            )
        ]

    def __str__(self) -> str:
        return f"{self.model.name}:{self.number}"

    @property
    def api(self) -> str:
        """Return the API that takes the signature's inputs."""
        return str((self.signature or {}).get("api") or "predict")


class ArtifactFile(Audited):
    """One file of a version's artifact."""

    id = IdField("fil")
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="files")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    path = models.CharField(max_length=400)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "path"], name="registry_file_path")
        ]


class Upload(models.Model):
    """A file on its way in: bytes received so far lie in the store's ``incoming`` folder."""

    id = IdField("upl")
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="uploads")
    path = models.CharField(max_length=400)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    received = models.BigIntegerField(default=0)
    # It brought bytes of sha256, and what is in them counts as stored, in place of its size.
    verified = models.BooleanField(default=False, db_default=False)
    archive = models.BooleanField(default=False)  # unpack when complete
    created_by = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)


class Alias(Audited):
    """A movable name for a version. ``managed_by`` (an endpoint id) means only releases move it."""

    id = IdField("als")
    model = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE, related_name="aliases")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    name = models.SlugField(max_length=60)
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="aliases")
    managed_by = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "name"], name="registry_alias_name")
        ]


class EvidenceSource(models.TextChoices):
    """Who vouches for it: somebody outside, or Placet itself."""

    REPORTED = "reported"
    MEASURED = "measured"


class Evidence(Audited):
    """A typed, immutable fact about a version. ``digest`` is SHA-256 of its canonical JSON."""

    LOG_SEALED = frozenset({"data"})  # whatever a reporter writes into it

    id = IdField("evd")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="evidence")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=20)
    source = models.CharField(max_length=10, choices=EvidenceSource.choices)
    data = HashedJSONField()
    digest = models.CharField(max_length=71)
    bento_digest = models.CharField(max_length=71, blank=True)
    created_by = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["version", "kind", "-created_at"], name="registry_evidence_kind")
        ]


class SigningKey(Audited):
    """A key whose signatures over models (``model.sig``) a project trusts. Only ever revoked."""

    id = IdField("sgk")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="signing_keys")
    label = models.SlugField(max_length=40)
    pem = models.TextField()  # P-256, P-384 or P-521, in its one normal form
    fingerprint = models.CharField(max_length=71)  # sha256:… of the PEM
    valid_until = models.DateTimeField(null=True, blank=True)  # counts for no upload from then on
    created_by = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)  # counts for nothing, from then on
    revoked_by = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "label"], name="registry_signer_label"),
            models.UniqueConstraint(
                fields=["project", "fingerprint"], name="registry_signer_fingerprint"
            ),
        ]


class DeclaredFact(models.TextChoices):
    """A part that somebody had in what a version was made of."""

    DATA_OWNER = "data_owner", "Owns the data"
    CODE_AUTHOR = "code_author", "Wrote the training code"


class Declaration(Audited):
    """Somebody says who owns a data set, or who wrote the code that trained a version.

    Only ever added: nobody can take back what another has said. Rules about independence exclude
    everybody who was named, and count what is said by others than the person they are asked of.
    """

    id = IdField("dcl")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="declarations")
    fact = models.CharField(max_length=12, choices=DeclaredFact.choices)
    about = models.CharField(max_length=71)  # digest of a data set, id of a version
    person = models.CharField(max_length=40)  # whom it names
    declared_by = models.CharField(max_length=40)  # the accountable person
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "fact", "about", "person", "declared_by"],
                name="registry_declared_once",
            )
        ]


class HoldReason(models.TextChoices):
    """Why something is not deleted."""

    LIVE = "live"
    ROLLBACK = "rollback"
    RETENTION = "retention"


class Hold(Audited):
    """A reason not to delete something: it is live, within rollback, or under retention."""

    id = IdField("hld")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="holds")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=20)  # a HoldReason
    holder = models.CharField(max_length=40)  # the id of what holds it
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["version", "reason", "holder"], name="registry_hold_once"
            )
        ]


class StoredContent(models.Model):
    """A content that a project brought into the store, or is about to: it counts for the project's
    quota until it is collected, whatever becomes of its files. ``at`` is when it was brought last,
    or a file of it removed."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sha256", "project"], name="registry_stored_once")
        ]


class CondemnedBlob(models.Model):
    """A blob that nothing needed when somebody looked; it goes if nobody claims it in time."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    size = models.BigIntegerField()
    condemned_at = models.DateTimeField()
    sweeping = models.BooleanField(default=False)  # its bytes may be gone already
