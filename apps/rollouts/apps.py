"""Registers the app under its last word."""

from django.apps import AppConfig


class RolloutsConfig(AppConfig):
    """Settings of the app."""

    name = "apps.rollouts"
    label = "rollouts"
