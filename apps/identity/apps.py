"""Registers the app under its last word."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    """Settings of the app."""

    name = "apps.identity"
    label = "identity"
