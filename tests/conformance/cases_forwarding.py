"""What an intermediary removes, adds and keeps in requests (RFC 9110, 7.6), persistence (RFC 9112, 9), HTTP/1.0 clients."""
from harness import Case, Got, Seen, rejected

START = b"GET /reads/x HTTP/1.1\r\nHost: a\r\n"


def hop(name, fields, lacks, **expected):
    return Case("request hop-by-hop", name, START + fields + b"X-Last: 1\r\n\r\n", [Got(200)], seen=[Seen(lacks=lacks, lines=b"\r\nX-Last: 1\r\n", **expected)],
                split=True)


def added(name, fields, **expected):
    return Case("fields added", name, START + fields + b"\r\n", [Got(200)], seen=[Seen(**expected)])


def max_forwards(name, method, value, got, seen):
    return Case("Max-Forwards", name, method + b" /reads/x HTTP/1.1\r\nHost: a\r\nMax-Forwards: " + value + b"\r\n\r\n", [got], seen=seen, split=True)


def persists(name, send, got=1, kept=True, seen=None, methods=(), answer=None, expect=None, **more):
    return Case("persistence", name, send, expect or [Got(200)] * got, seen=seen or [Seen()] * got, kept=kept, methods=methods or ("GET",) * got, answer=answer,
                split=True, **more)


GET = b"GET /reads/%d HTTP/1.1\r\nHost: a\r\n\r\n"
CASES = [
    hop("9110 7.6.1: Connection", b"Connection: keep-alive\r\n", ("Connection",)),
    hop("9110 7.6.1: what Connection nominates", b"X-Drop: 1\r\nConnection: X-Drop\r\nx-drop: 2\r\n", ("X-Drop",)),
    hop("9110 7.6.1: nominated in a list, any case, empty elements", b"Connection: ,x-A ,, X-b,keep-alive\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3\r\n", ("X-A", "X-B"),
        has={"X-C": [b"3"]}),
    hop("9110 7.6.1: nominated in several Connection fields", b"Connection: X-A\r\nX-A: 1\r\nX-B: 2\r\nConnection: X-B\r\n", ("X-A", "X-B")),
    hop("9110 7.6.1: nominating is not by prefix", b"Connection: X-A\r\nX-A: 1\r\nX-AB: 2\r\n", ("X-A",), has={"X-AB": [b"2"]}),
    hop("9110 7.6.1: nominating Host changes nothing", b"Connection: Host\r\n", (), has={"Host": [b"a"]}),
    hop("9110 7.6.1: nominating what the gateway adds changes nothing",
        b"Connection: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Via, X-Request-Id, X-Phoenix-Exchange\r\n", (),
        has={"X-Forwarded-For": [b"127.0.0.1"], "X-Forwarded-Proto": [b"http"], "X-Forwarded-Host": [b"a"], "Via": [b"1.1 phoenix"]}),
    hop("9112 C.2.2: Keep-Alive", b"Keep-Alive: timeout=5\r\n", ("Keep-Alive",)),
    hop("9112 C.2.2: Proxy-Connection", b"Proxy-Connection: keep-alive\r\n", ("Proxy-Connection",)),
    hop("9110 10.1.4: TE", b"TE: trailers, gzip\r\nConnection: TE\r\n", ("TE",)),
    hop("9110 10.1.4: TE that is not nominated", b"TE: trailers\r\n", ("TE",)),
    hop("9110 6.6.2: Trailer", b"Trailer: X-Sum\r\n", ("Trailer",)),
    hop("9110 7.8: Upgrade", b"Upgrade: h2c\r\nConnection: Upgrade\r\n", ("Upgrade",)),
    hop("9110 7.8: Upgrade that is not nominated", b"Upgrade: example/1\r\n", ("Upgrade",)),
    hop("9113 C: HTTP2-Settings", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", ("Upgrade", "HTTP2-Settings")),
    hop("9113 C: HTTP2-Settings that is not nominated", b"HTTP2-Settings: AAMAAABk\r\n", ("HTTP2-Settings",)),
    hop("9110 11.7.2: Proxy-Authorization", b"Proxy-Authorization: Basic YTpi\r\n", ("Proxy-Authorization",)),
    hop("9110 7.6.1: end-to-end fields stay",
        b"Authorization: a\r\nCookie: b\r\nCache-Control: no-cache\r\nPragma: no-cache\r\n"
        b"Range: bytes=0-1\r\nAccept-Encoding: gzip\r\ntraceparent: 00-1-2-01\r\n", (),
        has={"Authorization": [b"a"], "Cookie": [b"b"], "Cache-Control": [b"no-cache"], "Pragma": [b"no-cache"], "Range": [b"bytes=0-1"],
             "Accept-Encoding": [b"gzip"], "traceparent": [b"00-1-2-01"]}),
    Case("request hop-by-hop", "9110 7.6.1: nominating Content-Length does not unframe",
         b"POST /dual/x HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\nContent-Length: 3\r\n\r\nabc", [Got(200)],
         seen=[Seen(body=b"abc", framing="length")], split=True),
    Case("request hop-by-hop", "9110 7.6.1: nominating Transfer-Encoding does not unframe",
         b"POST /dual/x HTTP/1.1\r\nHost: a\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", [Got(200)],
         seen=[Seen(body=b"abc", framing="length")], split=True),
    added("9110 7.6.3: Via", b"", has={"Via": [b"1.1 phoenix"]}),
    added("9110 7.6.3: Via behind those of others", b"Via: 1.0 a, 1.1 b\r\nX: 1\r\nvia: 2 c\r\n", has={"Via": [b"1.0 a, 1.1 b, 2 c, 1.1 phoenix"]}),
    Case("fields added", "9110 7.6.3: Via tells HTTP/1.0", b"GET /reads/x HTTP/1.0\r\n\r\n", [Got(200)],
         seen=[Seen(line=b"GET /reads/x HTTP/1.1", has={"Via": [b"1.0 phoenix"]})], kept=False),
    added("X-Forwarded-For", b"", has={"X-Forwarded-For": [b"127.0.0.1"]}),
    added("X-Forwarded-For of a client that is not trusted goes", b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2, 192.0.2.3\r\n",
          has={"X-Forwarded-For": [b"127.0.0.1"]}),
    added("Forwarded of a client that is not trusted goes", b"Forwarded: for=192.0.2.1\r\n", lacks=("Forwarded",)),
    added("X-Forwarded-Proto is the gateway's own", b"X-Forwarded-Proto: https\r\nX-Forwarded-Proto: ftp\r\n", has={"X-Forwarded-Proto": [b"http"]}),
    added("X-Forwarded-Host is the gateway's own", b"X-Forwarded-Host: b\r\n", has={"X-Forwarded-Host": [b"a"]}),
    added("the gateway's own fields cannot be forged", b"X-Phoenix-Leg: shadow\r\nX-Phoenix-Exchange: b\r\nx-phoenix-ASSIGNED-id: 7\r\nX-Phoenix-Other: 1\r\n",
          has={"X-Phoenix-Leg": [b"serving"]}, lacks=("X-Phoenix-Assigned-Id", "X-Phoenix-Other")),
    added("X-Request-Id is passed on", b"X-Request-Id: abc\r\n", has={"X-Request-Id": [b"abc"]}),
    max_forwards("9110 7.6.2: OPTIONS 0 is answered here", b"OPTIONS", b"0", Got(204, lacks=("Content-Length",), own=True), []),
    max_forwards("9110 7.6.2: TRACE 0 is answered here", b"TRACE", b"0", Got(405, own=True), []),
    max_forwards("9110 7.6.2: OPTIONS 1 is one less", b"OPTIONS", b"1", Got(200), [Seen(has={"Max-Forwards": [b"0"]})]),
    max_forwards("9110 7.6.2: TRACE 10 is one less", b"TRACE", b"10", Got(200), [Seen(has={"Max-Forwards": [b"9"]})]),
    max_forwards("9110 7.6.2: leading zeros", b"OPTIONS", b"007", Got(200), [Seen(has={"Max-Forwards": [b"6"]})]),
    max_forwards("9110 7.6.2: ignored with GET", b"GET", b"0", Got(200), [Seen(has={"Max-Forwards": [b"0"]})]),
    rejected("Max-Forwards", "9110 7.6.2: no number", b"OPTIONS /reads/x HTTP/1.1\r\nHost: a\r\nMax-Forwards: -1\r\n\r\n"),
    rejected("Max-Forwards", "9110 7.6.2: repeated", b"OPTIONS /reads/x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1\r\nMax-Forwards: 5\r\n\r\n"),
    rejected("Max-Forwards", "9110 7.6.2: empty", b"TRACE /reads/x HTTP/1.1\r\nHost: a\r\nMax-Forwards:\r\n\r\n"),
    Case("Max-Forwards", "9110 7.6.2: OPTIONS * 0 with a body, and what follows",
         b"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\nContent-Length: 3\r\n\r\nabcGET /reads/x HTTP/1.1\r\nHost: a\r\n\r\n",
         [Got(204, own=True), Got(200)], seen=[Seen(line=b"GET /reads/x HTTP/1.1")], methods=("OPTIONS", "GET"), split=True),
    persists("9112 9.3: HTTP/1.1 is kept", GET % 1),
    persists("9112 9.6: Connection: close", START + b"Connection: close\r\n\r\n", kept=False, expect=[Got(200, has={"Connection": [b"close"]})]),
    persists("9112 9.6: Close in any case, in a list", START + b"Connection: foo , CLOSE\r\n\r\n", kept=False),
    persists("9112 9.3: close wins over keep-alive", START + b"Connection: keep-alive, close\r\n\r\n", kept=False),
    persists("9112 9.6: nothing is served behind close", START + b"Connection: close\r\n\r\n" + GET % 2, kept=False),
    persists("9112 9.3: HTTP/1.0 is closed", b"GET /reads/x HTTP/1.0\r\nHost: a\r\n\r\n" + GET % 2, kept=False),
    persists("9112 9.3: HTTP/1.0 with keep-alive is kept", b"GET /reads/x HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n",
             expect=[Got(200, has={"Connection": [b"keep-alive"]})]),
    persists("9112 9.3: HTTP/1.0 with keep-alive and close is closed", b"GET /reads/x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n",
             kept=False),
    persists("9112 C.2.2: HTTP/1.0 with Proxy-Connection is closed", b"GET /reads/x HTTP/1.0\r\nHost: a\r\nProxy-Connection: keep-alive\r\n\r\n", kept=False),
    persists("HTTP/1.0 with a body", b"POST /dual/x HTTP/1.0\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", kept=False, methods=("POST",),
             seen=[Seen(line=b"POST /dual/x HTTP/1.1", body=b"abc")]),
    persists("9112 9.3.2: pipelined requests are answered in order", b"".join(GET % i for i in range(20)), 20,
             seen=[Seen(line=b"GET /reads/%d HTTP/1.1" % i) for i in range(20)]),
    persists("9112 9.3.2: pipelined with bodies between",
             b"POST /dual/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
             b"POST /dual/2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\nX: 1\r\n\r\n" + GET % 3, 3,
             seen=[Seen(body=b"abc"), Seen(body=b"de"), Seen(line=b"GET /reads/3 HTTP/1.1")]),
    persists("9112 9.3.2: HEAD among GETs", GET % 1 + b"HEAD /reads/2 HTTP/1.1\r\nHost: a\r\n\r\n" + GET % 3, 3, methods=("GET", "HEAD", "GET"),
             answer=[b"HTTP/1.1 204 No Content\r\n\r\n"], expect=[Got(204)] * 3),
    Case("persistence", "9112 9.3.2: good, then bad: the first is answered, the second refused",
         GET % 1 + b"GET /reads/2 HTTP/1.1\r\nHost : a\r\n\r\n" + GET % 3, [Got(200), Got(400, has={"Connection": [b"close"]}, own=True)], seen=[Seen()],
         methods=("GET", "GET"), kept=False, split=True),
    persists("9112 9.6: the client half-closes behind its request", GET % 1, kept=False, finish_sending=True),
]
