"""The clients of the soak, in a process of their own: a fixed number at a time, each with a habit chosen by chance."""
import array
import asyncio
import collections
import itertools
import multiprocessing
import random
import socket
import struct
import time

import wire

KEYS = 500
OWN_STATUSES = (502, 503, 504)  # of the gateway, while a backend is away
# habit -> weight
HABITS = {"keep_alive": 40, "pipelined": 12, "chunked": 8, "upload": 4, "download": 5, "slow_reader": 2, "slow_writer": 4, "events": 4,
          "abort_request": 8, "abort_answer": 8, "idle": 3, "late_answer": 4}


class Broken(Exception):
    """The connection ended before the answer: as it may while legacy is restarted, and must not otherwise."""


class Closed(Exception):
    """An answer said that the connection ends with it."""


class _Client:
    def __init__(self, port, seed, writes):
        self.port, self.random, self.writes = port, random.Random(seed), writes
        self.counts, self.accepted, self.problems = collections.Counter(), array.array("Q"), []
        self.failures = []  # (when, what): own statuses of the gateway, connections that broke off

    async def connect(self, receive_buffer=None):
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        self.sock, self.reader = sock, wire.Reader(False)
        self.counts["connections"] += 1

    def close(self, reset=False):
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    async def send(self, data):
        try:
            await asyncio.get_running_loop().sock_sendall(self.sock, data)
        except OSError:
            pass  # answered early, or broken: what was answered is read next

    async def receive(self, most):
        try:
            data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.sock, most), 30)
        except asyncio.TimeoutError:  # far beyond the gateway's own time-outs
            self.problems.append("no byte within 30 s")
            raise Broken from None
        except OSError:
            data = b""
        if not data:
            raise Broken
        return data

    async def answer(self, target, expected, most=262_144, pause=0.0):
        """The next final response; checks it and counts it. Read `most` bytes at a time, with a pause before each."""
        while True:
            message = self.reader.take()
            if message is None:
                await asyncio.sleep(pause)
                self.reader.feed(await self.receive(most))
            elif message.status >= 200:
                break
        self.check(message, target, expected)
        if message.fields.get("connection") == "close":
            raise Closed
        if message.status == 503:
            await asyncio.sleep(0.05)

    def check(self, message, target, expected):
        self.counts[message.status] += 1
        if message.status == 200 and message.body != expected:
            self.problems.append(f"{target}: a wrong body of {len(message.body)} bytes")
        elif message.status in OWN_STATUSES:
            self.failures.append((time.monotonic(), f"{target}: {message.status}"))
        elif message.status != 200:
            self.problems.append(f"{target}: {message.status} {message.body[:200]!r}")
        if message.status == 200 and "/w" in target:
            self.accepted.append(int(target.split("/w")[1].split("/")[0]))

    def small(self):
        """(request, target): a read or a write of one key."""
        key = self.random.randrange(KEYS)
        if self.random.random() < 0.5:
            target = f"/keyed/k{key}/r"
            return b"GET %s HTTP/1.1\r\nHost: bank.test\r\n\r\n" % target.encode(), target
        body = wire.PATTERN[:self.random.randrange(1, 400)]
        target = f"/keyed/k{key}/w{next(self.writes)}/{len(body)}"
        return b"POST %s HTTP/1.1\r\nHost: bank.test\r\nContent-Length: %d\r\n\r\n%s" % (target.encode(), len(body), body), target

    def chunked_request(self, size, chunk):
        target = f"/upload/w{next(self.writes)}/{size}"
        out = b"POST %s HTTP/1.1\r\nHost: bank.test\r\nTransfer-Encoding: chunked\r\n\r\n" % target.encode()
        for at in range(0, size, chunk):
            piece = wire.PATTERN[at:min(at + chunk, size)]
            out += b"%x\r\n%s\r\n" % (len(piece), piece)
        return out + b"0\r\n\r\n", target

    @staticmethod
    def get(target):
        return b"GET %s HTTP/1.1\r\nHost: bank.test\r\n\r\n" % target.encode()

    # --- habits --------------------------------------------------------------------------------------------------------

    async def keep_alive(self):
        for _ in range(self.random.randrange(1, 40)):
            request, target = self.small()
            await self.send(request)
            await self.answer(target, wire.small_body(target))

    async def pipelined(self):
        pairs = [self.small() for _ in range(self.random.randrange(2, 8))]
        await self.send(b"".join(request for request, _ in pairs))
        for _, target in pairs:
            await self.answer(target, wire.small_body(target))

    async def chunked(self):
        request, target = self.chunked_request(self.random.randrange(1, 5_000), self.random.randrange(100, 2_000))
        await self.send(request)
        await self.answer(target, wire.small_body(target))

    async def upload(self):
        request, target = self.chunked_request(self.random.randrange(100_000, 1_000_000), 50_000)
        await self.send(request)
        await self.answer(target, wire.small_body(target))

    async def download(self):
        size = self.random.randrange(50_000, 1_000_000)
        target = f"/{self.random.choice(('large', 'stream'))}/{size}"
        await self.send(self.get(target))
        await self.answer(target, wire.PATTERN[:size])

    async def slow_reader(self):
        size = self.random.randrange(100_000, 400_000)
        await self.send(self.get(f"/large/{size}"))
        await self.answer("/large", wire.PATTERN[:size], 8_192, 0.02)

    async def slow_writer(self):
        request, target = self.small()
        for at in range(0, len(request), 40):
            await self.send(request[at:at + 40])
            await asyncio.sleep(0.01)
        await self.answer(target, wire.small_body(target))

    async def events(self):
        count = self.random.randrange(1, 25)
        await self.send(self.get(f"/sse/{count}"))
        await self.answer("/sse", b"".join(b"data: %d\n\n" % number for number in range(count)))

    async def late_answer(self):
        target = f"/slow/{self.random.randrange(10, 400)}"
        await self.send(self.get(target))
        await self.answer(target, wire.small_body(target))

    async def idle(self):
        await asyncio.sleep(self.random.uniform(0.1, 1.5))

    async def abort_request(self):
        request, _ = self.chunked_request(200_000, 20_000) if self.random.random() < 0.3 else self.small()
        await self.send(request[:self.random.randrange(1, len(request))])
        await asyncio.sleep(self.random.choice((0, 0.005, 0.05)))
        self.counts["aborts"] += 1
        self.close(self.random.random() < 0.7)

    async def abort_answer(self):
        choices = (self.get(f"/large/{500_000}"), self.get(f"/stream/{500_000}"), self.get("/sse/20"), self.get("/slow/200"), self.small()[0])
        await self.send(self.random.choice(choices))
        if self.random.random() < 0.6:
            await self.receive(self.random.choice((1, 100, 50_000)))
        self.counts["aborts"] += 1
        self.close(self.random.random() < 0.7)

    async def run(self, until):
        while time.monotonic() < until:
            habit = self.random.choices(list(HABITS), list(HABITS.values()))[0]
            self.counts["habits"] += 1
            try:
                await self.connect(16_384 if habit == "slow_reader" else None)
                await getattr(self, habit)()
            except Closed:
                pass
            except Broken:
                self.counts["broken off"] += 1
                self.failures.append((time.monotonic(), f"{habit}: the connection ended before the answer"))
            except wire.Malformed as error:
                self.problems.append(f"{habit}: {error}")
            finally:
                self.close()


async def _all(port, seed, number, seconds, writes):
    clients = [_Client(port, seed * 1000 + at, writes) for at in range(number)]
    until = time.monotonic() + seconds
    await asyncio.gather(*(client.run(until) for client in clients))
    counts = collections.Counter()
    for client in clients:
        counts.update(client.counts)
    return {"counts": counts, "accepted": sum((client.accepted for client in clients), array.array("Q")),
            "failures": [failure for client in clients for failure in client.failures], "problems": [problem for client in clients for problem in client.problems][:20], "writes": next(writes) - 1}


def _run(pipe, *arguments):
    pipe.send(asyncio.run(_all(*arguments, itertools.count(1))))


class Clients:
    def __init__(self, port, seed, number, seconds):
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_run, args=(theirs, port, seed, number, seconds), daemon=True)
        self.process.start()

    def finished(self):
        return self.pipe.poll(0)

    def result(self):
        return self.pipe.recv()
