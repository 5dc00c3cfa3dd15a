#!/usr/bin/env python3
"""Measures the gateway beside nginx and HAProxy and prints tables of ratios with their spread.

  ./tests/bench/run.sh [--quick] [--rounds N] [--seconds S] [--only cpu|events|rate|faults|memory|syscalls]

Each proxy runs on one core, load and backends on the other. Rounds are interleaved: in each round every proxy is measured
once, and ratios are taken within the round, so that what slows the machine for a while slows all alike."""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request

from peers import BIN, LOAD_CORE, Backend, Haproxy, Nginx, Phoenix, pin

CONNECTIONS = 64


def load(peer, seconds, method="GET", body=300, rate=0, connections=CONNECTIONS):
    command = [os.path.join(BIN, "bench_load"), "--port", str(peer.port), "--seconds", str(seconds), "--method", method, "--body", str(body),
               "--connections", str(connections)] + (["--rate", str(rate)] if rate else [])
    return json.loads(pin(LOAD_CORE, command, stdout=subprocess.PIPE, text=True).communicate()[0])


def measure(peer, seconds, **kind):
    """CPU of all of the proxy's processes and threads per answered request, in microseconds, with the load's own figures."""
    load(peer, 0.5, **kind)  # connections made, code and caches warm
    before = peer.cpu_seconds()
    result = load(peer, seconds, **kind)
    if not result["requests"] or result["errors"] or result["unanswered"]:
        result["trouble"] = True
    result["cpu_us"] = (peer.cpu_seconds() - before) * 1e6 / max(1, result["requests"])
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


def cpu(rounds, seconds):
    for title, body, kind in (("GET, answer of 200 B", 200, {}), ("POST of 300 B, answer of 200 B", 200, {"method": "POST"}), ("GET, answer of 16 KiB", 16384, {})):
        with World(body) as world:
            table(f"CPU per exchange: {title}", interleaved(everybody(world), rounds, seconds, **kind), "cpu_us", "µs")


def rate(rounds, seconds):
    with World() as world:
        table("p99 at a fixed 4,000 requests/s", interleaved(everybody(world), rounds, seconds, rate=4000), "p99_us", "µs")


def faults(rounds, seconds):
    print("\n### The shadow at fault (closed loop; medians)\n\n| shadow | Phoenix: requests/s | × healthy | p99 µs | connects per request | nginx mirror: requests/s | p99 µs |\n|---|---:|---:|---:|---:|---:|---:|")
    healthy = None
    for behaviour in ("ok", "slow", "hang", "reset", "refused"):
        with World(modern=behaviour) as world:
            results = interleaved([world.start(Phoenix, "phoenix"), world.start(Nginx, "mirror")], rounds, seconds)
            ours, theirs = ({key: statistics.median(one[key] for one in results[name]) for key in ("per_second", "p99_us")} for name in ("Phoenix", "nginx mirror"))
            healthy = healthy or ours["per_second"]
            connects = "–"
            if behaviour != "refused":
                accepted, _ = world.modern.counts()
                connects = f"{accepted / sum(one['requests'] for one in results['Phoenix'] + results['nginx mirror']):.4f}"
            print(f"| {behaviour} | {ours['per_second']:.0f} | {ours['per_second'] / healthy:.2f} | {ours['p99_us']:.0f} | {connects} | {theirs['per_second']:.0f} | {theirs['p99_us']:.0f} |", flush=True)


def memory(_rounds, _seconds):
    print("\n### Resident memory with 1,000 idle keep-alive clients, each after one request\n\n| proxy | MB | kB per client beyond the start |\n|---|---:|---:|")
    with World() as world:
        for peer in everybody(world):
            load(peer, 0.5, connections=8)
            before = peer.resident_bytes()
            clients = []
            for _ in range(1000):
                client = socket.create_connection(("127.0.0.1", peer.port))
                client.sendall(b"GET /accounts/17 HTTP/1.1\r\nHost: bank.test\r\n\r\n")
                clients.append(client)
            for client in clients:
                client.recv(65536)
            after = peer.resident_bytes()
            for client in clients:
                client.close()
            print(f"| {peer.name} | {after / 1e6:.1f} | {(after - before) / 1e6:.1f} |", flush=True)


def syscalls(_rounds, seconds):
    print("\n### System calls per GET, by strace -c\n\n| proxy | calls | most frequent |\n|---|---:|---|")
    with World() as world:
        for peer in everybody(world):
            load(peer, 0.5)
            pids = subprocess.run(["pgrep", "-P", str(peer.process.pid)], stdout=subprocess.PIPE, text=True).stdout.split() or [str(peer.process.pid)]
            tracer = subprocess.Popen(["strace", "-c", "-f"] + [word for pid in pids for word in ("-p", pid)], stderr=subprocess.PIPE, text=True)
            while "attached" not in (line := tracer.stderr.readline()):
                if not line:
                    raise SystemExit("strace could not attach")
            requests = load(peer, min(seconds, 3))["requests"]
            tracer.send_signal(signal.SIGINT)
            rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", tracer.communicate()[1], re.M)
            calls = {name: int(count) for count, name in rows if name != "total"}
            most = ", ".join(f"{name} {count / requests:.2f}" for name, count in sorted(calls.items(), key=lambda item: -item[1])[:5])
            print(f"| {peer.name} | {sum(calls.values()) / requests:.2f} | {most} |", flush=True)


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


SECTIONS = {"cpu": cpu, "events": events, "rate": rate, "faults": faults, "memory": memory, "syscalls": syscalls}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under two minutes: one round of one second each")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--only", choices=SECTIONS)
    options = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("two cores are needed: one for the proxy, one for load and backends")
    rounds, seconds = (1, 1) if options.quick else (options.rounds, options.seconds)
    for name, section in SECTIONS.items():
        if options.only in (None, name):
            section(rounds, seconds)


if __name__ == "__main__":
    main()
