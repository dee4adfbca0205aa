"""Request metrics of revisions, in windows, as nodes report them."""

from django.db import models


class MetricWindow(models.Model):
    """Counts and a latency histogram of one revision over one window.

    ``latency`` counts requests per upper bound in milliseconds:
    ``{"5": 10, "10": 3, …, "inf": 0}``.
    """

    node = models.CharField(max_length=40)
    revision = models.CharField(max_length=40)
    started_at = models.DateTimeField()
    seconds = models.FloatField()
    status_2xx = models.IntegerField(default=0)
    status_4xx = models.IntegerField(default=0)
    status_5xx = models.IntegerField(default=0)
    latency = models.JSONField(default=dict)
    error = models.CharField(max_length=200, blank=True)  # why the counts cannot be trusted

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["node", "revision", "started_at"], name="monitoring_window_once"
            )
        ]
        indexes = [models.Index(fields=["revision", "-started_at"], name="monitoring_recent")]
