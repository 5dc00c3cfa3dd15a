"""Request lines and versions (RFC 9112, 2.3 and 3; RFC 9110, 7.6.2 and 9.3)."""
from harness import Case, Got, Seen, rejected


def line(name, start, status=400, **more):
    return rejected("request line", name, start + b"\r\nHost: a\r\n\r\n", status, split=True, **more)


def passes(name, start, forwarded, **more):
    """Forwarded with this request line."""
    return Case("request line", name, start + b"\r\nHost: a\r\n\r\n", [Got(200)], seen=[Seen(line=forwarded)], split=True, **more)


def version(name, text, status=400):
    return rejected("versions", name, b"GET /reads/x " + text + b"\r\nHost: a\r\n\r\n", status, split=True)


CASES = [
    line("9112 3: two spaces before the target", b"GET  /reads/x HTTP/1.1"),
    line("9112 3: two spaces before the version", b"GET /reads/x  HTTP/1.1"),
    line("9112 3: space behind the version", b"GET /reads/x HTTP/1.1 "),
    line("9112 3: space before the method", b" GET /reads/x HTTP/1.1"),
    line("9112 3: tab for a space", b"GET\t/reads/x HTTP/1.1"),
    line("9112 3: tab behind the target", b"GET /reads/x\tHTTP/1.1"),
    line("9112 3: vertical tab behind the target", b"GET /reads/x\x0bHTTP/1.1"),
    line("9112 3: form feed behind the target", b"GET /reads/x\x0cHTTP/1.1"),
    line("9112 3.2: space within the target", b"GET /reads/x y HTTP/1.1"),
    line("9112 3.2: NUL within the target", b"GET /reads/x\0y HTTP/1.1"),
    line("9112 3.2: DEL within the target", b"GET /reads/x\x7f HTTP/1.1"),
    line("9112 3.2: control byte within the target", b"GET /reads/\x01 HTTP/1.1"),
    line("9112 2.2: bare CR within the target", b"GET /reads/x\ry HTTP/1.1"),
    line("9112 2.2: bare CR behind the version", b"GET /reads/x HTTP/1.1\r"),
    line("9112 3.2: fragment in the target", b"GET /reads/x#y HTTP/1.1"),
    line("9112 3.2: neither path nor URI", b"GET reads/x HTTP/1.1"),
    line("9112 3.2.4: asterisk with another method than OPTIONS", b"GET * HTTP/1.1"),
    line("9112 3: no target", b"GET HTTP/1.1"),
    line("9112 3: HTTP/0.9", b"GET /reads/x"),
    line("9110 9.1: NUL in the method", b"G\0T /reads/x HTTP/1.1"),
    line("9110 9.1: delimiter in the method", b"G(T /reads/x HTTP/1.1"),
    line("9110 9.1: colon in the method", b"GET: /reads/x HTTP/1.1"),
    line("9110 9.1: byte above ASCII in the method", b"G\xc3\xa9T /reads/x HTTP/1.1"),
    line("9110 9.3.6: CONNECT with authority-form", b"CONNECT a:443 HTTP/1.1", 501),
    line("9110 9.3.6: CONNECT with a path", b"CONNECT /dual/x HTTP/1.1", 501),
    line("9110 9.3.6: CONNECT with a URI", b"CONNECT http://a/ HTTP/1.1", 501),
    line("9112 3: target over 16 KiB", b"GET /reads/" + b"x" * 17_000 + b" HTTP/1.1", 414),
    rejected("request line", "9112 3: target over the head's limit", b"GET /reads/" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    rejected("request line", "9112 2.2: bare LF ends the request line", b"GET /reads/x HTTP/1.1\nHost: a\r\n\r\n", split=True),
    rejected("request line", "9112 2.2: bare LF throughout", b"GET /reads/x HTTP/1.1\nHost: a\n\n", split=True),
    rejected("request line", "9112 2.2: LF CR for CR LF", b"GET /reads/x HTTP/1.1\n\rHost: a\n\r\n\r", split=True),
    rejected("request line", "9112 2.2: two empty lines before it", b"\r\n\r\nGET /reads/x HTTP/1.1\r\nHost: a\r\n\r\n", split=True),
    rejected("request line", "9112 2.2: a bare LF before it", b"\nGET /reads/x HTTP/1.1\r\nHost: a\r\n\r\n", split=True),
    rejected("request line", "9112 2.2: a bare CR before it", b"\rGET /reads/x HTTP/1.1\r\nHost: a\r\n\r\n", split=True),
    rejected("request line", "9112 3: a response for a request", b"HTTP/1.1 200 OK\r\nHost: a\r\n\r\n", split=True),
    Case("request line", "9112 2.2: one empty line before it is ignored", b"\r\nGET /reads/x HTTP/1.1\r\nHost: a\r\n\r\n", [Got(200)],
         seen=[Seen(line=b"GET /reads/x HTTP/1.1")], methods=("GET",), split=True),
    Case("request line", "9112 2.2: an empty line behind a body is ignored",
         b"POST /dual/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab\r\nGET /dual/y HTTP/1.1\r\nHost: a\r\n\r\n", [Got(200), Got(200)],
         seen=[Seen(body=b"ab"), Seen(line=b"GET /dual/y HTTP/1.1")], methods=("POST", "GET"), split=True),
    passes("9110 9.1: unknown method", b"BREW /dual/x HTTP/1.1", b"BREW /dual/x HTTP/1.1"),
    passes("9110 9.1: methods are case-sensitive", b"get /dual/x HTTP/1.1", b"get /dual/x HTTP/1.1"),
    passes("9110 9.1: every character of a token", b"!#$%&'*+-.^_`|~09Az /dual/x HTTP/1.1", b"!#$%&'*+-.^_`|~09Az /dual/x HTTP/1.1"),
    passes("target untouched: dot segments", b"GET /reads/../x/./y HTTP/1.1", b"GET /reads/../x/./y HTTP/1.1"),
    passes("target untouched: encoded dot segments", b"GET /reads/%2e%2e/%2E/x HTTP/1.1", b"GET /reads/%2e%2e/%2E/x HTTP/1.1"),
    passes("target untouched: doubled slashes", b"GET //reads///x// HTTP/1.1", b"GET //reads///x// HTTP/1.1"),
    passes("target untouched: encoded slash, NUL, CR LF", b"GET /reads/%2F%00%0d%0aX HTTP/1.1", b"GET /reads/%2F%00%0d%0aX HTTP/1.1"),
    passes("target untouched: broken escapes", b"GET /reads/%zz%4 HTTP/1.1", b"GET /reads/%zz%4 HTTP/1.1"),
    passes("target untouched: odd query bytes", b"GET /reads/x?a[]={\"|\"}<>^`\\&&==;? HTTP/1.1", b"GET /reads/x?a[]={\"|\"}<>^`\\&&==;? HTTP/1.1"),
    passes("target untouched: bytes above ASCII", b"GET /reads/\xc3\xa9\xff?\x80 HTTP/1.1", b"GET /reads/\xc3\xa9\xff?\x80 HTTP/1.1"),
    passes("target untouched: backslashes", b"GET /reads\\..\\x HTTP/1.1", b"GET /reads\\..\\x HTTP/1.1"),
    passes("target untouched: empty query", b"GET /reads/x? HTTP/1.1", b"GET /reads/x? HTTP/1.1"),
    passes("target untouched: plus, colon, at", b"GET /reads/a+b:c@d HTTP/1.1", b"GET /reads/a+b:c@d HTTP/1.1"),
    passes("target untouched: 16 000 bytes", b"GET /reads/" + b"x" * 16_000 + b" HTTP/1.1", b"GET /reads/" + b"x" * 16_000 + b" HTTP/1.1"),
    passes("9112 3.2.4: OPTIONS *", b"OPTIONS * HTTP/1.1", b"OPTIONS * HTTP/1.1"),
    passes("9112 3.2.1: OPTIONS of a path", b"OPTIONS /reads/x HTTP/1.1", b"OPTIONS /reads/x HTTP/1.1"),
    version("9110 2.5: HTTP/2.0", b"HTTP/2.0", 505),
    version("9110 2.5: HTTP/3.0", b"HTTP/3.0", 505),
    version("9110 2.5: HTTP/1.2", b"HTTP/1.2", 505),
    version("9110 2.5: HTTP/1.9", b"HTTP/1.9", 505),
    version("9110 2.5: HTTP/0.9", b"HTTP/0.9", 505),
    version("9112 2.3: lower case", b"http/1.1"),
    version("9112 2.3: no minor version", b"HTTP/1"),
    version("9112 2.3: two digits", b"HTTP/1.10"),
    version("9112 2.3: leading zero", b"HTTP/01.1"),
    version("9112 2.3: comma for the point", b"HTTP/1,1"),
    version("9112 2.3: space within", b"HTTP/ 1.1"),
    version("9112 2.3: letter for a digit", b"HTTP/1.x"),
    version("9112 2.3: another protocol", b"ICY/1.1"),
    version("9112 2.3: NUL behind it", b"HTTP/1.1\0"),
    version("9112 2.3: sign", b"HTTP/+1.1"),
    rejected("versions", "9113 3.4: the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, split=True),
]
