"""The chunked coding in requests (RFC 9112, 7.1)."""
from harness import Case, Got, Seen, rejected

HEAD = b"POST /dual/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
BIG = b"0123456789abcdef" * 2048


def bad(name, body, status=400, **more):
    return rejected("request chunks", name, HEAD + body, status, split=len(body) < 2000, **more)


def good(name, body, expected, **more):
    return Case("request chunks", name, HEAD + body, [Got(200)], seen=[Seen(body=expected, framing="length", has={"Transfer-Encoding": []}, lacks=("Trailer",
                ))], split=len(body) < 10_000, **more)


CASES = [
    bad("9112 7.1: no size", b"\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1: size is no number", b"x\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1: signed size", b"+3\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1: negative size", b"-3\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1: 0x before the size", b"0x3\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1: space before the size", b" 3\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1: space behind the size", b"3 \r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1: tab behind the size", b"3\t\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1: comma in the size", b"3,\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1: underscore in the size", b"0_3\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1: NUL behind the size", b"3\0\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1: byte above ASCII in the size", b"\xb3\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1: size over 64 bits", b"10000000000000003\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1: size of 64 bits", b"ffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1: 40 leading zeros", b"0" * 40 + b"3\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1: bare LF behind the size", b"3\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1: bare CR behind the size", b"3\rabc\r\n0\r\n\r\n"),
    bad("9112 7.1: CR CR LF behind the size", b"3\r\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1: data longer than the size", b"3\r\nabcd\r\n0\r\n\r\n"),
    bad("9112 7.1: data shorter than the size", b"5\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1: no CR LF behind the data", b"3\r\nabc0\r\n\r\n"),
    bad("9112 7.1: bare LF behind the data", b"3\r\nabc\n0\r\n\r\n"),
    bad("9112 7.1: bare CR behind the data", b"3\r\nabc\r0\r\n\r\n"),
    bad("9112 7.1: two bytes for CR LF behind the data", b"3\r\nabcXX0\r\n\r\n"),
    bad("9112 7.1: bare LF ends the last chunk", b"3\r\nabc\r\n0\n\r\n"),
    bad("9112 7.1: bare LF ends the body", b"3\r\nabc\r\n0\r\n\n"),
    bad("9112 7.1: bare CR ends the body", b"3\r\nabc\r\n0\r\n\rX"),
    bad("9112 7.1: body without chunks", b"abc"),
    bad("9112 7.1.1: control byte in an extension", b"3;a=\x01\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1.1: NUL in an extension", b"3;a=\0\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1.1: bare LF in an extension", b"3;a\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1.1: bare LF in a quoted extension", b"3;a=\"\n\"\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1.1: bare CR in an extension", b"3;a\rb\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1.1: DEL in an extension", b"3;a\x7f\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1.1: extensions without end", b"3;" + b"a" * 10_000 + b"\r\nabc\r\n0\r\n\r\n"),
    bad("9112 7.1.1: many extensions", (b"1;" + b"a" * 100 + b"\r\na\r\n") * 100 + b"0\r\n\r\n"),
    bad("9112 7.1.2: trailer without colon", b"3\r\nabc\r\n0\r\nX\r\n\r\n"),
    bad("9112 7.1.2: a request line for a trailer", b"3\r\nabc\r\n0\r\n", tail=b"GET /dual/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
    bad("9112 7.1.2: trailer without name", b"3\r\nabc\r\n0\r\n: 1\r\n\r\n"),
    bad("9112 7.1.2: space before a trailer's colon", b"3\r\nabc\r\n0\r\nX : 1\r\n\r\n"),
    bad("9112 7.1.2: folded trailer", b"3\r\nabc\r\n0\r\nX: 1\r\n 2\r\n\r\n"),
    bad("9112 7.1.2: white space before the first trailer", b"3\r\nabc\r\n0\r\n X: 1\r\n\r\n"),
    bad("9112 7.1.2: control byte in a trailer's name", b"3\r\nabc\r\n0\r\nX\x01: 1\r\n\r\n"),
    bad("9112 7.1.2: delimiter in a trailer's name", b"3\r\nabc\r\n0\r\nX(: 1\r\n\r\n"),
    bad("9112 7.1.2: NUL in a trailer", b"3\r\nabc\r\n0\r\nX: \0\r\n\r\n"),
    bad("9112 7.1.2: bare LF ends a trailer", b"3\r\nabc\r\n0\r\nX: 1\n\r\n"),
    bad("9112 7.1.2: bare CR in a trailer", b"3\r\nabc\r\n0\r\nX: 1\r2\r\n\r\n"),
    bad("9112 7.1.2: trailers without end", b"3\r\nabc\r\n0\r\nX: " + b"x" * 10_000 + b"\r\n\r\n"),
    Case("request chunks", "9112 8: the client ends within a chunk", HEAD + b"5\r\nab", [], kept=False, finish_sending=True, split=True),
    Case("request chunks", "9112 8: the client ends before the last chunk", HEAD + b"3\r\nabc\r\n", [], kept=False, finish_sending=True, split=True),
    Case("request chunks", "9112 8: the client ends within the last chunk", HEAD + b"3\r\nabc\r\n0\r\n", [], kept=False, finish_sending=True, split=True),
    good("9112 7.1: one chunk", b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
    good("9112 7.1: several chunks", b"1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", b"abcdef"),
    good("9112 7.1: no chunk but the last", b"0\r\n\r\n", b""),
    good("9112 7.1: digits of both cases", b"a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", b"01234567890123456789a"),
    good("9112 7.1: leading zeros", b"0003\r\nabc\r\n000\r\n\r\n", b"abc"),
    good("9112 7.1: data that looks like chunks", b"8\r\n\r\n0\r\n\r\nX\r\n0\r\n\r\n", b"\r\n0\r\n\r\nX"),
    good("9112 7.1.1: extensions are dropped", b"3;a;b=c;d=\"e;f\"\r\nabc\r\n0;z\r\n\r\n", b"abc"),
    good("9112 7.1.1: bad white space around an extension", b"3 \t; a = b\r\nabc\r\n0\r\n\r\n", b"abc"),
    good("9112 7.1.1: a quoted CR LF cannot occur: the line ends there", b"3;a=\"\r\nabc\r\n0\r\n\r\n", b"abc"),
    good("9112 7.1.2: trailers are dropped", b"3\r\nabc\r\n0\r\nX: 1\r\nY:\r\n\r\n", b"abc"),
    good("9110 6.5.1: trailers never become fields", b"3\r\nabc\r\n0\r\nContent-Length: 9\r\nHost: b\r\nX-Forwarded-For: c\r\n\r\n", b"abc"),
    good("9112 7.1: a thousand chunks are one body with a length", b"1\r\nx\r\n" * 1000 + b"0\r\n\r\n", b"x" * 1000),
    Case("request chunks", "9112 7.1: a long body is chunked anew, to the serving side alone",
         HEAD + b"8000;ext=1\r\n" + BIG + b"\r\n8000\r\n" + BIG + b"\r\n0\r\nX: 1\r\n\r\n", [Got(200)],
         seen=[Seen(body=BIG + BIG, framing="chunked", has={"Content-Length": [], "Transfer-Encoding": [b"chunked"]})], shadowed=False),
    Case("request chunks", "9112 7.1: a long body that turns bad breaks off at the backend and is 400",
         HEAD + b"8000\r\n" + BIG + b"\r\n8000\r\n" + BIG + b"\r\nzz\r\n0\r\n\r\n", [Got(400, has={"Connection": [b"close"]}, own=True)], kept=False, cut=True,
         shadowed=False),
]
