"""The web process: gunicorn's threaded worker, and connections that hold no thread."""
