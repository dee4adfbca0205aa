"""A mail server on loopback that takes whatever it is sent."""

import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from threading import Thread

ANSWERS = {b"MAIL": b"250 yes", b"RCPT": b"250 yes", b"RSET": b"250 yes", b"NOOP": b"250 yes"}


@dataclass(slots=True)
class MailServer:
    """What it was sent."""

    url: str = ""
    messages: list[Message] = field(default_factory=list)


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Have a mail server on loopback."""
    kept = MailServer()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say(b"220 here")
            for line in self.rfile:
                verb = line[:4].upper()
                if verb == b"QUIT":
                    self.say(b"221 bye")
                    return
                if verb in (b"EHLO", b"HELO"):
                    self.say(b"250 here")
                elif verb == b"DATA":
                    self.take()
                else:
                    self.say(ANSWERS.get(verb, b"502 what"))

        def take(self) -> None:
            self.say(b"354 go on")
            body = b""
            for line in self.rfile:
                if line.rstrip() == b".":
                    break
                body += line[1:] if line.startswith(b".") else line
            kept.messages.append(message_from_bytes(body))
            self.say(b"250 taken")

        def say(self, line: bytes) -> None:
            self.wfile.write(line + b"\r\n")
            self.wfile.flush()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        server.daemon_threads = True
        kept.url = f"smtp://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield kept
        finally:
            server.shutdown()
            thread.join()
