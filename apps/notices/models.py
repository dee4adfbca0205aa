"""What people watch, how they want to be told, and what they are to be told."""

from django.db import models
from django.db.models import Q

from apps.governance.models import Release
from apps.identity.models import Project, User
from apps.notices.rules import KINDS, WAYS
from placet.kernel.ids import IdField

WAY_CHOICES = list(WAYS.items())
KIND_CHOICES = [(kind.name, kind.title) for kind in KINDS.values()]


class Watch(models.Model):
    """That a person watches a project, or one release of it; or, not ``is_on``, that they do not
    want news of a release which they would be told of else, because they asked for it, decided on
    it or were mentioned there.

    It grants nothing and nobody else sees it, as is so of a :class:`Preference`: so the log has no
    events of them. What somebody likes to read would otherwise stay there for ever.
    """

    id = IdField("wat")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    release = models.ForeignKey(
        Release, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    is_on = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "project", "release"],
                nulls_distinct=False,
                name="notices_watch_once",
            )
        ]
        indexes = [models.Index(fields=["project", "release"], name="notices_watch_of")]


class Preference(models.Model):
    """How a person wants to be told of one kind of things, in one project or in all of them."""

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    kind = models.CharField(max_length=12, choices=KIND_CHOICES)
    way = models.CharField(max_length=5, choices=WAY_CHOICES)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "project", "kind"],
                nulls_distinct=False,
                name="notices_preference_once",
            )
        ]


class Reading(models.Model):
    """How far the log was read: one row. ``cursor`` is the index of the next event."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    cursor = models.BigIntegerField(default=0)


class NoticeState(models.TextChoices):
    """``waiting → sending → sent | dropped | failed``; from ``sending`` back to ``waiting``.

    ``dropped``: by then it did not concern them any more, or they may not see it.
    """

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    DROPPED = "dropped"
    FAILED = "failed"


OPEN_NOTICES = (NoticeState.WAITING, NoticeState.SENDING)


class Notice(models.Model):
    """One thing that one person is to be told: an event of the log, or, without one, that their
    token expires. Measurements: the log does not repeat them.

    What one mail holds stays together: ``letter`` is its id from the first attempt on.
    ``subject`` is what the mail leads to, and ``part`` what of it is meant, by id. Who sends it has
    it until ``lease_until``, and writes down what came of it by ``generation``.
    """

    id = IdField("ntc")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=12, choices=KIND_CHOICES)
    index = models.BigIntegerField(null=True, blank=True)
    subject = models.CharField(max_length=40)
    part = models.CharField(max_length=40, blank=True)
    project = models.CharField(max_length=40, blank=True)  # its id
    way = models.CharField(max_length=5, choices=WAY_CHOICES)
    letter = models.CharField(max_length=40, blank=True)
    state = models.CharField(max_length=7, choices=NoticeState.choices, default=NoticeState.WAITING)
    generation = models.IntegerField(default=0)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()  # from when on it is tried for a day
    next_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    tries = models.IntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "index"], name="notices_event_once"),
            models.UniqueConstraint(
                fields=["person", "kind", "subject"],
                condition=Q(index=None),
                name="notices_subject_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_at", "id"],
                name="notices_due",
                condition=Q(state__in=["waiting", "sending"]),
            ),
            models.Index(fields=["person", "-id"], name="notices_of"),
            models.Index(fields=["created_at"], name="notices_age"),
        ]
