"""Interim responses and 100-continue (RFC 9110, 10.1.1 and 15.2; RFC 8297)."""
from harness import Case, Got, Seen

GET = b"GET /reads/x HTTP/1.1\r\nHost: a\r\n\r\n"
FINAL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
EXPECTING = b"POST /dual/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nLink: </b>\r\n\r\n"


def interim(name, answer, got, send=GET, **more):
    return Case("interim responses", name, send, got, seen=[Seen()], answer=[answer], split=True, **more)


CASES = [
    interim("8297: 103 reaches the client, with its fields", HINTS + FINAL,
            [Got(103, lines=b"Link: </a>; rel=preload\r\nLink: </b>\r\n"), Got(200, body=b"ok")]),
    interim("8297: several", HINTS * 3 + FINAL, [Got(103)] * 3 + [Got(200, body=b"ok")]),
    interim("9110 15.2: an unknown interim status passes", b"HTTP/1.1 199 Odd\r\nX: 1\r\n\r\n" + FINAL, [Got(199, has={"X": [b"1"]}), Got(200)]),
    interim("9110 15.2: 102 passes", b"HTTP/1.1 102 Processing\r\n\r\n" + FINAL, [Got(102), Got(200)]),
    interim("9110 7.6.1: hop-by-hop fields of an interim response go",
            b"HTTP/1.1 103 Early Hints\r\nConnection: X-A\r\nX-A: 1\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nX-B: 2\r\n\r\n" + FINAL,
            [Got(103, has={"X-B": [b"2"]}, lacks=("X-A", "Connection")), Got(200)]),
    interim("9110 8.6: framing fields of an interim response go", b"HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\n" + FINAL,
            [Got(103, lacks=("Content-Length",)), Got(200, body=b"ok")]),
    interim("9110 15.2: none for an HTTP/1.0 client", HINTS + FINAL, [Got(200, body=b"ok")], b"GET /reads/x HTTP/1.0\r\nHost: a\r\n\r\n", kept=False),
    interim("9110 10.1.1: a 100 that nobody asked for stays inside", b"HTTP/1.1 100 Continue\r\n\r\n" + FINAL, [Got(200, body=b"ok")]),
    interim("8297: before the answer to HEAD", HINTS + b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", [Got(103), Got(200, has={"Content-Length": [b"9"]})],
            b"HEAD /reads/x HTTP/1.1\r\nHost: a\r\n\r\n"),
    Case("interim responses", "8297: 103 is passed on at once, not with the final response", GET, [Got(103), Got(200)], seen=[Seen()],
         answer=[HINTS, "hold", FINAL], modern_answer=[FINAL], then=[(1, "release")]),
    Case("interim responses", "8297: 103 and then a malformed answer is 502", GET, [Got(103), Got(502)], seen=[Seen()],
         answer=[HINTS + b"EVIL\r\n\r\n", "close"], shadowed=False, pool="closed"),
    Case("interim responses", "9112 4: a malformed interim response is 502", GET, [Got(502)], seen=[Seen()],
         answer=[b"HTTP/1.1 103 Early Hints\r\nX-EVIL : 1\r\n\r\n" + FINAL], shadowed=False, pool="closed"),
    Case("interim responses", "9112 6.1: chunked in an interim response is 502", GET, [Got(502)], seen=[Seen()],
         answer=[b"HTTP/1.1 103 EVIL\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + FINAL], shadowed=False, pool="closed"),
    Case("interim responses", "9110 15.2.2: 101 that nobody asked for is 502", GET, [Got(502)], seen=[Seen()],
         answer=[b"HTTP/1.1 101 EVIL\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"], shadowed=False, pool="closed"),
    Case("interim responses", "9110 15.2.2: 101 to a client that asked to upgrade, which was not passed on, is 502",
         b"GET /reads/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: example/1\r\n\r\n", [Got(502)], seen=[Seen()],
         answer=[b"HTTP/1.1 101 EVIL\r\nConnection: Upgrade\r\nUpgrade: example/1\r\n\r\n"], shadowed=False, pool="closed"),
    Case("interim responses", "9110 15.2: interim responses without end are 502", GET, [Got(103)] * 64 + [Got(502)], seen=[Seen()],
         answer=[HINTS * 1000 + FINAL], shadowed=False, pool="closed"),
    Case("interim responses", "8297: the shadow's 103 never reaches the client", GET, [Got(200, body=b"ok")], seen=[Seen()],
         modern_answer=[b"HTTP/1.1 103 EVIL\r\n\r\n" + FINAL], split=True),
    Case("100-continue", "9110 10.1.1: the client is told to go on and sends its body", EXPECTING, [Got(100), Got(200)], seen=[Seen(body=b"abc")],
         then=[(1, b"abc")], split=True),
    Case("100-continue", "9110 10.1.1: chunked body", b"POST /dual/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-Continue\r\n\r\n",
         [Got(100), Got(200)], seen=[Seen(body=b"abc")], then=[(1, b"3\r\nabc\r\n0\r\n\r\n")], split=True),
    Case("100-continue", "9110 10.1.1: none for a body that has come already", EXPECTING + b"abc", [Got(200)], seen=[Seen(body=b"abc")]),
    Case("100-continue", "9110 10.1.1: ignored without a body", b"GET /reads/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", [Got(200)],
         seen=[Seen(body=b"")], split=True),
    Case("100-continue", "9110 10.1.1: ignored from HTTP/1.0", b"POST /dual/x HTTP/1.0\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
         [Got(200)], seen=[Seen(body=b"abc")], kept=False, split=True),
    Case("100-continue", "9110 10.1.1: a body that is too large is refused before it is sent",
         b"POST /dual/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\nExpect: 100-continue\r\n\r\n", [Got(413, has={"Connection": [b"close"]}, own=True)],
         kept=False, shadowed=False),
    Case("100-continue", "9110 10.1.1: a second one on the same connection", EXPECTING, [Got(100), Got(200), Got(100), Got(200)],
         seen=[Seen(body=b"abc"), Seen(body=b"def")], then=[(1, b"abc"), (2, EXPECTING), (3, b"def")]),
]
