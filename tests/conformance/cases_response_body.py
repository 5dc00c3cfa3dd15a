"""Framing of responses (RFC 9112, 6 to 9; RFC 9110, 8.6, 9.3.2, 15.3.5 and 15.4.5)."""
from harness import Case, Got, Seen, bad_answer

GET = b"GET /reads/x HTTP/1.1\r\nHost: a\r\n\r\n"
OLD = b"GET /reads/x HTTP/1.0\r\nHost: a\r\n\r\n"
HEAD = b"HEAD /reads/x HTTP/1.1\r\nHost: a\r\n\r\n"
BIG = b"0123456789abcdef" * 8192
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def bad(name, fields, body=b"EVIL", start=b"HTTP/1.1 200 OK\r\n", **more):
    return bad_answer("response length", name, start + fields + b"\r\n" + body, split=True, **more)


def bad_chunks(name, body, **more):
    return bad_answer("response chunks", name, CHUNKED + b"4\r\nEVIL\r\n" + body, split=len(body) < 2000, **more)


def good(name, answer, got, group="response length", send=GET, pool="kept", kept=True, split=True, **more):
    return Case(group, name, send, [got], seen=[Seen()], answer=answer if isinstance(answer, list) else [answer], pool=pool if kept else None, kept=kept,
                split=split, **more)


def bodiless(name, answer, send=HEAD, pool="kept", status=200, **more):
    return good(name, answer, Got(status, body=b"", **more), "responses without body", send, pool)


def big(name, answer, got, **more):
    return good(name, answer, got, "streamed responses", split=False, **more)


CASES = [
    bad("9112 6.3: Content-Length with Transfer-Encoding", b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"4\r\nEVIL\r\n0\r\n\r\n"),
    bad("9112 6.3: repeated, different", b"Content-Length: 4\r\nContent-Length: 5\r\n"),
    bad("9112 6.3: repeated, the same", b"Content-Length: 4\r\nContent-Length: 4\r\n"),
    bad("9112 6.3: list", b"Content-Length: 4, 4\r\n"),
    bad("9110 8.6: empty", b"Content-Length:\r\n"),
    bad("9110 8.6: signed", b"Content-Length: +4\r\n"),
    bad("9110 8.6: negative", b"Content-Length: -4\r\n"),
    bad("9110 8.6: hexadecimal", b"Content-Length: 0x4\r\n"),
    bad("9110 8.6: space within", b"Content-Length: 4 4\r\n"),
    bad("9110 8.6: too large a number", b"Content-Length: 18446744073709551620\r\n"),
    bad("9112 5.1: space before the colon", b"Content-Length : 4\r\n"),
    bad("9112 6.1: unknown coding", b"Transfer-Encoding: gzip\r\n"),
    bad("9112 6.1: unknown coding under chunked", b"Transfer-Encoding: gzip, chunked\r\n", b"4\r\nEVIL\r\n0\r\n\r\n"),
    bad("9112 6.1: identity", b"Transfer-Encoding: identity\r\n"),
    bad("9112 6.1: chunked twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"4\r\nEVIL\r\n0\r\n\r\n"),
    bad("9112 6.1: chunked is not last", b"Transfer-Encoding: chunked, gzip\r\n", b"4\r\nEVIL\r\n0\r\n\r\n"),
    bad("9112 6.1: vertical tab before chunked", b"Transfer-Encoding: \x0bchunked\r\n", b"4\r\nEVIL\r\n0\r\n\r\n"),
    bad("9112 6.1: chunked in HTTP/1.0", b"Transfer-Encoding: chunked\r\n", b"4\r\nEVIL\r\n0\r\n\r\n", b"HTTP/1.0 200 OK\r\n"),
    bad("9112 8: the body breaks off", b"Content-Length: 10\r\n"),
    bad("9112 6.3: malformed length in the answer to HEAD", b"Content-Length: 4, 5\r\n", b"", send=HEAD),
    bad_answer("response length", "9112 8: a reset within a body that ends with the connection", [b"HTTP/1.1 200 OK\r\n\r\nEVIL", "reset"], close=False),
    bad_answer("response length", "9110 15.6.5: a body that does not go on in time", [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nEVIL", "hold"], 504,
               close=False),
    good("9110 8.6: a length", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", Got(200, body=b"abc", framing="length")),
    good("9110 8.6: leading zeros are normalised", b"HTTP/1.1 200 OK\r\nContent-Length: 003\r\n\r\nabc", Got(200, body=b"abc", has={"Content-Length": [b"3"]})),
    good("9110 8.6: 0", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Got(200, body=b"", has={"Content-Length": [b"0"]})),
    good("9112 6.3: ends with the connection", [b"HTTP/1.1 200 OK\r\n\r\nabc", "close"], Got(200, body=b"abc", framing="length"), pool="closed"),
    good("9112 6.3: nothing before the connection ends", [b"HTTP/1.1 200 OK\r\n\r\n", "close"], Got(200, body=b"", framing="length"), pool="closed"),
    good("9112 6.3: HTTP/1.0, ends with the connection", [b"HTTP/1.0 200 OK\r\n\r\nabc", "close"], Got(200, body=b"abc", framing="length"), pool="closed"),
    good("9112 6.3: keep-alive without a length still ends with the connection", [b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\nabc", "close"],
         Got(200, body=b"abc", framing="length"), pool="closed"),
    good("9112 6.3: the same for an HTTP/1.0 client", [b"HTTP/1.1 200 OK\r\n\r\nabc", "close"], Got(200, body=b"abc"), send=OLD, kept=False),
    good("a body that looks like responses", b"HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\n" + b"HTTP/1.1 200 OK\r\n\r\n" * 2,
         Got(200, body=b"HTTP/1.1 200 OK\r\n\r\n" * 2)),
    good("9112 9.3: leftover bytes close the connection to the backend", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokEVIL", Got(200, body=b"ok"),
         pool="closed"),
    good("9112 9.3: a second, unasked response closes it", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
         Got(200, body=b"ok"), pool="closed"),
    good("9112 9.3: leftover CR LF closes it", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\r\n", Got(200, body=b"ok"), pool="closed"),
    Case("response length", "9112 9.3: bytes that come late on an idle connection are not the next answer", GET, [Got(200, body=b"ok")], seen=[Seen()],
         answer=[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "hold", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"],
         modern_answer=[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"], then=[(1, "release")], pool="closed"),
    Case("response length", "a malformed answer of the shadow changes nothing for the client", GET, [Got(200, body=b"ok")], seen=[Seen()],
         modern_answer=[b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nEVIL"], split=True),
    Case("response length", "leftover bytes of the shadow change nothing for the client", GET * 3, [Got(200, body=b"ok")] * 3, seen=[Seen()] * 3,
         modern_answer=[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokEVIL"], split=True),
    bad_chunks("9112 7.1: size is no number", b"x\r\nab\r\n0\r\n\r\n"),
    bad_chunks("9112 7.1: no size", b"\r\nab\r\n0\r\n\r\n"),
    bad_chunks("9112 7.1: signed size", b"-1\r\nab\r\n0\r\n\r\n"),
    bad_chunks("9112 7.1: 0x before the size", b"0x2\r\nab\r\n0\r\n\r\n"),
    bad_chunks("9112 7.1: space behind the size", b"2 \r\nab\r\n0\r\n\r\n"),
    bad_chunks("9112 7.1: size over 64 bits", b"10000000000000002\r\nab\r\n0\r\n\r\n"),
    bad_chunks("9112 7.1: bare LF behind the size", b"2\nab\r\n0\r\n\r\n"),
    bad_chunks("9112 7.1: data longer than the size", b"2\r\nabc\r\n0\r\n\r\n"),
    bad_chunks("9112 7.1: no CR LF behind the data", b"2\r\nab0\r\n\r\n"),
    bad_chunks("9112 7.1: bare LF ends the body", b"0\r\n\n"),
    bad_chunks("9112 7.1.1: control byte in an extension", b"2;\x01\r\nab\r\n0\r\n\r\n"),
    bad_chunks("9112 7.1.1: bare LF in an extension", b"2;a\nab\r\n0\r\n\r\n"),
    bad_chunks("9112 7.1.1: extensions without end", b"2;" + b"a" * 10_000 + b"\r\nab\r\n0\r\n\r\n"),
    bad_chunks("9112 7.1.2: trailer without colon", b"0\r\nEVIL\r\n\r\n"),
    bad_chunks("9112 7.1.2: a status line for a trailer", b"0\r\nHTTP/1.1 200 EVIL\r\n\r\n"),
    bad_chunks("9112 7.1.2: space before a trailer's colon", b"0\r\nX : 1\r\n\r\n"),
    bad_chunks("9112 7.1.2: folded trailer", b"0\r\nX: 1\r\n 2\r\n\r\n"),
    bad_chunks("9112 8: breaks off before the last chunk", b""),
    bad_chunks("9112 8: breaks off within the last chunk", b"0\r\n"),
    bad_chunks("9112 8: breaks off within a trailer", b"0\r\nX: 1\r\n"),
    good("9112 7.1: chunks become a length", CHUNKED + b"3\r\nabc\r\n2;x=\"y\"\r\nde\r\n0\r\n\r\n",
         Got(200, body=b"abcde", framing="length", has={"Transfer-Encoding": []}), "response chunks"),
    good("9112 7.1: no chunk but the last", CHUNKED + b"0\r\n\r\n", Got(200, body=b"", framing="length"), "response chunks"),
    good("9112 7.1.2: trailers are dropped", CHUNKED + b"3\r\nabc\r\n0\r\nX-Sum: EVIL\r\nContent-Length: 9\r\n\r\n", Got(200, body=b"abc", lacks=("X-Sum",)),
         "response chunks"),
    good("9112 7.1: for an HTTP/1.0 client", CHUNKED + b"3\r\nabc\r\n0\r\n\r\n", Got(200, body=b"abc", has={"Transfer-Encoding": []}), "response chunks", OLD,
         kept=False),
    good("9112 7.1: leftover bytes behind the last chunk", CHUNKED + b"3\r\nabc\r\n0\r\n\r\nEVIL", Got(200, body=b"abc"), "response chunks", pool="closed"),
    bodiless("9110 9.3.2: HEAD keeps its Content-Length", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", has={"Content-Length": [b"1000"]}),
    bodiless("9110 9.3.2: HEAD with Transfer-Encoding", CHUNKED, has={"Transfer-Encoding": []}),
    bodiless("9110 9.3.2: HEAD without a length", b"HTTP/1.1 200 OK\r\nX: 1\r\n\r\n", has={"X": [b"1"]}),
    bodiless("9110 9.3.2: a body behind HEAD never reaches the client", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL", pool="closed",
             has={"Content-Length": [b"4"]}),
    bodiless("9110 15.3.5: 204", b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n", GET, status=204, has={"X": [b"1"]}, lacks=("Content-Length", "Transfer-Encoding")),
    bodiless("9110 8.6: 204 loses its Content-Length", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", GET, status=204, lacks=("Content-Length",)),
    bodiless("9112 6.1: 204 loses its Transfer-Encoding, and its body the connection",
             b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", GET, "closed", 204, lacks=("Transfer-Encoding",)),
    bodiless("9110 15.3.5: a body behind 204 never reaches the client", b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nEVIL", GET, "closed", 204,
             lacks=("Content-Length",)),
    bodiless("9110 15.4.5: 304 keeps its Content-Length and fields", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: \"x\"\r\n\r\n", GET,
             status=304, has={"Content-Length": [b"1000"], "ETag": [b"\"x\""]}),
    bodiless("9110 15.4.5: 304 without a length", b"HTTP/1.1 304 Not Modified\r\n\r\n", GET, status=304, lacks=("Content-Length",)),
    bodiless("9110 15.4.5: a body behind 304 never reaches the client", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nEVIL", GET, "closed", 304),
    bad_answer("responses without body", "9110 9.3.2: 502 to HEAD has no content", b"EVIL\r\n\r\n", send=HEAD, split=True),
    big("a length is passed on", b"HTTP/1.1 200 OK\r\nContent-Length: 131072\r\n\r\n" + BIG, Got(200, body=BIG, framing="length")),
    big("9112 7.1: chunked anew", CHUNKED + b"20000;a=b\r\n" + BIG + b"\r\n0\r\nX: EVIL\r\n\r\n",
        Got(200, body=BIG, framing="chunked", lacks=("Content-Length", ))),
    big("9112 7.1: what ends with the connection becomes chunked", [b"HTTP/1.1 200 OK\r\n\r\n" + BIG, "close"], Got(200, body=BIG, framing="chunked"),
        pool="closed"),
    big("9112 7.1: for an HTTP/1.0 client, ends with the connection", CHUNKED + b"20000\r\n" + BIG + b"\r\n0\r\n\r\n",
        Got(200, body=BIG, framing="close", has={"Connection": [b"close"]}), send=OLD, kept=False),
    big("9112 7.1: for an HTTP/1.0 client that asked for keep-alive too", CHUNKED + b"20000\r\n" + BIG + b"\r\n0\r\n\r\n",
        Got(200, body=BIG, framing="close", has={"Connection": [b"close"]}), send=b"GET /reads/x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
        kept=False),
    big("9112 9.3: leftover bytes behind it", b"HTTP/1.1 200 OK\r\nContent-Length: 131072\r\n\r\n" + BIG + b"EVIL", Got(200, body=BIG), pool="closed"),
]
