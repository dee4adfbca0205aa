"""Registers the app under its last word."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """Settings of the app."""

    name = "apps.operations"
    label = "operations"
