"""Structured logs: one JSON object a line, with the request id that reaches the workers."""

import logging
import logging.config
import re
import sys

import structlog

SECRET_NAMES = ("password", "secret", "token", "authorization", "cookie", "private_key")
# The names of the page stay: /accounts/password/reset/… , /accounts/oidc/…
ACCOUNTS = re.compile(r"^(\S+ /accounts/(?:[a-z_-]+/){0,2}+)\S+")
# at a lower level the S3 SDK writes down what it signs
QUIET = ("django.server", "httpx", "boto3", "botocore", "urllib3", "s3transfer")

# Who asks for a host that is not ours: the line of the request says so, and a trace of calls for
# each would let strangers fill the disk.
STRANGERS = "django.security.DisallowedHost"


def hide_secrets(
    _logger: object, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Replace the value of every key that names a secret."""
    for key in event:
        if any(word in key.lower() for word in SECRET_NAMES) and isinstance(event[key], str):
            event[key] = "[hidden]"
    return event


def cut_addresses(
    _logger: object, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Leave out of a request's line what signs somebody in: keys of set-up and reset links, and the
    codes that an identity provider sends back, all below ``/accounts/``."""
    request = event.get("request")
    if isinstance(request, str):
        event["request"] = ACCOUNTS.sub(r"\1…", request)
    return event


def skip_starts(
    _logger: object, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Leave out that a request began: the line that it ended says all of it, and its status."""
    if event.get("event") == "request_started":
        raise structlog.DropEvent
    return event


SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    hide_secrets,
    cut_addresses,
]


def configure_logging(level: str) -> None:
    """Send structlog and the standard library's logging to stderr as JSON at ``level``."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "json": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processor": structlog.processors.JSONRenderer(),
                    "foreign_pre_chain": SHARED,
                }
            },
            "handlers": {
                "stderr": {
                    "class": "logging.StreamHandler",
                    "stream": sys.stderr,
                    "formatter": "json",
                }
            },
            "root": {"handlers": ["stderr"], "level": level.upper()},
            "loggers": {
                **{name: {"level": "WARNING"} for name in QUIET},
                STRANGERS: {"level": "CRITICAL"},
            },
        }
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            skip_starts,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
