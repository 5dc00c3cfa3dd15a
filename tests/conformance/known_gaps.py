"""What the gateway does not do yet. Each case must fail; one that passes is reported as an error, to be moved to its table."""
from harness import Case, Got, Seen

CASES = [
    Case("100-continue", "9110 10.1.1: the expectation reaches the backend, and its refusal the client before the body is sent",
         b"POST /dual/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", [Got(417)], kept=False, cut=True, shadowed=False,
         on_head=[b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"],
         gap="the gateway answers 100 itself: the body decides keys and currency before a side is chosen",
         fails="answer 1: status 100, not 417"),
    Case("absolute-form", "9112 3.2.1: empty path with a query becomes /?query", b"GET http://bank?x HTTP/1.1\r\nHost: a\r\n\r\n", [Got(200)],
         seen=[Seen(line=b"GET /?x HTTP/1.1")], gap="refused with 400: the target goes on as a view of the client's bytes, and the slash is not among them",
         fails="answer 1: status 400, not 200"),
]
