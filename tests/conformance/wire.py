"""HTTP/1.1 messages as bytes, read as strictly as RFC 9112 allows: what the gateway writes must need no leniency."""
import re

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
FIELD = re.compile(rb"(" + TOKEN + rb"): ((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)")
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([\x21-\x7e\x80-\xff]+) HTTP/1\.1")
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*")
CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")


class Malformed(Exception):
    """What a strict reader cannot accept, in one line."""


class Message:
    """A request or a response. `framing` is none, length, chunked or close; names are compared ignoring case."""

    def __init__(self, head):
        self.head = head
        self.start, *lines = head[:-4].split(b"\r\n")
        self.fields = []
        for line in lines:
            match = FIELD.fullmatch(line)
            if not match:
                raise Malformed(f"field line {line!r}")
            self.fields.append((match[1].decode(), match[2]))
        self.body, self.framing, self.trailers, self.connection = b"", "none", b"", None

    def values(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    @property
    def status(self):
        return int(self.start[9:12])

    @property
    def method(self):
        return self.start.split(b" ")[0]

    @property
    def target(self):
        return self.start.split(b" ")[1]


def _take_line(data, at, limit=65536):
    end = data.find(b"\r\n", at)
    if end < 0:
        if len(data) - at > limit:
            raise Malformed("a line without end")
        return None, at
    return bytes(data[at:end]), end + 2


def _read_chunked(message, data, at):
    while True:
        size, at = _take_line(data, at)
        if size is None:
            return None
        if not CHUNK_SIZE.fullmatch(size):
            raise Malformed(f"chunk size {size!r}")
        length = int(size, 16)
        if length == 0:
            break
        if len(data) < at + length + 2:
            return None
        if data[at + length:at + length + 2] != b"\r\n":
            raise Malformed("chunk data does not end in CR LF")
        message.body += bytes(data[at:at + length])
        at += length + 2
    while True:
        line, at = _take_line(data, at)
        if line is None:
            return None
        if not line:
            return at
        message.trailers += line + b"\r\n"


def _read_body(message, data, at, bodiless, at_eof, is_response):
    lengths, codings = message.values("Content-Length"), message.values("Transfer-Encoding")
    if len(lengths) + len(codings) > 1:
        raise Malformed(f"framing fields {lengths} {codings}")
    if bodiless:
        return at
    if codings:
        if codings != [b"chunked"]:
            raise Malformed(f"coding {codings}")
        message.framing = "chunked"
        return _read_chunked(message, data, at)
    if lengths:
        if not re.fullmatch(rb"0|[1-9][0-9]*", lengths[0]):
            raise Malformed(f"Content-Length {lengths[0]!r}")
        message.framing = "length"
        end = at + int(lengths[0])
        message.body = bytes(data[at:end])
        return end if len(data) >= end else None
    if not is_response:
        return at
    message.framing = "close"
    message.body = bytes(data[at:])
    return len(data) if at_eof else None


def _read(data, pattern, bodiless, at_eof, is_response):
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(data[:end + 4])
    message = Message(head)
    if not pattern.fullmatch(message.start):
        raise Malformed(f"start line {message.start!r}")
    none = bodiless or (is_response and (message.status < 200 or message.status in (204, 304)))
    after = _read_body(message, data, end + 4, none, at_eof, is_response)
    if after is None:
        return None
    del data[:after]
    return message


def take_request(data):
    """Takes one complete request off the front of the bytearray; None: not there yet."""
    return _read(data, REQUEST_LINE, False, False, False)


def take_response(data, method, at_eof=False):
    return _read(data, STATUS_LINE, method == "HEAD", at_eof, True)
