"""Registers the app under its last word."""

from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    """Settings of the app."""

    name = "apps.monitoring"
    label = "monitoring"
