"""Django settings, derived from :class:`placet.kernel.config.Config`."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from csp.constants import NONE, SELF

from placet.kernel.bodies import WITH_FILES
from placet.kernel.config import ROOT, WORKERS, config
from placet.logs import configure_logging
from placet_protocol import cookies

_config = config()
BASE_DIR = ROOT
DATA_DIR = _config.data_dir
EMBEDDED = _config.mode == "embedded"


# Lists join a release with eight tables, whose keys all have two indexes. To try every order of
# those (up to 8 by default) took PostgreSQL 50 ms for a query of 1 ms; what is asked for is joined
# first in any case. And PostgreSQL takes a page out of order to cost four times one in order, which
# is so of turning disks: it read all windows of an hour for those of fifty endpoints.
OPTIONS = (
    "-c idle_in_transaction_session_timeout=60000 -c timezone=UTC "
    "-c join_collapse_limit=5 -c from_collapse_limit=5 -c random_page_cost=1.1"
)


def database(url: str) -> dict[str, Any]:
    """Turn ``postgresql://user:password@host:port/name?host=/socket`` into Django's form."""
    parts = urlsplit(url)
    query: dict[str, Any] = dict(parse_qsl(parts.query))
    process = os.environ.get("PLACET_PROCESS")
    if process == "web":  # a new connection costs more than most requests
        query["pool"] = {"min_size": 2, "max_size": _config.web_threads, "timeout": 3}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": None if process in WORKERS else 0,  # None: kept, for the same reason
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "options": OPTIONS,
            **query,
        },
    }


SECRET_KEY = _config.secret_key.get_secret_value()
DEBUG = _config.debug
ALLOWED_HOSTS = [
    urlsplit(_config.public_url).hostname or "",
    *(host.strip() for host in _config.allowed_hosts.split(",") if host.strip()),
]
CSRF_TRUSTED_ORIGINS = [_config.public_origin]

INSTALLED_APPS = [
    "placet",
    "apps.audit",
    "apps.jobs",
    "apps.identity",
    "apps.discussions",
    "apps.registry",
    "apps.builds",
    "apps.serving",
    "apps.governance",
    "apps.monitoring",
    "apps.rollouts",
    "apps.assurance",
    "apps.integrations",
    "apps.notices",
    "apps.console",
    "apps.operations",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "apps.identity.admin_site.PlacetAdminConfig",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "django_structlog",
    "csp",
    "pgtrigger",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "placet.middleware.ProbeMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "placet.middleware.RequestIdMiddleware",
    "placet.middleware.RequestLogMiddleware",
    "csp.middleware.CSPMiddleware",
    "placet.middleware.CookieNamesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "placet.middleware.PublicAddressMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "placet.middleware.ProblemMiddleware",
    "apps.identity.middleware.ActorMiddleware",
    "apps.identity.middleware.QuotaMiddleware",
    "apps.audit.middleware.DeniedMiddleware",
    "apps.identity.middleware.IdempotencyMiddleware",
]

ROOT_URLCONF = "placet.urls"
WSGI_APPLICATION = "placet.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.console.context.shell",
            ],
        },
    }
]

DATABASES = {"default": database(_config.database_url or "postgresql:///placet")}
DATABASE_APP_ROLE = "placet_app"  # what the application connects as; owns nothing
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "identity.User"
AUTHENTICATION_BACKENDS = ["apps.identity.sign_in.backends.RoleBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # accounts are made by an access admin, never by sign-up
ACCOUNT_ADAPTER = "apps.identity.sign_in.adapters.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "apps.identity.sign_in.forms.LoginForm",
    "reset_password": "apps.identity.sign_in.forms.ResetPasswordForm",
}
SOCIALACCOUNT_ADAPTER = "apps.identity.sign_in.adapters.SocialAccountAdapter"
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "apps.identity.sign_in.reset_tokens.ResetTokens"  # noqa: S105
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # a stranger's address gets no mail from us
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True  # a set-up link leads straight in (past a second factor)
ACCOUNT_REAUTHENTICATION_TIMEOUT = _config.reauthenticate_after_minutes * 60
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "oidc",
                "name": _config.oidc_name,
                "client_id": _config.oidc_client_id,
                "secret": _config.oidc_client_secret.get_secret_value(),
                "settings": {"server_url": _config.oidc_issuer},
            }
        ]
        if _config.oidc_issuer
        else [],
    }
}

OIDC_ORIGIN = ["{0.scheme}://{0.netloc}".format(urlsplit(_config.oidc_issuer))] * bool(
    _config.oidc_issuer
)

# how many proxies of yours add to X-Forwarded-For: with 0 the peer's own address counts
ALLAUTH_TRUSTED_PROXY_COUNT = _config.trusted_proxies
CACHES = {"default": {"BACKEND": "apps.identity.sign_in.shared_cache.SharedCache"}}
SESSION_ENGINE = "apps.identity.sign_in.session_store"
# In a cookie they would be nobody's: whoever was told something could have others read it.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
_PREFIX = "" if EMBEDDED else cookies.HOST
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = _PREFIX + cookies.SESSION, _PREFIX + cookies.CSRF
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "apps.console.views.base.stale_form"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not EMBEDDED
SESSION_COOKIE_AGE = 12 * 3600
# A header of a proxy counts only where a proxy ends TLS: gunicorn then listens on loopback alone.
SECURE_PROXY_SSL_HEADER = (
    None if EMBEDDED or _config.tls_cert else ("HTTP_X_FORWARDED_PROTO", "https")
)
SECURE_HSTS_SECONDS = 0 if EMBEDDED else 31536000
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = _config.max_body_bytes
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
# a file in a form is kept no longer than the form, and never on the disk; it is as large at most
FILE_UPLOAD_MAX_MEMORY_SIZE = max(_config.max_body_bytes, WITH_FILES)
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        # Chromium checks redirects of a form, too: signing in may go on to the identity provider
        "form-action": [SELF, *OIDC_ORIGIN],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "manifest-src": [SELF],
    }
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
STATIC_URL = "/static/"
COLLECTED = os.environ.get("PLACET_COLLECTED", "")  # where an image has its static files
STATIC_ROOT = Path(COLLECTED or DATA_DIR / "static")
STATICFILES_DIRS = [ROOT / "platform" / "placet" / "static"]
SITE = ROOT / ".site"  # what bin/site makes: the guides, and the wheels of agent and client
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"
        if COLLECTED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not COLLECTED

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.identity.api.authentication.ActorAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["placet.kernel.api.permissions.SignedIn"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["placet.kernel.api.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "placet.kernel.api.schema.PlacetSchema",
    "EXCEPTION_HANDLER": "placet.kernel.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,  # ?format= belongs to the exports
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Placet",
    "DESCRIPTION": "Decides which models may run, proves why, and rolls them out safely.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "placet.kernel.api.schema.closed_bodies",
    ],
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    # hundreds of operations: the reader unfolds the section that is wanted
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "docExpansion": "none"},
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "VersionStateEnum": "apps.registry.models.VersionState.values",
        "RecallKindEnum": "apps.assurance.models.RecallKind.values",
        "RecallStateEnum": "apps.assurance.models.RecallState.values",
        "WorkStateEnum": "apps.jobs.models.JobState.choices",
        "StreamKindEnum": "apps.integrations.models.StreamKind.values",
        "StreamStateEnum": "apps.integrations.api.streams.STATES",
        "WebhookStateEnum": "apps.integrations.api.webhooks.STATES",
        "WebhookReasonEnum": "apps.integrations.models.WebhookReason.values",
        "WebhookDeliveryStateEnum": "apps.integrations.api.webhook_deliveries.STATES",
        "WebhookFaultEnum": "apps.integrations.models.WebhookFault.values",
        "HoldScopeEnum": "apps.assurance.models.HoldScope.choices",
        "HoldStateEnum": "apps.assurance.models.HoldState.choices",
        "ThreadStateEnum": "apps.discussions.api.threads.STATES",
        "ThreadCommentStateEnum": "apps.discussions.api.comments.STATES",
        "BreakGlassStandingEnum": "apps.governance.api.break_glass.STANDINGS",
        "StandingEnum": "apps.monitoring.api.objectives.STANDINGS",
        "DecisionRoleEnum": "apps.governance.api.decisions.ROLES",
        "NoticeKindEnum": "apps.notices.api.preferences.KIND_NAMES",
        "NoticeWayEnum": "apps.notices.api.preferences.WAY_NAMES",
        "ChosenWayEnum": "apps.notices.api.preferences.CHOSEN_WAYS",
        "WitnessKindEnum": "apps.audit.models.WitnessKind.choices",
    },
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "token": {"type": "http", "scheme": "bearer"},
            "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE_NAME},
        }
    },
    "SECURITY": [{"token": []}, {"session": []}],
}

DEFAULT_FROM_EMAIL = SERVER_EMAIL = _config.mail_from
EMAIL_TIMEOUT = 10  # seconds of silence; else a mail server could hold a worker's thread for good
if _config.email_url:
    _mail = urlsplit(_config.email_url)
    EMAIL_HOST, EMAIL_PORT = _mail.hostname or "", _mail.port or 587
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.username or "", _mail.password or ""
    EMAIL_USE_TLS = _mail.scheme == "smtp+tls"
else:
    EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True  # RequestIdMiddleware has settled it
LOGGING_CONFIG = None
configure_logging(_config.log_level)

SILENCED_SYSTEM_CHECKS: list[str] = []
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # whitenoise warns of a missing folder
