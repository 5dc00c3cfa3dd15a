"""Host and absolute-form (RFC 9112, 3.2; RFC 9110, 4.2 and 7.2)."""
from harness import Case, Got, Seen, rejected


def bad(name, fields, start=b"GET /reads/x HTTP/1.1"):
    return rejected("Host", name, start + b"\r\n" + fields + b"\r\n", split=True)


def good(name, value, start=b"GET /reads/x HTTP/1.1"):
    return Case("Host", name, start + b"\r\nHost: " + value + b"\r\n\r\n", [Got(200)], seen=[Seen(has={"Host": [value.strip()],
                "X-Forwarded-Host": [value.strip()]})], split=True)


def absolute(name, start, line, host, **more):
    return Case("absolute-form", name, start + b"\r\nHost: other\r\n\r\n", [Got(200)], seen=[Seen(line=line, has={"Host": [host], "X-Forwarded-Host": [host]})],
                split=True, **more)


def bad_absolute(name, start, fields=b"Host: a\r\n"):
    return rejected("absolute-form", name, start + b"\r\n" + fields + b"\r\n", split=True)


CASES = [
    bad("9112 3.2: missing", b"X: 1\r\n"),
    bad("9112 3.2: no field at all", b""),
    bad("9112 3.2: twice, different", b"Host: a\r\nHost: b\r\n"),
    bad("9112 3.2: twice, the same", b"Host: a\r\nHost: a\r\n"),
    bad("9112 3.2: twice, in different case", b"Host: a\r\nX: 1\r\nhOST: a\r\n"),
    bad("9112 3.2: twice in HTTP/1.0", b"Host: a\r\nHost: b\r\n", b"GET /reads/x HTTP/1.0"),
    bad("9112 3.2: space within", b"Host: a b\r\n"),
    bad("9112 3.2: tab within", b"Host: a\tb\r\n"),
    bad("9112 3.2: list of two", b"Host: a, b\r\n"),
    bad("9112 3.2: path behind it", b"Host: a/b\r\n"),
    bad("9112 3.2: query behind it", b"Host: a?b\r\n"),
    bad("9112 3.2: fragment behind it", b"Host: a#b\r\n"),
    bad("9110 4.2.4: user before it", b"Host: user@a\r\n"),
    bad("9112 3.2: a URI", b"Host: http://a\r\n"),
    bad("9112 3.2: backslash", b"Host: a\\b\r\n"),
    bad("9112 3.2: quotation mark", b"Host: \"a\"\r\n"),
    bad("9112 3.2: angle brackets", b"Host: <a>\r\n"),
    bad("9112 3.2: caret and backquote", b"Host: a^`b\r\n"),
    bad("9112 3.2: vertical bar", b"Host: a|b\r\n"),
    bad("9112 3.2: byte above ASCII", b"Host: caf\xc3\xa9\r\n"),
    bad("9112 3.2: broken percent escape", b"Host: a%zz\r\n"),
    bad("9112 3.2: percent sign at the end", b"Host: a%4\r\n"),
    bad("9110 7.2: port is no number", b"Host: a:http\r\n"),
    bad("9110 7.2: signed port", b"Host: a:-1\r\n"),
    bad("9110 7.2: two ports", b"Host: a:1:2\r\n"),
    bad("9110 7.2: IPv6 address without brackets", b"Host: ::1\r\n"),
    bad("9110 7.2: bracket not closed", b"Host: [::1\r\n"),
    bad("9110 7.2: bracket not opened", b"Host: ::1]\r\n"),
    bad("9110 7.2: name behind the bracket", b"Host: [::1]a\r\n"),
    bad("9110 7.2: name in brackets", b"Host: [name]\r\n"),
    bad("9110 7.2: nothing in brackets", b"Host: []\r\n"),
    bad("9112 5.1: space before the colon", b"Host : a\r\n"),
    bad("9112 2.2: bare CR within", b"Host: a\rb\r\n"),
    bad("9110 5.5: NUL within", b"Host: a\0b\r\n"),
    bad("9112 5.2: folded", b"Host:\r\n a\r\n"),
    good("as sent: name", b"bank.example"),
    good("as sent: upper case", b"BANK.Example"),
    good("as sent: port", b"bank:8080"),
    good("as sent: empty port", b"bank:"),
    good("as sent: IPv4", b"192.0.2.1:80"),
    good("as sent: IPv6", b"[2001:db8::1]:443"),
    good("as sent: IPv6 with embedded IPv4", b"[::ffff:192.0.2.1]"),
    good("as sent: underscore, tilde, sub-delims", b"a_b~c!$&'()*+,;=d"),
    good("as sent: percent escape", b"a%20b"),
    good("as sent: trailing dot", b"bank."),
    good("as sent: white space around it is not part of it", b" \t bank \t"),
    Case("Host", "9112 3.2: empty is valid", b"GET /reads/x HTTP/1.1\r\nHost:\r\n\r\n", [Got(200)], seen=[Seen(has={"Host": [b""]})]),
    Case("Host", "9112 3.2: HTTP/1.0 may lack it", b"GET /reads/x HTTP/1.0\r\n\r\n", [Got(200)], kept=False,
         seen=[Seen(has={"Host": [b""]}, lacks=("X-Forwarded-Host",))]),
    absolute("9112 3.2.2: becomes origin-form and replaces Host", b"GET http://bank/reads/x?y=%20 HTTP/1.1", b"GET /reads/x?y=%20 HTTP/1.1", b"bank"),
    absolute("9110 4.2.3: scheme in upper case", b"GET HTTP://Bank:8080/reads/x HTTP/1.1", b"GET /reads/x HTTP/1.1", b"Bank:8080"),
    absolute("9110 4.2.2: https", b"GET https://bank/reads/x HTTP/1.1", b"GET /reads/x HTTP/1.1", b"bank"),
    absolute("9112 3.2.1: empty path becomes /", b"GET http://bank HTTP/1.1", b"GET / HTTP/1.1", b"bank"),
    absolute("9112 3.2.2: IPv6", b"GET http://[::1]:81/reads/x HTTP/1.1", b"GET /reads/x HTTP/1.1", b"[::1]:81"),
    absolute("9112 3.2.4: OPTIONS with an empty path becomes *", b"OPTIONS http://bank HTTP/1.1", b"OPTIONS * HTTP/1.1", b"bank"),
    absolute("9112 3.2.2: path untouched", b"GET http://bank//%2e%2e//x HTTP/1.1", b"GET //%2e%2e//x HTTP/1.1", b"bank"),
    bad_absolute("9112 3.2: no Host beside it", b"GET http://a/reads/x HTTP/1.1", b""),
    bad_absolute("9112 3.2: two Hosts beside it", b"GET http://a/reads/x HTTP/1.1", b"Host: a\r\nHost: a\r\n"),
    bad_absolute("9112 3.2: invalid Host beside it", b"GET http://a/reads/x HTTP/1.1", b"Host: a b\r\n"),
    bad_absolute("9110 4.2.4: user in the URI", b"GET http://u:p@a/reads/x HTTP/1.1"),
    bad_absolute("9110 4.2.1: no host in the URI", b"GET http:///reads/x HTTP/1.1"),
    bad_absolute("9110 4.2.1: port without host in the URI", b"GET http://:80/reads/x HTTP/1.1"),
    bad_absolute("9110 4.2: another scheme", b"GET ftp://a/reads/x HTTP/1.1"),
    bad_absolute("9110 4.2: one slash", b"GET http:/a/reads/x HTTP/1.1"),
    Case("absolute-form", "9112 3.2.1: empty path with a query becomes /?query", b"GET http://bank?x HTTP/1.1\r\nHost: a\r\n\r\n", [Got(200)],
         seen=[Seen(line=b"GET /?x HTTP/1.1", has={"Host": [b"bank"]})], split=True),
    bad_absolute("9110 7.2: bad port in the URI", b"GET http://a:x/reads/x HTTP/1.1"),
    bad_absolute("9110 7.2: bad character in the URI's host", b"GET http://a|b/reads/x HTTP/1.1"),
    bad_absolute("9112 3.2: fragment in the URI", b"GET http://a/reads/x#y HTTP/1.1"),
    bad_absolute("9112 3.2: fragment instead of a path", b"GET http://a#y HTTP/1.1"),
]
