"""Registers the app under its last word."""

from django.apps import AppConfig


class GovernanceConfig(AppConfig):
    """Settings of the app."""

    name = "apps.governance"
    label = "governance"
