"""A backend on raw sockets: records every byte it gets and plays what a case scripted, on one thread of its own."""
import os
import selectors
import socket
import struct
import threading

import wire

OK = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]


class Connection:
    def __init__(self, number, sock):
        self.number, self.sock = number, sock
        self.unread = bytearray()  # received, not yet part of a complete request
        self.steps = []            # of the answer, still to be played
        self.head_seen = False


class Backend:
    """Steps of an answer: bytes are sent, "close", "reset" (RST), "hold" (until release()), "await" (the request's end).

    `answer` is played for every complete request; `on_head` as soon as a request's head is there, before `answer`.
    """

    def __init__(self, name):
        self.name = name
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.changed = threading.Condition()
        self.wake_read, self.wake_write = os.pipe()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ, None)
        self.selector.register(self.wake_read, selectors.EVENT_READ, None)
        self.connections, self.accepted, self.stopping, self.drains = {}, 0, False, []
        self.reset()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def reset(self, answer=None, on_head=None, split=False):
        with self.changed:
            self.answer, self.on_head, self.split = answer or OK, on_head or [], split
            self.requests, self.malformed, self.cut, self.bytes = [], [], [], 0
            self.ended, self.held, self.gate = set(), 0, 0

    def script(self, answer):
        with self.changed:
            self.answer, self.on_head, self.split = answer, [], False

    def release(self):
        with self.changed:
            self.gate += 1
        os.write(self.wake_write, b"x")

    def wait(self, condition, seconds=10):
        """Waits until `condition(self)`; False when it did not come."""
        with self.changed:
            return self.changed.wait_for(lambda: condition(self), seconds)

    def drain(self):
        """Returns once everything that has arrived at this machine is recorded."""
        done = threading.Event()
        with self.changed:
            self.drains.append(done)
        os.write(self.wake_write, b"x")
        done.wait(10)

    def close_all(self):
        """Drops idle connections, so that the next request comes on a new one."""
        self.drain()
        with self.changed:
            for connection in list(self.connections.values()):
                self._end(connection)

    def stop(self):
        self.stopping = True
        os.write(self.wake_write, b"x")
        self.thread.join()
        self.listener.close()

    # --- on the backend's thread ---------------------------------------------------------------------------------------

    def _run(self):
        while not self.stopping:
            self._poll(None)
            with self.changed:
                drains, self.drains = self.drains, []
            if drains:
                while self._poll(0):
                    pass
            for done in drains:
                done.set()

    def _poll(self, timeout):
        events = self.selector.select(timeout)
        with self.changed:
            for key, _ in events:
                if key.fileobj is self.listener:
                    self._accept()
                elif key.fileobj == self.wake_read:
                    os.read(self.wake_read, 4096)
                    for connection in list(self.connections.values()):
                        self._play(connection)
                else:
                    self._read(key.data)
            self.changed.notify_all()
        return events

    def _accept(self):
        sock, _ = self.listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.accepted += 1
        connection = Connection(self.accepted, sock)
        self.connections[connection.number] = connection
        self.selector.register(sock, selectors.EVENT_READ, connection)

    def _end(self, connection, reset=False):
        if self.connections.pop(connection.number, None) is None:
            return
        if connection.unread:
            self.cut.append(bytes(connection.unread))
        self.ended.add(connection.number)
        self.selector.unregister(connection.sock)
        if reset:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sock.close()

    def _read(self, connection):
        if connection.number not in self.connections:
            return
        try:
            data = connection.sock.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._end(connection)
            return
        self.bytes += len(data)
        connection.unread += data
        try:
            while connection.unread:
                self._note_head(connection)
                request = wire.take_request(connection.unread)
                if request is None:
                    break
                request.connection = connection.number
                self.requests.append(request)
                if "await" in connection.steps:
                    connection.steps.remove("await")
                else:
                    connection.steps += self.answer
                connection.head_seen = False
        except wire.Malformed as error:
            self.malformed.append(f"{error} in {bytes(connection.unread)[:300]!r}")
            self._end(connection)
            return
        self._play(connection)

    def _note_head(self, connection):
        if self.on_head and not connection.head_seen and b"\r\n\r\n" in connection.unread:
            connection.head_seen = True
            connection.steps += self.on_head

    def _play(self, connection):
        while connection.steps and connection.number in self.connections:
            step = connection.steps[0]
            if step == "await":
                return
            if step == "hold":
                self.held += 1
                if self.gate < 1:
                    return
                self.gate -= 1
            connection.steps.pop(0)
            if step in ("close", "reset"):
                self._end(connection, step == "reset")
            elif step != "hold":
                self._send(connection, step)

    def _send(self, connection, data):
        try:
            for piece in ([data[i:i + 1] for i in range(len(data))] if self.split else [data]):
                connection.sock.sendall(piece)
        except OSError:
            self._end(connection)
