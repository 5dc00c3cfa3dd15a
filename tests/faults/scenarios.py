"""The rows of the matrix: what goes wrong, how it ends, how one sees that it was there, and whether anything may be missing after it."""
import dataclasses
import sqlite3
import typing

SMALL_QUEUE = ", shadow_queue: 200"


@dataclasses.dataclass
class Scenario:
    name: str
    title: str
    begin: typing.Callable  # of the World
    end: typing.Callable
    bitten: typing.Callable  # of the events, the gateway's status at the end of the fault and modern's dump: how often it was felt
    complete: bool  # every write arrives after all: no key may be incomplete
    limits: str = ""  # more of gateway.limits
    idempotent: bool = False  # the route says so, and modern knows an exchange that comes again
    pad: int = 0  # bytes of a write's body, so that a bound on bytes is reached
    long: bool = False  # lasts ten minutes with --full


def shadow_fault(fault):
    return lambda world: world.modern.fault(fault)


def healthy(world):
    world.modern.fault("ok")


def legs(**wanted):
    """How many shadow legs have these fields."""
    return lambda headers, status, modern: sum(all(header["shadow"].get(field) == value for field, value in wanted.items()) for header in headers.values())


def late(microseconds):
    return lambda headers, status, modern: sum(header["shadow"]["duration_us"] >= microseconds for header in headers.values())


def long_answers(headers, status, modern):
    return sum(header["shadow"].get("body_bytes", 0) > 10_000_000 or header["shadow"]["outcome"] == "timeout" for header in headers.values())


def waiting(headers, status, modern):
    return status["backlog"]["modern"]


def spooled(headers, status, modern):
    """Legs that rest on disk."""
    return status.get("spool", {}).get("shadow_legs", {}).get("modern", 0)


def dropped_writes(headers, status, modern):
    return sum(header.get("write", False) and "dropped" in header for header in headers.values())


def lock_event_log(world):
    world.lock = sqlite3.connect(f"{world.shadowing.directory}/events.db", timeout=20, isolation_level=None)
    world.lock.execute("BEGIN EXCLUSIVE")


def unlock_event_log(world):
    world.lock.execute("ROLLBACK")
    world.lock.close()


def fill_disk(world):
    world.modern.fault("refuse")
    world.shadowing.limit_files(64 * 1024)


def free_disk(world):
    world.shadowing.limit_files(-1)
    world.modern.fault("ok")


SCENARIOS = [
    Scenario("healthy", "none: the shadow is well", healthy, healthy, legs(outcome="ok"), complete=True),
    Scenario("hung", "shadow hangs", shadow_fault("hang"), healthy, legs(outcome="timeout"), complete=False),
    Scenario("reset", "shadow resets every request", shadow_fault("reset"), healthy, legs(outcome="reset"), complete=False),
    Scenario("flaky", "shadow resets kept connections; route `idempotent`", shadow_fault("flaky"), healthy,
             lambda headers, status, modern: modern["repeats"], complete=True, idempotent=True),
    Scenario("slow", "shadow takes 2 s", shadow_fault("slow 2000"), healthy, late(1_900_000), complete=True),
    Scenario("garbage", "shadow answers garbage", shadow_fault("garbage"), healthy, legs(outcome="malformed"), complete=False),
    Scenario("huge", "shadow answers 1 GB", shadow_fault("huge 1000000000"), healthy, long_answers, complete=False),
    Scenario("refused", "shadow refuses connections", shadow_fault("refuse"), healthy, waiting, complete=True),
    Scenario("down", "shadow down {long_s} s", shadow_fault("refuse"), healthy, spooled, complete=True, limits=SMALL_QUEUE, long=True),
    Scenario("event_log", "event log locked", lock_event_log, unlock_event_log, lambda headers, status, modern: status["event_log"]["queued"], complete=True),
    Scenario("spool_full", "shadow down, `spool_bytes` reached", shadow_fault("refuse"), healthy, dropped_writes, complete=False,
             limits=SMALL_QUEUE + ", spool_bytes: 1MiB", pad=4096),
    Scenario("disk_full", "shadow down, disk full", fill_disk, free_disk, dropped_writes, complete=False, limits=SMALL_QUEUE, pad=65536),
]
