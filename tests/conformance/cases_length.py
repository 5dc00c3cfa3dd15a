"""Content-Length and Transfer-Encoding of requests (RFC 9112, 6; RFC 9110, 8.6)."""
from harness import Case, Got, Seen, rejected

CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"


def bad(name, fields, body=b"", status=400, version=b"1.1", group="request length", **more):
    return rejected(group, name, b"POST /dual/x HTTP/" + version + b"\r\nHost: a\r\n" + fields + b"\r\n" + body, status, split=len(body) < 2000, **more)


def good(name, fields, body, expected, framing, start=b"POST /dual/x HTTP/1.1", group="request length", **more):
    return Case(group, name, start + b"\r\nHost: a\r\n" + fields + b"\r\n" + body, [Got(200)], seen=[Seen(body=expected, framing=framing)], split=True, **more)


def coding(name, fields, status=400, body=CHUNKS, **more):
    return bad(name, fields, body, status, group="transfer codings", **more)


CASES = [
    bad("9112 6.1: with Transfer-Encoding", b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", CHUNKS),
    bad("9112 6.1: behind Transfer-Encoding", b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", CHUNKS),
    bad("9112 6.1: 0 with Transfer-Encoding", b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", CHUNKS),
    bad("9112 6.1: with an unknown coding", b"Content-Length: 3\r\nTransfer-Encoding: gzip, chunked\r\n", CHUNKS),
    bad("9112 6.3: repeated, different", b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abcd"),
    bad("9112 6.3: repeated, the same", b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"),
    bad("9112 6.3: repeated, apart and in other case", b"Content-Length: 3\r\nX: 1\r\ncontent-LENGTH: 0\r\n", b"abc"),
    bad("9112 6.3: list of different", b"Content-Length: 3, 4\r\n", b"abcd"),
    bad("9112 6.3: list of the same", b"Content-Length: 3, 3\r\n", b"abc"),
    bad("9112 6.3: list with an empty element", b"Content-Length: 3,\r\n", b"abc"),
    bad("9110 8.6: empty", b"Content-Length:\r\n"),
    bad("9110 8.6: white space alone", b"Content-Length: \t\r\n"),
    bad("9110 8.6: plus sign", b"Content-Length: +3\r\n", b"abc"),
    bad("9110 8.6: minus sign", b"Content-Length: -3\r\n", b"abc"),
    bad("9110 8.6: minus zero", b"Content-Length: -0\r\n"),
    bad("9110 8.6: hexadecimal", b"Content-Length: 0x3\r\n", b"abc"),
    bad("9110 8.6: hexadecimal digit", b"Content-Length: a\r\n", b"abcdefghij"),
    bad("9110 8.6: decimal point", b"Content-Length: 3.0\r\n", b"abc"),
    bad("9110 8.6: exponent", b"Content-Length: 1e1\r\n", b"abcdefghij"),
    bad("9110 8.6: underscore", b"Content-Length: 1_0\r\n", b"abcdefghij"),
    bad("9110 8.6: space within", b"Content-Length: 1 0\r\n", b"abcdefghij"),
    bad("9110 8.6: letters behind it", b"Content-Length: 3b\r\n", b"abc"),
    bad("9110 8.6: quoted", b"Content-Length: \"3\"\r\n", b"abc"),
    bad("9110 8.6: parameter", b"Content-Length: 3;a\r\n", b"abc"),
    bad("9110 8.6: full-width digit", b"Content-Length: \xef\xbc\x93\r\n", b"abc"),
    bad("9110 8.6: NUL behind it", b"Content-Length: 3\0\r\n", b"abc"),
    bad("9110 8.6: bare CR behind it", b"Content-Length: 3\r5\r\n", b"abc"),
    bad("9110 8.6: 2^64 + 3", b"Content-Length: 18446744073709551619\r\n", b"abc"),
    bad("9110 8.6: 2^63", b"Content-Length: 9223372036854775808\r\n", b"abc"),
    bad("9110 8.6: 40 digits", b"Content-Length: " + b"9" * 40 + b"\r\n", b"abc"),
    bad("9112 5.1: space before the colon", b"Content-Length : 3\r\n", b"abc"),
    bad("9112 5.2: folded", b"Content-Length:\r\n 3\r\n", b"abc"),
    bad("9110 15.5.14: over body_bytes", b"Content-Length: 1048577\r\n", b"", 413, tail=b""),
    Case("request length", "9110 15.5.9: a body that does not come in time", b"POST /dual/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc",
         [Got(408, has={"Connection": [b"close"]}, own=True)], kept=False, shadowed=False),
    Case("request length", "9112 8: the client ends within the body", b"POST /dual/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc", [], kept=False,
         finish_sending=True, split=True),
    good("9110 8.6: a body", b"Content-Length: 3\r\n", b"abc", b"abc", "length"),
    good("9110 8.6: 0", b"Content-Length: 0\r\n", b"", b"", "length"),
    good("9110 8.6: leading zeros are normalised", b"Content-Length: 003\r\n", b"abc", b"abc", "length"),
    good("9110 8.6: white space around it", b"Content-Length:\t 3 \t\r\n", b"abc", b"abc", "length"),
    good("9112 6.3: no length, no body", b"", b"", b"", "none"),
    good("9110 9.3.1: GET with a body", b"Content-Length: 3\r\n", b"abc", b"abc", "length", b"GET /reads/x HTTP/1.1"),
    good("9110 9.3.5: DELETE with a body", b"Content-Length: 3\r\n", b"abc", b"abc", "length", b"DELETE /dual/x HTTP/1.1"),
    good("a body that looks like requests", b"Content-Length: 48\r\n", b"GET /dual/1 HTTP/1.1\r\n\r\n" * 2, b"GET /dual/1 HTTP/1.1\r\n\r\n" * 2, "length"),
    good("a body with every byte", b"Content-Length: 256\r\n", bytes(range(256)), bytes(range(256)), "length"),
    Case("request length", "a body over shadow_body_bytes is streamed, to the serving side alone",
         b"POST /dual/x HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + b"0123456789" * 20_000, [Got(200)],
         seen=[Seen(body=b"0123456789" * 20_000, framing="length")], shadowed=False),
    coding("9112 6.1: chunked twice in a list", b"Transfer-Encoding: chunked, chunked\r\n"),
    coding("9112 6.1: chunked twice in two fields", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
    coding("9112 6.3: chunked is not last", b"Transfer-Encoding: chunked, gzip\r\n"),
    coding("9112 6.3: identity behind chunked", b"Transfer-Encoding: chunked, identity\r\n"),
    coding("9112 6.3: identity in a second field", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
    coding("9112 6.3: gzip alone", b"Transfer-Encoding: gzip\r\n"),
    coding("9112 6.3: identity alone", b"Transfer-Encoding: identity\r\n"),
    coding("9112 6.3: xchunked", b"Transfer-Encoding: xchunked\r\n"),
    coding("9112 6.3: a parameter of chunked", b"Transfer-Encoding: chunked;q=1\r\n"),
    coding("9112 6.3: chunked in quotation marks", b"Transfer-Encoding: \"chunked\"\r\n"),
    coding("9112 6.3: two words", b"Transfer-Encoding: chunked chunked\r\n"),
    coding("9112 6.3: empty", b"Transfer-Encoding:\r\n"),
    coding("9112 6.3: a list of nothing", b"Transfer-Encoding: ,\r\n"),
    coding("9112 6.3: semicolon for a comma", b"Transfer-Encoding: gzip; chunked\r\n"),
    coding("9110 5.5: vertical tab before it", b"Transfer-Encoding: \x0bchunked\r\n"),
    coding("9110 5.5: NUL behind it", b"Transfer-Encoding: chunked\0\r\n"),
    coding("9110 5.5: bare CR behind it", b"Transfer-Encoding: chunked\r\r\n"),
    coding("9110 5.5: byte above ASCII behind it", b"Transfer-Encoding: chunked\xa0\r\n"),
    coding("9112 5.1: tab before the colon", b"Transfer-Encoding\t: chunked\r\n"),
    coding("9112 5.2: folded list", b"Transfer-Encoding: gzip,\r\n chunked\r\n"),
    coding("9112 6.1: an unknown coding under chunked", b"Transfer-Encoding: gzip, chunked\r\n", 501),
    coding("9112 6.1: an unknown coding under chunked, in two fields", b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", 501),
    coding("9112 6.1: identity under chunked", b"Transfer-Encoding: identity, chunked\r\n", 501),
    coding("9112 6.1: HTTP/1.0 with chunked", b"Transfer-Encoding: chunked\r\n", version=b"1.0"),
    coding("9112 6.1: HTTP/1.0 with chunked and a length", b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", version=b"1.0"),
    good("9112 7: in any case", b"Transfer-Encoding: ChUnKeD\r\n", CHUNKS, b"abc", "length", group="transfer codings"),
    good("9112 7: white space around it", b"Transfer-Encoding:\t chunked \t\r\n", CHUNKS, b"abc", "length", group="transfer codings"),
    good("9110 9.3.1: GET with chunks", b"Transfer-Encoding: chunked\r\n", CHUNKS, b"abc", "length", b"GET /reads/x HTTP/1.1", group="transfer codings"),
    good("9112 6.3: Content-Encoding is no transfer coding", b"Content-Encoding: chunked\r\nContent-Length: 3\r\n", b"abc", b"abc", "length",
         group="transfer codings"),
]
