#!/usr/bin/env python3
"""Measures the gateway beside nginx and HAProxy and prints tables of ratios with their spread.

  ./tests/bench/run.sh [--quick] [--rounds N] [--seconds S] [--only cpu|events|rate|faults|memory|loops|syscalls]

Each proxy runs on one core, load and backends on the other. Rounds are interleaved: in each round every proxy is measured
once, and ratios are taken within the round, so that what slows the machine for a while slows all alike."""
import argparse
import json
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request

from peers import BIN, LOAD_CORE, Backend, Haproxy, Nginx, Phoenix, pin

CONNECTIONS = 64


WARM_UP_SECONDS = 0.5
ACTIVE_RATE = 2000
REST_SECONDS = 4  # the gateway gives memory back after two seconds without an event


def load(peer, seconds, method="GET", body=300, rate=0, connections=CONNECTIONS):
    command = [os.path.join(BIN, "bench_load"), "--port", str(peer.port), "--seconds", str(seconds), "--method", method, "--body", str(body),
               "--connections", str(connections)] + (["--rate", str(rate)] if rate else [])
    return json.loads(pin(LOAD_CORE, command, stdout=subprocess.PIPE, text=True).communicate()[0])


def failed_connects():
    """Of this machine so far, as the kernel counts them (/proc/net/snmp, AttemptFails)."""
    with open("/proc/net/snmp") as lines:
        names, values = [line.split() for line in lines if line.startswith("Tcp:")]
    return int(values[names.index("AttemptFails")])


def measure(peer, seconds, **kind):
    """CPU of the proxy per answered request, in microseconds, with the load's own figures: of all its processes and threads, and of those
    that serve clients and backends alone."""
    load(peer, WARM_UP_SECONDS, **kind)  # connections made, code and caches warm
    before, loops_before, connects_before = peer.cpu_seconds(), peer.loop_seconds(), failed_connects()
    result = load(peer, seconds, **kind)
    requests = max(1, result["requests"])
    result["cpu_us"] = (peer.cpu_seconds() - before) * 1e6 / requests
    result["loop_us"] = (peer.loop_seconds() - loops_before) * 1e6 / requests
    result["failed_connects"] = (failed_connects() - connects_before) / requests
    result["per_second"] = result["requests"] / result["seconds"]
    return result


def spread(values, digits=2):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


class World:
    """Both backends and a directory for the proxies' files."""

    def __init__(self, body=200, modern="ok"):
        self.directory = tempfile.mkdtemp(prefix="phoenix-bench-")
        os.chmod(self.directory, 0o755)
        self.legacy, self.modern = Backend(body), Backend(body, "ok" if modern == "refused" else modern)
        self.modern_port = self.modern.port
        if modern == "refused":
            self.modern.stop()
        self.peers = []

    def start(self, kind, name, **more):
        peer = kind(os.path.join(self.directory, name), self.legacy.port, self.modern_port, **more)
        self.peers.append(peer)
        return peer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for peer in self.peers:
            peer.stop()
        self.legacy.stop()
        self.modern.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def everybody(world):
    return [world.start(Nginx, "mirror"), world.start(Nginx, "plain", mirror=False), world.start(Haproxy, "haproxy"), world.start(Phoenix, "phoenix"),
            world.start(Phoenix, "bare", shadow="off")]


def interleaved(peers, rounds, seconds, **kind):
    results = {peer.name: [] for peer in peers}
    for number in range(rounds):
        for peer in peers[number % len(peers):] + peers[:number % len(peers)]:
            results[peer.name].append(measure(peer, seconds, **kind))
    return results


def table(title, results, figure, unit, base="nginx mirror", second="nginx plain"):
    print(f"\n### {title}\n\n| proxy | {unit} | × {base} | × {second} | errors |\n|---|---:|---:|---:|---:|")
    for name, rounds in results.items():
        values = [one[figure] for one in rounds]
        ratios = [one[figure] / of[figure] for one, of in zip(rounds, results[base])]
        plain = [one[figure] / of[figure] for one, of in zip(rounds, results[second])]
        errors = sum(one["errors"] + one["unanswered"] for one in rounds)
        print(f"| {name} | {spread(values, 1)} | {spread(ratios)} | {spread(plain)} | {errors} |", flush=True)


ALONE = "Phoenix, its event loop alone"


def cpu(rounds, seconds):
    """The event loop alone stands for "everything on but publishing". It is charged too much: it encodes each event and puts it into the
    spool; what other threads do to bring it into the log is left out."""
    for title, body, kind in (("GET, answer of 200 B", 200, {}), ("POST of 300 B, answer of 200 B", 200, {"method": "POST"}), ("GET, answer of 16 KiB", 16384, {})):
        with World(body) as world:
            results = interleaved(everybody(world), rounds, seconds, **kind)
            results[ALONE] = [{**one, "cpu_us": one["loop_us"]} for one in results["Phoenix"]]
            table(f"CPU per exchange: {title}", results, "cpu_us", "µs")


def rate(rounds, seconds):
    with World() as world:
        table("p99 at a fixed 4,000 requests/s", interleaved(everybody(world), rounds, seconds, rate=4000), "p99_us", "µs")


def faults(rounds, seconds):
    print("\n### The shadow at fault (closed loop)\n\n`× healthy`: beside a gateway with a healthy shadow, in the same round.\n\n"
          "| shadow | Phoenix: requests/s | × healthy | p99 µs | × healthy | connects per request | nginx mirror: requests/s | p99 µs | connects per request |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for behaviour in ("slow", "hang", "reset", "refused"):
        with World() as sound, World(modern=behaviour) as broken:
            healthy, ours, theirs = sound.start(Phoenix, "phoenix"), broken.start(Phoenix, "phoenix"), broken.start(Nginx, "mirror")
            healthy.name = "healthy"
            results = interleaved([healthy, ours, theirs], rounds, seconds)
            speed, p99 = ([one[key] / well[key] for one, well in zip(results["Phoenix"], results["healthy"])] for key in ("per_second", "p99_us"))
            if behaviour == "refused":
                connects = [statistics.median(one["failed_connects"] for one in results[name]) for name in ("Phoenix", "nginx mirror")]
            else:
                connects = [connects_of(broken, peer, seconds) for peer in (ours, theirs)]
            of = {name: {key: statistics.median(one[key] for one in results[name]) for key in ("per_second", "p99_us")} for name in ("Phoenix", "nginx mirror")}
            print(f"| {behaviour} | {of['Phoenix']['per_second']:.0f} | {spread(speed)} | {of['Phoenix']['p99_us']:.0f} | {spread(p99)} | {connects[0]:.4f} "
                  f"| {of['nginx mirror']['per_second']:.0f} | {of['nginx mirror']['p99_us']:.0f} | {connects[1]:.4f} |", flush=True)


def connects_of(world, peer, seconds):
    """Connections that the shadow accepts from a proxy, for each of its requests."""
    before, _ = world.modern.counts()
    requests = load(peer, seconds)["requests"]
    return (world.modern.counts()[0] - before) / max(1, requests)


def memory(_rounds, seconds):
    """Idle: 1,000 clients after one request each, once nothing has happened for a while. Active: what 1,000 clients at a fixed rate add to
    eight, without pages of mapped files, which the kernel may take back. Not as fast as they can: then shadow legs that wait would count
    as clients."""
    print(f"\n### Memory with 1,000 keep-alive clients\n\n| proxy | idle: resident MB | × nginx mirror | kB per client beyond the start | at {ACTIVE_RATE:,} requests/s: kB per client |\n|---|---:|---:|---:|---:|")
    with World() as world:
        peers = everybody(world)
        for peer in peers:
            load(peer, 0.5, connections=8)
        time.sleep(REST_SECONDS)
        before = [peer.resident_bytes() for peer in peers]
        clients = [connected for peer in peers for connected in idle_clients(peer, 1000)]
        time.sleep(REST_SECONDS)
        after = [peer.resident_bytes() for peer in peers]
        for client in clients:
            client.close()
        for peer, first, last in zip(peers, before, after):
            few = most_resident(peer, seconds, 8)
            many = most_resident(peer, seconds, 1000)
            print(f"| {peer.name} | {last / 1e6:.1f} | {last / after[0]:.2f} | {(last - first) / 1e6:.1f} | {(many - few) / 1e6:.1f} |", flush=True)


def idle_clients(peer, count):
    """Connections that stay open, each after one request."""
    clients = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", peer.port))
        client.sendall(b"GET /accounts/17 HTTP/1.1\r\nHost: bank.test\r\n\r\n")
        clients.append(client)
    for client in clients:
        client.recv(65536)
    return clients


def most_resident(peer, seconds, connections):
    """The most private memory that was seen under load, in bytes."""
    under_load = threading.Thread(target=load, args=(peer, seconds), kwargs={"connections": connections, "rate": ACTIVE_RATE})
    under_load.start()
    most = 0
    while under_load.is_alive():
        most = max(most, peer.private_bytes())
        time.sleep(0.05)
    under_load.join()
    return most


def loops(rounds, seconds):
    """With four cores: requests a second. With fewer there is none for the load alone, and what two loops lose to each other (locks, cache
    lines) shows as CPU: if an exchange takes as much of it with two loops as with one, two do twice as much. A hint, no proof: a loop that
    shares its core with the load is woken more cheaply."""
    enough = (os.cpu_count() or 1) >= 4
    one_core, two_cores = ("0" if enough else "0,1", "0,1")
    print("\n### Two event loops beside one\n\n| loops | requests/s | CPU of the loops, µs per exchange | × one loop |\n|---|---:|---:|---:|")
    with World() as world:
        one = world.start(Phoenix, "one", threads=1, cores=one_core, keyed=True)
        two = world.start(Phoenix, "two", threads=2, cores=two_cores, keyed=True)
        one.name, two.name = "one", "two"
        results = interleaved([one, two], rounds, seconds)
        gain = [many["per_second"] / single["per_second"] if enough else 2 * single["loop_us"] / many["loop_us"]
                for single, many in zip(results["one"], results["two"])]
        for name, factor in (("one", "1.00"), ("two", spread(gain))):
            per_second, us = (spread([r[key] for r in results[name]], 1) for key in ("per_second", "loop_us"))
            print(f"| {name} | {per_second} | {us} | {factor} |", flush=True)
    if not enough:
        print("\nToo few cores to run both beside the load: the factor is 2 × CPU of one / CPU of two, a hint alone.")


def strace_counts(targets, peer, seconds):
    """System calls by name per request under load; `targets` are the threads to follow, alone."""
    load(peer, WARM_UP_SECONDS)
    tracer = subprocess.Popen(["strace", "-c"] + [word for target in targets for word in ("-p", str(target))], stderr=subprocess.PIPE, text=True)
    for _ in targets:
        if "attached" not in tracer.stderr.readline():
            raise SystemExit("strace could not attach")
    requests = load(peer, seconds)["requests"]
    tracer.send_signal(signal.SIGINT)
    rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", tracer.communicate()[1], re.M)
    return {name: int(count) / max(1, requests) for count, name in rows if name != "total"}


def syscalls(_rounds, seconds):
    print(f"\n### System calls per GET under load ({CONNECTIONS} connections), by strace -c\n\n| proxy | calls of the loop | most frequent | other threads |\n|---|---:|---|---:|")
    with World() as world:
        for peer in everybody(world):
            calls = strace_counts(peer.loop_threads(), peer, min(seconds, 3))
            rest = peer.other_threads()
            others = sum(strace_counts(rest, peer, min(seconds, 3)).values()) if rest else 0
            most = ", ".join(f"{name} {count:.2f}" for name, count in sorted(calls.items(), key=lambda item: -item[1])[:5])
            print(f"| {peer.name} | {sum(calls.values()):.2f} | {most} | {others:.2f} |", flush=True)


def counters(peer, *names):
    with urllib.request.urlopen(f"http://{peer.admin}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return [float(re.search(rf"^phoenix_gateway_{name} (\S+)$", text, re.M)[1]) for name in names]


def published(peer):
    """Events that the log has, and the processor time of the threads that brought them there, once none waits."""
    while counters(peer, "event_spool_bytes")[0] > 0:
        time.sleep(0.05)
    return counters(peer, "events_acknowledged_total", "event_publish_seconds_total")


def events(_rounds, seconds):
    print("\n### Publishing an event to the SQLite log: processor time of other threads than the event loop\n")
    print("| exchanges | per second | µs for each event | µs of the whole gateway |\n|---|---:|---:|---:|")
    for title, body, rates in (("GET, 200 B", 200, (500, 4000, 0)), ("GET, 16 KiB", 16384, (0,))):
        for rate in rates:
            with World(body) as world:
                peer = world.start(Phoenix, "phoenix")
                load(peer, 0.5)
                count_before, seconds_before = published(peer)
                cpu_before = peer.cpu_seconds()
                result = load(peer, seconds, rate=rate)
                count, spent = published(peer)
                whole = (peer.cpu_seconds() - cpu_before) * 1e6 / result["requests"]
                print(f"| {title} | {result['requests'] / result['seconds']:,.0f} | {(spent - seconds_before) * 1e6 / (count - count_before):.1f} | {whole:.1f} |", flush=True)


SECTIONS = {"cpu": cpu, "events": events, "rate": rate, "faults": faults, "memory": memory, "loops": loops, "syscalls": syscalls}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under two minutes: one round of 0.4 seconds each")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--only", choices=SECTIONS)
    options = parser.parse_args()
    most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))  # idle clients of all proxies at once
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("two cores are needed: one for the proxy, one for load and backends")
    if options.quick:
        global WARM_UP_SECONDS
        WARM_UP_SECONDS = 0.15
    rounds, seconds = (1, 0.4) if options.quick else (options.rounds, options.seconds)
    for name, section in SECTIONS.items():
        if options.only in (None, name):
            section(rounds, seconds)


if __name__ == "__main__":
    main()
