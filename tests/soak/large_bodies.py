#!/usr/bin/env python3
"""Streams one large body up and one down through the real gateway, and watches its resident memory:  large_bodies.py [--gib 10]

The shadow takes no part in such an exchange (limits.shadow_body_bytes); the serving leg streams with back-pressure."""
import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("PHOENIX_BIN", os.path.join(ROOT, "build", "bin"))
PIECE = b"z" * (1 << 20)
ALLOWED_GROWTH = 32_000_000  # bytes; buffers of a few connections are far below

CONFIG = """
event_log: {{sqlite: {{path: "{directory}/events.db"}}}}
gateway:
  id: gw-large
  state_dir: "{directory}/state"
  listen: 127.0.0.1:0
  admin_listen: 127.0.0.1:0
  threads: 1
  legacy: {{endpoints: ["http://127.0.0.1:{legacy}"]}}
  modern: {{endpoints: ["http://127.0.0.1:{modern}"]}}
  routes: [{{name: files, match: {{path: "/*"}}, shadow: dual}}]
"""


def send(connection, size):
    for _ in range(size // len(PIECE)):
        connection.sendall(PIECE)


def receive(connection, size):
    window = bytearray(1 << 20)
    got = 0
    while got < size:
        count = connection.recv_into(window)
        if not count:
            break
        got += count
    return got


def head_of(connection):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    return head


class Backend:
    """Swallows what comes with a length, and answers GET with `size` bytes."""

    def __init__(self, size):
        self.size, self.swallowed = size, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            head = head_of(connection)
            length = re.search(rb"\r\nContent-Length: (\d+)", head)
            if head.startswith(b"GET"):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self.size)
                send(connection, self.size)
            else:
                self.swallowed += receive(connection, int(length[1]))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (OSError, IndexError):
            pass
        connection.close()


class Memory:
    def __init__(self, pid):
        self.pid, self.peak, self.over = pid, 0, threading.Event()
        self.start = self.now()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def now(self):
        with open(f"/proc/{self.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def watch(self):
        while not self.over.wait(0.05):
            self.peak = max(self.peak, self.now())

    def stop(self):
        self.over.set()
        self.thread.join()


def run(size, port, legacy):
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"PUT /up HTTP/1.1\r\nHost: bank.test\r\nContent-Length: %d\r\n\r\n" % size)
        send(client, size)
        answered = head_of(client).startswith(b"HTTP/1.1 200")
    up = time.monotonic() - started
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET /down HTTP/1.1\r\nHost: bank.test\r\n\r\n")
        head_of(client)
        got = receive(client, size)
    down = time.monotonic() - started
    print(f"up {size / 2**30:.0f} GiB in {up:.1f} s, down in {down:.1f} s")
    return answered and legacy.swallowed == size and got == size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=int, default=10)
    size = parser.parse_args().gib << 30
    directory = tempfile.mkdtemp(prefix="phoenix-large-")
    legacy, modern = Backend(size), Backend(size)
    path = os.path.join(directory, "phoenix.yml")
    with open(path, "w") as out:
        out.write(CONFIG.format(directory=directory, legacy=legacy.port, modern=modern.port))
    gateway = subprocess.Popen([os.path.join(BIN, "phoenix-gateway"), "--config", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        memory = Memory(gateway.pid)
        listening = re.match(r"listening on \S+:(\d+)", gateway.stdout.readline())
        memory.start = memory.now()
        whole = run(size, int(listening[1]), legacy)
        memory.stop()
        print(f"resident memory {memory.start / 1e6:.1f} MB at the start, at most {memory.peak / 1e6:.1f} MB; the shadow got {modern.swallowed} bytes")
        good = whole and memory.peak < memory.start + ALLOWED_GROWTH and modern.swallowed == 0
        print("every byte arrived, memory is constant" if good else "FAILED")
    finally:
        gateway.terminate()
        gateway.wait()
        shutil.rmtree(directory)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
