"""Runs one case and says in lines what did not hold. What RFC 9110 and 9112 ask of every message is checked on each."""
import re
import time

import wire
from harness import HOP_BY_HOP, IDLE, Client

SAFE = (b"GET", b"HEAD", b"OPTIONS", b"TRACE")
PROBE = b"GET /probe HTTP/1.1\r\nHost: probe\r\n\r\n"
DATE = re.compile(rb"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")
OURS = (b"X-Phoenix-Leg:", b"X-Phoenix-Assigned-Id:", b"Expect: 100-continue")  # the shadow has the body at once


def _fields(what, message, expected):
    for name, values in expected.has.items():
        if message.values(name) != values:
            yield f"{what}: {name} is {message.values(name)}, not {values}"
    for name in expected.lacks:
        if message.values(name):
            yield f"{what}: {name} is there: {message.values(name)}"
    if expected.lines and expected.lines not in message.head:
        yield f"{what}: {expected.lines!r} is not in {message.head!r}"
    if expected.body is not None and message.body != expected.body:
        yield f"{what}: the body is {message.body[:200]!r}"
    if expected.framing is not None and message.framing != expected.framing:
        yield f"{what}: framing {message.framing}, not {expected.framing}"


def check_request(what, message, expected):
    """RFC 9110, 7.6 and 7.2: what any request forwarded must have and lack."""
    if expected.line is not None and message.start != expected.line:
        yield f"{what}: request line {message.start!r}, not {expected.line!r}"
    yield from _fields(what, message, expected)
    for name in ("Host", "X-Forwarded-For", "X-Forwarded-Proto", "Via", "X-Request-Id", "X-Phoenix-Exchange", "X-Phoenix-Leg"):
        if len(message.values(name)) != 1:
            yield f"{what}: {name} is there {len(message.values(name))} times"
    if not (message.values("Via") or [b""])[0].endswith(b" phoenix"):
        yield f"{what}: Via does not end with this gateway: {message.values('Via')}"
    if not (message.values("X-Forwarded-For") or [b""])[0].endswith(b"127.0.0.1"):
        yield f"{what}: X-Forwarded-For does not end with the client's address"
    for name in HOP_BY_HOP + ("Connection",):
        asked = {"Connection": b"Upgrade", "Upgrade": expected.upgrade}.get(name) if expected.upgrade else None
        if message.values(name) != ([asked] if asked else []):
            yield f"{what}: hop-by-hop field {name} is {message.values(name)}"
    if message.trailers:
        yield f"{what}: trailers {message.trailers!r}"


def check_response(what, message, expected):
    if message.status != expected.status:
        yield f"{what}: status {message.status}, not {expected.status} ({message.body[:200]!r})"
    if expected.start is not None and message.start != expected.start:
        yield f"{what}: status line {message.start!r}"
    yield from _fields(what, message, expected)
    for name in HOP_BY_HOP:
        if message.values(name):
            yield f"{what}: hop-by-hop field {name} was forwarded"
    if [value for value in message.values("Connection") if value not in (b"close", b"keep-alive")]:
        yield f"{what}: Connection is {message.values('Connection')}"
    if message.status >= 200 and not DATE.fullmatch(b", ".join(message.values("Date"))):
        yield f"{what}: Date is {message.values('Date')}"
    if not expected.own and message.status >= 200 and len(message.values("X-Phoenix-Exchange")) != 1:
        yield f"{what}: X-Phoenix-Exchange is there {len(message.values('X-Phoenix-Exchange'))} times"


def _talk(world, case, split, client):
    """Sends, reads every answer, and proves that the connection is kept or closed."""
    methods = list(case.methods) or [case.send.lstrip(b"\r\n").split(b" ")[0].decode("latin-1")] * len(case.got)
    client.send(case.send, split)
    if case.finish_sending:
        client.sock.shutdown(1)
    then = list(case.then or [])
    for number, expected in enumerate(case.got):
        what = f"answer {number + 1}"
        message = client.response(methods[number])
        yield from check_response(what, message, expected)
        while then and then[0][0] == number + 1:
            action = then.pop(0)[1]
            if action == "release":
                world.legacy.release()
            else:
                client.send(action, split)
    if not case.kept:
        started = time.monotonic()
        if not client.closed():
            yield f"the connection is not closed, bytes follow: {bytes(client.unread)[:200]!r}"
        elif time.monotonic() - started > IDLE - 0.5:
            yield "the connection was kept until the idle time-out"
        return
    if client.unread:
        yield f"bytes follow the answers: {bytes(client.unread)[:200]!r}"
    if not world.settle():
        yield "exchanges are still under way"
    yield from _remember(world, case)
    for backend in (world.legacy, world.modern):
        backend.script([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nprobe"])
    client.send(PROBE)
    message = client.response("GET")
    if message.status != 200 or message.body != b"probe":
        yield f"the next exchange on this connection is answered {message.status} {message.body[:100]!r}"
    world.probe_connection = world.legacy.requests[-1].connection if world.legacy.requests else None


def _remember(world, case):
    """Takes what the backends have seen before the probe follows."""
    world.saw = {backend.name: (list(backend.requests), list(backend.malformed), list(backend.cut), backend.bytes) for backend in (world.legacy, world.modern)}
    return ()


def _legs(world, case):
    legacy, malformed, cut, received = world.saw["legacy"]
    if malformed:
        yield f"legacy cannot read what it got: {malformed}"
    if not case.seen and not case.cut and received:
        yield f"{received} bytes reached legacy: {[request.head for request in legacy]} {cut}"
    if len(legacy) != len(case.seen):
        yield f"legacy got {len(legacy)} requests, not {len(case.seen)}: {[request.start for request in legacy]}"
    if bool(cut) != case.cut:
        yield f"legacy got {cut or 'nothing'} that broke off"
    for number, (request, expected) in enumerate(zip(legacy, case.seen)):
        yield from check_request(f"request {number + 1}", request, expected)
    modern, malformed, cut, received = world.saw["modern"]
    if malformed or cut:
        yield f"modern cannot read what it got: {malformed} {cut}"
    shadowed = [request for request in legacy if _is_shadowed(case, request)]
    if not shadowed and received:
        yield f"{received} bytes reached modern: {[request.start for request in modern]}"
    # Apart from the leg's own fields both legs carry the same bytes.
    if sorted(map(_common, shadowed)) != sorted(map(_common, modern)):
        yield f"modern got {[request.head for request in modern]}, legacy {[request.head for request in shadowed]}"


def _common(request):
    return b"\r\n".join(line for line in request.head.split(b"\r\n") if not line.startswith(OURS)), request.body


def _is_shadowed(case, request):
    if case.shadowed is not None:
        return case.shadowed
    if request.target == b"/keyed":
        return True
    return request.target.startswith(b"/dual/") or (request.target.startswith(b"/reads/") and request.method in SAFE)


def _pool(world, case):
    legacy = world.saw["legacy"][0]
    used = legacy[-1].connection if legacy else None
    if case.pool == "closed" and not world.legacy.wait(lambda backend: used in backend.ended):
        yield "the connection to legacy is still open"
    if case.pool == "kept" and world.probe_connection != used:
        yield "the connection to legacy was not used again"


def run_case(world, case, split=False):
    """Returns what did not hold; empty: the case passed."""
    world.legacy.reset(case.answer, case.on_head, split)
    world.modern.reset(case.modern_answer or case.answer, None, split)
    world.probe_connection = world.saw = None
    problems = []
    client = Client(world.port)
    try:
        problems += _talk(world, case, split, client)
        if world.saw is None:
            if not world.settle():
                problems.append("exchanges are still under way")
            _remember(world, case)
        problems += _legs(world, case)
        if case.pool:
            problems += _pool(world, case)
    except wire.Malformed as error:
        problems.append(str(error))
    finally:
        client.sock.close()
    if case.secret and case.secret in client.raw:
        problems.append(f"{case.secret!r} is on the client's wire: {bytes(client.raw)[:300]!r}")
    if not world.alive():
        problems.append("the gateway has died")
    # A case leaves nothing to the next: connections that it used may hold scripted answers.
    world.settle()
    world.legacy.close_all()
    world.modern.close_all()
    return problems
