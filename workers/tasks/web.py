"""The names of what the web process does (``workers.web_tasks``)."""

import workers.web_tasks  # noqa: F401  (registers the handlers)
