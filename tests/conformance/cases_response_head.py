"""Status lines and fields of responses (RFC 9112, 4 and 5; RFC 9110, 5.5, 6.6.1, 7.6 and 15)."""
from harness import Case, Got, Seen, bad_answer

GET = b"GET /reads/x HTTP/1.1\r\nHost: a\r\n\r\n"


def bad(name, line, **more):
    return bad_answer("status line", name, line + b"\r\nX-Evil: EVIL\r\nContent-Length: 4\r\n\r\nEVIL", split=True, **more)


def bad_field(name, fields, start=b"HTTP/1.1 200 OK\r\n", **more):
    return bad_answer("response field lines", name, start + fields + b"Content-Length: 4\r\n\r\nEVIL", split=len(fields) < 2000, **more)


def status(name, line, **expected):
    return Case("status line", name, GET, [Got(**expected)], seen=[Seen()], answer=[line + b"\r\nContent-Length: 0\r\n\r\n"], split=True)


def fields(name, sent, group="response field lines", **expected):
    return Case(group, name, GET, [Got(200, body=b"ok", **expected)], seen=[Seen()], answer=[b"HTTP/1.1 200 OK\r\n" + sent + b"Content-Length: 2\r\n\r\nok"],
                split=True)


def hop(name, sent, lacks, **expected):
    return fields(name, sent, "response hop-by-hop", lacks=lacks, **expected)


CASES = [
    bad("9112 4: garbage", b"EVIL"),
    bad("9112 4: empty", b""),
    bad("9112 4: no version", b"200 OK"),
    bad("9112 4: HTTP/2.0", b"HTTP/2.0 200 OK"),
    bad("9112 4: HTTP/1.2", b"HTTP/1.2 200 OK"),
    bad("9112 4: HTTP/0.9", b"HTTP/0.9 200 OK"),
    bad("9112 4: lower case", b"http/1.1 200 OK"),
    bad("9112 4: two digits in the version", b"HTTP/1.10 200 OK"),
    bad("9112 4: another protocol", b"ICY 200 OK"),
    bad("9112 4: two spaces", b"HTTP/1.1  200 OK"),
    bad("9112 4: tab for a space", b"HTTP/1.1\t200 OK"),
    bad("9112 4: space before it", b" HTTP/1.1 200 OK"),
    bad("9112 4: two digits", b"HTTP/1.1 20 OK"),
    bad("9112 4: four digits", b"HTTP/1.1 2000 OK"),
    bad("9112 4: letter for a digit", b"HTTP/1.1 2x0 OK"),
    bad("9112 4: sign", b"HTTP/1.1 +20 OK"),
    bad("9110 15: 000", b"HTTP/1.1 000 OK"),
    bad("9110 15: 099", b"HTTP/1.1 099 OK"),
    bad("9110 15: 600", b"HTTP/1.1 600 OK"),
    bad("9110 15: 999", b"HTTP/1.1 999 OK"),
    bad("9112 4: no space behind the status", b"HTTP/1.1 200OK"),
    bad("9112 4: NUL in the reason", b"HTTP/1.1 200 O\0K"),
    bad("9112 4: bare CR in the reason", b"HTTP/1.1 200 O\rK"),
    bad("9112 4: control byte in the reason", b"HTTP/1.1 200 O\x01K"),
    bad("9112 2.2: an empty line before it", b"\r\nHTTP/1.1 200 OK"),
    bad("9112 2.2: bare LF ends it", b"HTTP/1.1 200 OK\nX: 1"),
    bad("9112 4: a request for a response", b"GET / HTTP/1.1"),
    status("9112 4: reason as sent", b"HTTP/1.1 200 All is \t well; caf\xc3\xa9", start=b"HTTP/1.1 200 All is \t well; caf\xc3\xa9"),
    status("9112 4: empty reason", b"HTTP/1.1 200 ", start=b"HTTP/1.1 200 "),
    status("9112 4: missing space before an empty reason is normalised", b"HTTP/1.1 200", start=b"HTTP/1.1 200 "),
    status("9110 15: unknown status", b"HTTP/1.1 599 Odd", status=599, start=b"HTTP/1.1 599 Odd"),
    status("9110 15.5.19: 418", b"HTTP/1.1 418 Teapot", status=418),
    status("9112 2.3: HTTP/1.0 becomes HTTP/1.1", b"HTTP/1.0 404 Not Found", status=404, start=b"HTTP/1.1 404 Not Found"),
    bad_field("9112 5.2: folded", b"X-EVIL: a\r\n b\r\n"),
    bad_field("9112 5.2: folded with a tab", b"X-EVIL: a\r\n\tb\r\n"),
    bad_field("9112 5.2: white space before the first field", b" X-EVIL: a\r\n"),
    bad_field("9112 5.1: space before the colon", b"X-EVIL : a\r\n"),
    bad_field("9112 5: no colon", b"EVIL\r\n"),
    bad_field("9112 5: no name", b": EVIL\r\n"),
    bad_field("9110 5.1: NUL in a name", b"X\0: EVIL\r\n"),
    bad_field("9110 5.1: space in a name", b"X Y: EVIL\r\n"),
    bad_field("9110 5.1: byte above ASCII in a name", b"X\xa0: EVIL\r\n"),
    bad_field("9110 5.5: NUL in a value", b"X: EVIL\0\r\n"),
    bad_field("9110 5.5: bare CR in a value", b"X: EVIL\rY: 1\r\n"),
    bad_field("9110 5.5: bare CR before CR LF", b"X: EVIL\r\r\n"),
    bad_field("9110 5.5: control byte in a value", b"X: EVIL\x1b\r\n"),
    bad_field("9110 5.5: DEL in a value", b"X: EVIL\x7f\r\n"),
    bad_field("9112 2.2: bare LF ends a field", b"X: EVIL\nY: 1\r\n"),
    bad_field("9112 2.2: bare LF ends the head", b"X: EVIL\r\n\n"),
    bad_field("6585 5: head over the limit", b"X: " + b"EVIL" * 10_000 + b"\r\n"),
    bad_answer("response field lines", "9112 8: the head breaks off", b"HTTP/1.1 200 OK\r\nX: EVIL", split=True),
    bad_answer("response field lines", "9112 8: no answer at all", b""),
    bad_answer("response field lines", "9110 15.6.5: no answer in time", ["hold"], 504, close=False),
    bad_answer("response field lines", "9110 15.6.5: a head that does not end in time", [b"HTTP/1.1 200 OK\r\nX: EVIL", "hold"], 504, close=False),
    fields("9110 5.3: repeated fields stay apart and in order", b"Set-Cookie: a=1; Path=/, x\r\nX: 1\r\nset-cookie: b=2\r\nX: 2\r\nX: 1\r\n",
           lines=b"Set-Cookie: a=1; Path=/, x\r\nX: 1\r\nset-cookie: b=2\r\nX: 2\r\nX: 1\r\n"),
    fields("9110 5.5: empty values and bytes above ASCII stay", b"X:\r\nY: \xff\xc3\xa9\r\n", lines=b"X: \r\nY: \xff\xc3\xa9\r\n"),
    fields("9110 5.6.3: white space around a value is not part of it", b"X: \t a b\t \r\n", lines=b"X: a b\r\n"),
    fields("9110 6.6.1: Date stays", b"Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n", has={"Date": [b"Tue, 15 Nov 1994 08:12:31 GMT"]}),
    fields("the gateway's own fields cannot be forged", b"X-Phoenix-Exchange: EVIL\r\nx-phoenix-other: EVIL\r\n", lacks=("X-Phoenix-Other",)),
    hop("9110 7.6.1: Connection and what it nominates", b"X-A: 1\r\nConnection: x-a, X-B\r\nx-b: 2\r\nX-C: 3\r\nConnection: X-D\r\nX-D: 4\r\n",
        ("X-A", "X-B", "X-D", "Connection"), has={"X-C": [b"3"]}),
    hop("9112 C.2.2: Keep-Alive", b"Keep-Alive: timeout=5\r\nConnection: keep-alive\r\n", ("Keep-Alive", "Connection")),
    hop("9112 C.2.2: Proxy-Connection", b"Proxy-Connection: close\r\n", ("Proxy-Connection",)),
    hop("9110 7.8: Upgrade that nobody asked for", b"Upgrade: h2c\r\nConnection: Upgrade\r\n", ("Upgrade", "Connection")),
    hop("9110 7.8: Upgrade that is not nominated", b"Upgrade: h2c\r\n", ("Upgrade",)),
    hop("9110 6.6.2: Trailer", b"Trailer: X-Sum\r\n", ("Trailer",)),
    hop("9110 10.1.4: TE", b"TE: trailers\r\n", ("TE",)),
    hop("9110 11.7.1: Proxy-Authenticate", b"Proxy-Authenticate: Basic\r\n", ("Proxy-Authenticate",)),
    hop("9110 7.6.1: nominating Content-Length does not unframe", b"Connection: Content-Length\r\n", ("Connection",), framing="length"),
    hop("9110 7.6.1: nominating what the gateway adds changes nothing", b"Connection: X-Phoenix-Exchange, Via\r\n", ("Connection",)),
    Case("response hop-by-hop", "9112 9.6: close of the backend is not close of the client", GET, [Got(200, lacks=("Connection",))], seen=[Seen()],
         answer=[b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "close"], pool="closed", split=True),
    Case("response hop-by-hop", "9112 9.3: a backend that says close is not used again, though it stays open", GET, [Got(200)], seen=[Seen()],
         answer=[b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok"], pool="closed"),
    Case("response hop-by-hop", "9112 9.3: a backend of HTTP/1.0 is not used again", GET, [Got(200)], seen=[Seen()],
         answer=[b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"], pool="closed"),
    Case("response hop-by-hop", "9112 9.3: a backend of HTTP/1.0 with keep-alive is used again", GET, [Got(200)], seen=[Seen()],
         answer=[b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"], pool="kept"),
    Case("response hop-by-hop", "9112 9.3: a backend of HTTP/1.1 is used again", GET, [Got(200)], seen=[Seen()], pool="kept", split=True),
]
