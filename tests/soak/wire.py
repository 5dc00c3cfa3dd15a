"""HTTP/1.1 messages as they come in, read strictly and without keeping large bodies."""
import re

PATTERN = b"".join(b"%07d," % number for number in range(1 << 18))  # 2 MiB in which no two places are alike
HEAD_END = b"\r\n\r\n"


class Malformed(Exception):
    pass


def small_body(target):
    return b'{"target":"%s"}\n' % target.encode()


class Message:
    def __init__(self, head, is_request):
        start, *lines = head.decode("latin-1").split("\r\n")
        pattern = r"([A-Z]+) (\S+) HTTP/1\.1" if is_request else r"HTTP/1\.1 (\d{3}) [ -~]*"
        match = re.fullmatch(pattern, start)
        if not match:
            raise Malformed(f"start line {start!r}")
        self.method, self.target = (match[1], match[2]) if is_request else ("", "")
        self.status = 0 if is_request else int(match[1])
        self.fields = {}
        for line in lines:
            name, separator, value = line.partition(": ")
            if not separator or not re.fullmatch(r"[!-9;-~]+", name):
                raise Malformed(f"field line {line!r}")
            if name.lower() in self.fields and name.lower() in ("content-length", "transfer-encoding"):
                raise Malformed(f"two of {name}")
            self.fields[name.lower()] = value
        if "content-length" in self.fields and "transfer-encoding" in self.fields:
            raise Malformed("two framings")
        self.body_bytes, self.body = 0, b""


class Reader:
    """feed() bytes, take() messages. A request's body is counted; a response's is kept, and its framing is required."""

    def __init__(self, is_request):
        self.is_request, self.buffer, self.message, self.left, self.chunked, self.last = is_request, bytearray(), None, 0, False, False

    def feed(self, data):
        self.buffer += data

    def take(self, on_head=None):
        if self.message is None and not self._take_head(on_head):
            return None
        if not (self._take_chunks() if self.chunked else self._take_bytes()):
            return None
        message, self.message = self.message, None
        return message

    def _take_head(self, on_head):
        end = self.buffer.find(HEAD_END)
        if end < 0:
            return False
        self.message = Message(bytes(self.buffer[:end]), self.is_request)
        del self.buffer[:end + 4]
        if on_head:
            on_head(self.message)
        fields = self.message.fields
        self.chunked, self.last = "transfer-encoding" in fields, False
        if not self.is_request and not self.chunked and "content-length" not in fields and self.message.status >= 200:
            raise Malformed("a response without framing")
        self.left = int(fields.get("content-length", 0))
        return True

    def _take_bytes(self):
        taken = min(self.left, len(self.buffer))
        self._keep(taken)
        self.left -= taken
        return self.left == 0

    def _keep(self, count):
        self.message.body_bytes += count
        if not self.is_request:
            self.message.body += self.buffer[:count]
        del self.buffer[:count]

    def _take_chunks(self):
        while True:
            if self.left > 2:
                taken = min(self.left - 2, len(self.buffer))
                self._keep(taken)
                self.left -= taken
                if self.left > 2:
                    return False
            if self.left:  # the CR LF behind the data, or behind the last chunk
                if len(self.buffer) < 2:
                    return False
                if self.buffer[:2] != b"\r\n":
                    raise Malformed("a chunk does not end in CR LF")
                del self.buffer[:2]
                self.left = 0
                if self.last:
                    return True
            end = self.buffer.find(b"\r\n")
            if end < 0:
                return False
            size = bytes(self.buffer[:end])
            if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", size):
                raise Malformed(f"chunk size {size!r}")
            del self.buffer[:end + 2]
            self.left = int(size, 16) + 2
            self.last = self.left == 2
