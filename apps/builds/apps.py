"""Registers the app under its last word."""

from django.apps import AppConfig


class BuildsConfig(AppConfig):
    """Settings of the app."""

    name = "apps.builds"
    label = "builds"
