"""Signs in from a web process of its own: ``other_process.py ADDRESS CODE PASSWORD…``.

Prints, for each password in turn, the status of the answer; with a code (not ``-``), it goes on to
the second factor with it and prints who is signed in then.
"""

import sys

import django

django.setup()

from django.test import Client  # noqa: E402

address, code, *passwords = sys.argv[1:]
client = Client(headers={"host": "localhost"})
for password in passwords:
    answer = client.post("/accounts/login/", {"login": address, "password": password})
    print(answer.status_code)
if code != "-":
    client.post("/accounts/2fa/authenticate/", {"code": code})
print(client.get("/api/v1/whoami").status_code)
