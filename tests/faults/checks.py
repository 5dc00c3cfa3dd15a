"""What must hold after a fault: ledgers, accounts of the gateway, events, and what clients were told."""
import collections
import json
import sqlite3
import struct

COUNTED_ONLY = ("unmatched", "bypass", "retired", "event_log_full")  # no event in the log


def errors_of(told):
    """Errors by kind; a write's 2xx is 201, a read's 200."""
    kinds = collections.Counter()
    for one in told:
        if one.outcome != "answered":
            kinds[one.outcome] += 1
        elif not 200 <= one.status < 300:
            kinds[str(one.status)] += 1
    return kinds


def accounts_of(status):
    """(received, published, lost, problems): the gateway's account, exact for each route."""
    received = published = lost_total = 0
    problems = []
    for route in status["routes"]:
        buckets = {**route["excluded"], **{f"dropped {reason}": count for reason, count in route["dropped"].items()}}
        lost = route.get("lost", 0)
        ended = route["handed_over"] + sum(buckets.values()) + lost
        if route["received"] != ended + route["in_flight"]:
            problems.append(f"accounts of {route['route']}: received {route['received']}, ended {ended}, in flight {route['in_flight']}")
        received += route["received"]
        lost_total += lost
        published += ended - lost - sum(count for reason, count in buckets.items() if reason.removeprefix("dropped ") in COUNTED_ONLY)
    return received, published, lost_total, problems


def events_of(directory):
    """Headers of the exchanges in the log, by id: a reader knows by it what was delivered twice."""
    log = sqlite3.connect(f"file:{directory}/events.db?mode=ro", uri=True)
    try:
        headers = {}
        for (frame,) in log.execute("SELECT value FROM records WHERE topic = 'shadow-requests' ORDER BY offset"):
            (size,) = struct.unpack(">I", frame[:4])
            header = json.loads(frame[4:4 + size])
            headers[header["exchange_id"]] = header
        return headers
    finally:
        log.close()


def count_events(directory):
    """What can be waited for cheaply; whether an exchange came twice only events_of() tells."""
    log = sqlite3.connect(f"file:{directory}/events.db?mode=ro", uri=True)
    try:
        return log.execute("SELECT count(*) FROM records WHERE topic = 'shadow-requests'").fetchone()[0]
    finally:
        log.close()


def lost_writes(headers):
    """Keys of writes one of whose legs did not certainly succeed: {side that may lack them: keys}."""
    keys = {"legacy": set(), "modern": set()}
    other = {"legacy": "modern", "modern": "legacy"}
    for header in headers.values():
        shadow, serving = header["shadow"], header["serving"]
        if not header.get("write") or (serving["outcome"] != "ok" and not serving.get("uncertain")):
            continue
        if shadow["outcome"] != "ok" or shadow.get("uncertain"):
            keys[other[header["serving_side"]]].update(key for key, _ in header["keys"])
    return keys


def incomplete_keys(gateway):
    """{side: keys that the gateway says it lacks writes of}; all of slice `bank`."""
    bank = json.loads(gateway.get("/keys?slice=bank")[1])["bank"]
    return {side: set(bank[side]["incomplete"]) for side in ("legacy", "modern")}


def check_reasons(gateway, headers, status):
    """No key is called incomplete without a write that says why; where events were refused nobody can tell."""
    if any("event_log_full" in route["dropped"] for route in status["routes"]):
        return []
    why = lost_writes(headers)
    return [f"{len(keys - why[side])} keys are incomplete on {side} for no reason that an event tells, like {min(keys - why[side])}"
            for side, keys in incomplete_keys(gateway).items() if keys - why[side]]


def compare_ledgers(legacy, modern, incomplete):
    """(accounts equal, accounts that differ and are named, problems). Equal: balance, number of writes, and their order."""
    named = incomplete["legacy"] | incomplete["modern"]
    nothing = [0, 0, 0]
    equal = differing = 0
    unnamed = []
    for account in sorted(legacy["accounts"].keys() | modern["accounts"].keys()):
        sides = [ledger["accounts"].get(account, nothing) for ledger in (legacy, modern)]
        if sides[0][1] == sides[1][1] == 0:
            continue  # only read
        if sides[0] == sides[1]:
            equal += 1
        elif account in named:
            differing += 1
        else:
            unnamed.append(f"{account} (balance, writes: {sides[0][:2]} and {sides[1][:2]})")
    problems = [f"{len(unnamed)} accounts differ and the gateway names them complete, like {unnamed[0]}"] if unnamed else []
    return equal, differing, problems


def check_writes(told, legacy, modern):
    """Nothing twice, and nothing that a client was told succeeded is missing where it was served."""
    problems = [f"{name} applied {len(ledger['twice'])} exchanges more than once, like {ledger['twice'][0]}"
                for name, ledger in (("legacy", legacy), ("modern", modern)) if ledger["twice"]]
    served = set(legacy["serving"]) | set(modern["serving"])
    missing = [one for one in told if one.write and one.outcome == "answered" and 200 <= one.status < 300 and one.exchange not in served]
    if missing:
        problems.append(f"{len(missing)} writes were answered 2xx and the serving side never applied them, like {missing[0].exchange} on {missing[0].account}")
    both = set(legacy["serving"]) & set(modern["serving"])
    if both:
        problems.append(f"{len(both)} exchanges were served by both sides, like {next(iter(both))}")
    return problems
