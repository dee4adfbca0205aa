"""What makes a test's Bento one that the product's own launcher serves slim: standard library only.

A real runtime has uvicorn; here a few lines stand in its place, and the Bento's ``server.py``
answers, as it does where it is started itself.
"""

SLIM = """import runpy, sys


def application():
    return serve


def serve(listener):
    sys.argv = ["/bento/server.py", f"fd:{listener.detach()}"]
    runpy.run_path(sys.argv[0], run_name="__main__")
"""
SERVER = """class Config:
    def __init__(self, app, **rest):
        self.app = app


class Server:
    def __init__(self, config):
        self.app = config.app

    def run(self, sockets):
        self.app(sockets[0])
"""
FILES = {"src/placet_slim.py": SLIM, "src/uvicorn.py": SERVER}
