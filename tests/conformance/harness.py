"""One gateway between two instrumented backends, and the check of one case against what they and the client saw."""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from typing import Optional

import wire
from backend import Backend

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("PHOENIX_BIN", os.path.join(ROOT, "build", "bin"))
HOP_BY_HOP = ("Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Upgrade", "HTTP2-Settings")
SMUGGLED = b"GET /dual/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

IDLE = 3  # s, timeouts.idle below

CONFIG = """
event_log: {{sqlite: {{path: "{directory}/events.db"}}}}
gateway:
  id: gw-conformance
  state_dir: "{directory}/state"
  listen: 127.0.0.1:0
  admin_listen: 127.0.0.1:0
  threads: 1
  legacy: {{endpoints: ["http://127.0.0.1:{legacy}"]}}
  modern: {{endpoints: ["http://127.0.0.1:{modern}"]}}
  timeouts: {{connect: 2s, response: 2s, idle: {idle}s, request_head: 2s}}
  limits: {{head_bytes: 32KiB, body_bytes: 1MiB, shadow_body_bytes: 16KiB}}
  routes:
    - {{name: reads, match: {{path: "/reads/*"}}, shadow: reads}}
    - {{name: dual, match: {{path: "/dual/*"}}, shadow: dual}}
    - {{name: keyed, match: {{path: "/keyed"}}, shadow: dual, key: {{json: [/id]}}}}
"""


@dataclass
class Seen:
    """One request as a backend must have received it; None and empty: not checked."""
    line: Optional[bytes] = None
    body: Optional[bytes] = None
    framing: Optional[str] = None
    has: dict = field(default_factory=dict)  # name -> values in order
    lacks: tuple = ()
    lines: bytes = b""                       # must stand in the head as they are
    upgrade: bytes = b""                     # the protocol that it asks to switch to; else neither Connection nor Upgrade is there


@dataclass
class Got:
    """One response as the client must have received it."""
    status: int = 200
    body: Optional[bytes] = None
    framing: Optional[str] = None
    has: dict = field(default_factory=dict)
    lacks: tuple = ()
    lines: bytes = b""
    start: Optional[bytes] = None
    own: bool = False                        # the gateway's, without an exchange


@dataclass
class Case:
    """`seen` and `got` in order. `methods` are those of the requests sent, for reading the answers (HEAD)."""
    group: str
    name: str
    send: bytes
    got: list
    seen: list = field(default_factory=list)
    kept: bool = True                  # the client's connection afterwards; proven by another exchange, or by its end
    answer: Optional[list] = None      # steps, see Backend; default: 200 with the body "ok"
    on_head: Optional[list] = None
    modern_answer: Optional[list] = None
    shadowed: Optional[bool] = None    # None: by route and method
    methods: tuple = ()
    then: Optional[list] = None        # [(bytes to send after that many answers, ...)]
    pool: Optional[str] = None         # serving connection to legacy afterwards: "kept" or "closed"
    secret: bytes = b"EVIL"            # never on the client's wire
    cut: bool = False                  # legacy saw the beginning of a request that then broke off
    finish_sending: bool = False       # half-close after sending
    split: bool = False                # also run one byte at a time, both directions
    gap: str = ""                      # why this one is known to fail,
    fails: str = ""                    # and what is said then


def rejected(group, name, send, status=400, tail=SMUGGLED, **more):
    """Answered by the gateway itself with `status` and closed; no byte at either backend, also not of what follows."""
    return Case(group, name, send + tail, [Got(status, has={"Connection": [b"close"]}, own=True)], kept=False, shadowed=False, **more)


def bad_answer(group, name, answer, status=502, send=b"GET /reads/x HTTP/1.1\r\nHost: a\r\n\r\n", close=True, **more):
    """A response that becomes the gateway's own `status`, with nothing of it on the client's wire; the request was not shadowed."""
    steps = [answer] if isinstance(answer, bytes) else answer
    return Case(group, name, send, [Got(status)], seen=[Seen()], answer=steps + (["close"] if close else []), shadowed=False, pool="closed", **more)


class Client:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread, self.raw, self.ended = bytearray(), bytearray(), False

    def send(self, data, split=False):
        try:
            for piece in ([data[i:i + 1] for i in range(len(data))] if split else [data]):
                self.sock.sendall(piece)
        except OSError:
            pass  # refused and closed already: what was answered is read below

    def _receive(self):
        try:
            data = self.sock.recv(65536)
        except socket.timeout:
            raise wire.Malformed(f"no more bytes within 10 s, unread {bytes(self.unread)[:200]!r}") from None
        except OSError:
            data = b""
        self.unread += data
        self.raw += data
        self.ended = not data

    def response(self, method):
        while True:
            message = wire.take_response(self.unread, method, self.ended)
            if message is not None:
                return message
            if self.ended:
                raise wire.Malformed(f"the connection ended within a response, unread {bytes(self.unread)[:200]!r}")
            self._receive()

    def closed(self):
        """Waits for the end; False when bytes come instead."""
        while not self.ended and not self.unread:
            self._receive()
        return self.ended and not self.unread


class World:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="phoenix-conformance-")
        self.legacy, self.modern = Backend("legacy"), Backend("modern")
        config = os.path.join(self.directory, "phoenix.yml")
        with open(config, "w") as out:
            out.write(CONFIG.format(directory=self.directory, legacy=self.legacy.port, modern=self.modern.port, idle=IDLE))
        self.log = open(os.path.join(self.directory, "gateway.log"), "w+")
        self.process = subprocess.Popen([os.path.join(BIN, "phoenix-gateway"), "--config", config], stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        found = re.match(r"listening on \S+:(\d+) \(admin (\S+)\)", line)
        if not found:
            self.log.seek(0)
            sys.exit(f"phoenix-gateway did not start: {line}{self.log.read()}")
        self.port, self.admin = int(found[1]), found[2]

    def stop(self):
        """Returns what the gateway said if it did not end well (a sanitizer's report, for one), else nothing."""
        self.process.terminate()
        status = self.process.wait(20)
        self.process.stdout.close()
        self.log.seek(0)
        said = self.log.read()
        self.log.close()
        self.legacy.stop()
        self.modern.stop()
        shutil.rmtree(self.directory)
        return "" if status == 0 else f"phoenix-gateway ended with {status}: {said[-4000:]}"

    def routes(self):
        with urllib.request.urlopen(f"http://{self.admin}/status", timeout=10) as answer:
            return json.loads(answer.read())["routes"]

    def settle(self, seconds=10):
        """Until no exchange is under way and the backends have recorded all that was sent to them."""
        deadline = time.monotonic() + seconds
        while any(route["in_flight"] for route in self.routes()):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        self.legacy.drain()
        self.modern.drain()
        return True

    def alive(self):
        return self.process.poll() is None
