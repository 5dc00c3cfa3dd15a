"""What the gateway does not do yet. Each case must fail; one that passes is reported as an error, to be moved to its table."""
from harness import Case, Got, Seen

CASES = [
    Case("100-continue", "9110 10.1.1: where the body holds the key, the backend's refusal reaches the client before the body is sent",
         b"POST /keyed HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n", [Got(417)], kept=False, cut=True, shadowed=False,
         on_head=[b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"],
         gap="the gateway answers 100 itself: without the key no side can be chosen",
         fails="answer 1: status 100, not 417"),
]
