"""Field lines of requests (RFC 9112, 2.2 and 5; RFC 9110, 5.5, 5.6 and 10.1.1), and limits."""
from harness import Case, Got, Seen, rejected


def bad(name, fields, status=400, **more):
    return rejected("field lines", name, b"GET /reads/x HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n", status, split=len(fields) < 2000, **more)


def good(name, fields, **expected):
    return Case("field lines", name, b"GET /reads/x HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n", [Got(200)], seen=[Seen(**expected)], split=True)


CASES = [
    bad("9112 5.2: folded with a space", b"X: a\r\n b\r\n"),
    bad("9112 5.2: folded with a tab", b"X: a\r\n\tb\r\n"),
    bad("9112 5.2: folded into nothing", b"X: a\r\n \r\n"),
    bad("9112 5.2: a framing field folded", b"Transfer-Encoding:\r\n chunked\r\n"),
    bad("9112 5.2: folded away from its name", b"X: a\r\n Content-Length: 5\r\n"),
    rejected("field lines", "9112 2.2: white space before the first field", b"GET /reads/x HTTP/1.1\r\n Host: a\r\n\r\n", split=True),
    rejected("field lines", "9112 2.2: a tab before the first field", b"GET /reads/x HTTP/1.1\r\n\tHost: a\r\nHost: a\r\n\r\n", split=True),
    bad("9112 5.1: space before the colon", b"X : a\r\n"),
    bad("9112 5.1: tab before the colon", b"X\t: a\r\n"),
    bad("9112 5.1: Transfer-Encoding, space before the colon", b"Transfer-Encoding : chunked\r\n"),
    bad("9112 5: no colon", b"X\r\n"),
    bad("9112 5: no name", b": a\r\n"),
    bad("9112 5: space within the name", b"X Y: a\r\n"),
    bad("9110 5.1: NUL in the name", b"X\0: a\r\n"),
    bad("9110 5.1: control byte in the name", b"X\x01: a\r\n"),
    bad("9110 5.1: byte above ASCII in the name", b"X\xa0: a\r\n"),
    bad("9110 5.1: delimiters in the name", b"X(y): a\r\n"),
    bad("9110 5.1: quotation marks around the name", b"\"Content-Length\": 5\r\n"),
    bad("9110 5.5: NUL in the value", b"X: a\0b\r\n"),
    bad("9110 5.5: NUL ends the value", b"X: a\0\r\n"),
    bad("9110 5.5: bare CR in the value", b"X: a\rb\r\n"),
    bad("9110 5.5: bare CR ends the value", b"X: a\r\r\n"),
    bad("9110 5.5: bare CR hides a field", b"X: a\rContent-Length: 5\r\n"),
    bad("9110 5.5: bell in the value", b"X: a\x07\r\n"),
    bad("9110 5.5: escape in the value", b"X: \x1b[1m\r\n"),
    bad("9110 5.5: vertical tab in the value", b"X: a\x0bb\r\n"),
    bad("9110 5.5: form feed before the value", b"X:\x0ca\r\n"),
    bad("9110 5.5: DEL in the value", b"X: a\x7f\r\n"),
    bad("9112 2.2: bare LF ends a field", b"X: a\nY: b\r\n"),
    bad("9112 2.2: bare LF ends the head", b"X: a\r\n\nGET /dual/y HTTP/1.1\r\nHost: a\r\n"),
    bad("9112 2.2: LF within a value hides a field", b"X: a\nContent-Length: 5\r\n"),
    bad("9110 10.1.1: unknown expectation", b"Expect: tea\r\n", 417),
    bad("9110 10.1.1: 100-continue and another", b"Expect: 100-continue, tea\r\n", 417),
    bad("6585 5: head over the limit", b"X: " + b"x" * 40_000 + b"\r\n", 431),
    bad("6585 5: many fields over the limit", b"X: 1\r\n" * 6_000, 431),
    Case("field lines", "9110 15.5.9: a head that does not end in time", b"GET /reads/x HTTP/1.1\r\nHost: a\r\nX:",
         [Got(408, has={"Connection": [b"close"]}, own=True)], kept=False),
    Case("field lines", "9112 8: half a head, then the end", b"GET /reads/x HTTP/1.1\r\nHost: a\r\nX:", [], kept=False, finish_sending=True, split=True),
    Case("field lines", "9110 9.3.2: a refused HEAD is answered without content", b"HEAD /reads/x HTTP/1.1\r\n\r\n",
         [Got(400, has={"Connection": [b"close"]}, own=True)], kept=False),
    good("9110 5.6.3: white space around the value is not part of it", b"X:\t  a \t b \t \r\nY:b\r\n", lines=b"\r\nX: a \t b\r\nY: b\r\n"),
    good("9110 5.5: empty values stay", b"X:\r\nY: \t \r\n", lines=b"\r\nX: \r\nY: \r\n"),
    good("9110 5.5: bytes above ASCII stay", b"X: caf\xc3\xa9 \xff\x80\r\n", has={"X": [b"caf\xc3\xa9 \xff\x80"]}),
    good("9110 5.1: every character of a token", b"!#$%&'*+-.^_`|~09Az: a\r\n", lines=b"\r\n!#$%&'*+-.^_`|~09Az: a\r\n"),
    good("9110 5.1: colons belong to the value", b"X: a: b::\r\n", has={"X": [b"a: b::"]}),
    good("9110 5.3: repeated fields stay apart and in order", b"Cookie: a=1\r\nX: 1\r\ncookie: b=2\r\nX: 2\r\nX: 1\r\nAccept: a, b\r\nAccept: c\r\n",
         lines=b"Cookie: a=1\r\nX: 1\r\ncookie: b=2\r\nX: 2\r\nX: 1\r\nAccept: a, b\r\nAccept: c\r\n"),
    good("9110 5.1: case of names stays", b"x-LOWER-upper: A\r\nETAG: \"B\"\r\n", lines=b"\r\nx-LOWER-upper: A\r\nETAG: \"B\"\r\n"),
    good("underscores are no hyphens: not framing, not ours", b"Content_Length: 5\r\nTransfer_Encoding: chunked\r\nX_Forwarded_For: b\r\n",
         lines=b"Content_Length: 5\r\nTransfer_Encoding: chunked\r\nX_Forwarded_For: b\r\n", framing="none"),
    good("500 fields", b"".join(b"X-%d: %d\r\n" % (i, i) for i in range(500)), lines=b"\r\nX-0: 0\r\nX-1: 1\r\n", has={"X-499": [b"499"]}),
    good("a value of 20 000 bytes", b"X: " + b"x" * 20_000 + b"\r\n", has={"X": [b"x" * 20_000]}),
]
