"""Registers the app under its last word."""

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    """Settings of the app."""

    name = "apps.registry"
    label = "registry"
