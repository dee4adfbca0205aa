"""Every route: the API, the agents' door, the admin, sign-in, and the pages."""

from django.contrib import admin
from django.urls import include, path

from placet.errors import bad_request, forbidden, not_found, server_error

API = [
    path("", include("apps.audit.api.urls")),
    path("", include("apps.jobs.api.urls")),
    path("", include("apps.identity.api.urls")),
    path("", include("apps.discussions.api.urls")),
    path("", include("apps.registry.api.urls")),
    path("", include("apps.builds.api.urls")),
    path("", include("apps.serving.api.urls")),
    path("", include("apps.governance.api.urls")),
    path("", include("apps.monitoring.api.urls")),
    path("", include("apps.rollouts.api.urls")),
    path("", include("apps.assurance.api.urls")),
    path("", include("apps.integrations.api.urls")),
    path("", include("apps.notices.api.urls")),
    path("", include("apps.console.api.urls")),
]

urlpatterns = [
    path("api/v1/", include(API)),
    path("api/", include("placet.schema_urls")),
    path("agent/v1/", include("apps.serving.agent_api.urls")),
    path("agent/v1/", include("apps.monitoring.agent_api.urls")),
    path("witness/", include("apps.audit.witness_urls")),
    path("admin/", admin.site.urls),
    path("accounts/", include("apps.identity.sign_in.urls")),
    path("", include("apps.console.urls")),
]

handler400, handler403, handler404, handler500 = bad_request, forbidden, not_found, server_error
