"""Celery's task and the handlers of every area, loaded by importing this package.

A module here registers its handlers with ``apps.jobs.handlers``; adding one needs no list.
"""

import pkgutil
from importlib import import_module

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
