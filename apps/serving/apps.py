"""Registers the app under its last word."""

from django.apps import AppConfig


class ServingConfig(AppConfig):
    """Settings of the app."""

    name = "apps.serving"
    label = "serving"
