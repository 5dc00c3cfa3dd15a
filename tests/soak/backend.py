"""One instrumented backend in a process of its own: answers what the target asks for, counts every write, and goes away and comes back."""
import asyncio
import logging
import multiprocessing
import re

import wire


class _Answering(asyncio.Protocol):
    """One connection. A write counts as seen with the first line of its head, as taken once all of it is there."""

    def __init__(self, backend):
        self.backend, self.reader, self.queue, self.playing, self.noted = backend, wire.Reader(True), [], False, False

    def connection_made(self, transport):
        self.transport = transport
        self.backend.open.add(transport)
        self.backend.connections += 1

    def connection_lost(self, error):
        self.backend.open.discard(self.transport)

    def data_received(self, data):
        self.reader.feed(data)
        try:
            while True:
                request = self.reader.take(lambda message: self._note(message))
                if request is None:
                    break
                self.noted = False
                self._taken(request)
                self.queue.append(request)
        except wire.Malformed as error:
            self.backend.problems.append(f"malformed request: {error}")
            self.transport.abort()
            return
        if self.queue and not self.playing:
            self.playing = True
            self.backend.loop.create_task(self._play())

    def _note(self, request):
        write = re.search(r"/w(\d+)", request.target)
        if write and not self.noted:
            self.noted = True
            self.backend.count(self.backend.seen, int(write[1]))

    def _taken(self, request):
        self.backend.requests += 1
        write = re.search(r"/w(\d+)(?:/(\d+))?", request.target)
        if write:
            self.backend.count(self.backend.taken, int(write[1]))
            if write[2] and request.body_bytes != int(write[2]):
                self.backend.problems.append(f"{request.target}: {request.body_bytes} bytes arrived")

    async def _play(self):
        while self.queue and not self.transport.is_closing():
            await self._answer(self.queue.pop(0))
        self.playing = False

    async def _answer(self, request):
        kind, _, rest = request.target.strip("/").partition("/")
        if kind == "slow":
            await asyncio.sleep(int(rest) / 1000)
        if kind == "stream":
            await self._stream(int(rest))
        elif kind == "sse":
            await self._events(int(rest))
        else:
            body = wire.PATTERN[:int(rest)] if kind == "large" else wire.small_body(request.target)
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async def _stream(self, size):
        self.transport.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(0, size, 30_000):
            if self.transport.is_closing():
                return
            piece = wire.PATTERN[at:min(at + 30_000, size)]
            self.transport.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await asyncio.sleep(0)
        self.transport.write(b"0\r\n\r\n")

    async def _events(self, count):
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(count):
            if self.transport.is_closing():
                return
            event = b"data: %d\n\n" % number
            self.transport.write(b"%x\r\n%s\r\n" % (len(event), event))
            await asyncio.sleep(0.02)
        self.transport.write(b"0\r\n\r\n")


class _Backend:
    def __init__(self):
        self.open, self.problems = set(), []
        self.seen, self.taken = bytearray(), bytearray()  # times, by write
        self.requests = self.connections = self.restarts = 0

    @staticmethod
    def count(counts, write):
        if write >= len(counts):
            counts.extend(bytes(write + 1024 - len(counts)))
        counts[write] = min(255, counts[write] + 1)

    async def serve(self, pipe):
        self.loop = asyncio.get_running_loop()
        server, port = None, 0
        while True:
            if server is None:
                server = await self.loop.create_server(lambda: _Answering(self), "127.0.0.1", port, backlog=512)
                port = server.sockets[0].getsockname()[1]
                pipe.send(port)
            command = await self.loop.run_in_executor(None, pipe.recv)
            if isinstance(command, float):  # as a process that dies: no new connection, and those that are open break off
                self.restarts += 1
                server.close()
                for transport in list(self.open):
                    transport.abort()
                await asyncio.sleep(command)
                server = None
            else:
                pipe.send({"seen": self.seen, "taken": self.taken, "problems": self.problems[:20], "requests": self.requests,
                           "connections": self.connections, "restarts": self.restarts})
                return


def _run(pipe):
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # warns at each write to a connection that was aborted
    asyncio.run(_Backend().serve(pipe))


class Backend:
    """The other process, seen from here."""

    def __init__(self):
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_run, args=(theirs,), daemon=True)
        self.process.start()
        self.port = self.pipe.recv()

    def restart(self, seconds):
        """Away for so long; returns when it listens again."""
        self.pipe.send(seconds)
        self.pipe.recv()

    def report(self):
        self.pipe.send("report")
        return self.pipe.recv()
