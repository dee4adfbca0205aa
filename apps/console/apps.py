"""Registers the app under its last word."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Settings of the app."""

    name = "apps.console"
    label = "console"
