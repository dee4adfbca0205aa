"""The WSGI application that gunicorn serves, and the thread for what web does by the clock."""

import os
from importlib import import_module

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "placet.settings")
application = get_wsgi_application()
if os.environ.get("PLACET_PROCESS") == "web":
    import_module("workers.web_jobs").start()
