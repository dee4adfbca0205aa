"""The Django admin as Placet uses it."""

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig


class PlacetAdminSite(AdminSite):
    """The access administration."""

    site_header = site_title = "Placet access"


class PlacetAdminConfig(AdminConfig):
    """Makes :class:`PlacetAdminSite` the default site."""

    default_site = "apps.identity.admin_site.PlacetAdminSite"
