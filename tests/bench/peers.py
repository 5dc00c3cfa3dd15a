"""The proxies that are measured, each on one core, started with a configuration of its own and stopped by its pid."""
import os
import re
import signal
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("PHOENIX_BIN", os.path.join(ROOT, "build", "bin"))
PROXY_CORE, LOAD_CORE = "0", "1" if (os.cpu_count() or 1) > 1 else "0"
TICKS = os.sysconf("SC_CLK_TCK")

NGINX = """
worker_processes {workers};
error_log {directory}/error.log warn;
pid {directory}/nginx.pid;
daemon off;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  keepalive_requests 1000000000;
  upstream legacy {{ server 127.0.0.1:{legacy}; keepalive 256; keepalive_requests 1000000000; }}
  upstream modern {{ server 127.0.0.1:{modern}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ {mirror} proxy_pass http://legacy; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }}
    location = /mirror {{ internal; proxy_pass http://modern$request_uri; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend front
  bind 127.0.0.1:{port}
  default_backend legacy
backend legacy
  server legacy 127.0.0.1:{legacy}
"""

PHOENIX = """
event_log: {{sqlite: {{path: "{directory}/events.db", retain: {{bytes: 256MiB}}}}}}
slices: [{{name: bank, stage: shadow}}]
gateway:
  id: bench
  state_dir: "{directory}/state"
  listen: 127.0.0.1:0
  admin_listen: 127.0.0.1:0
  threads: {threads}
  legacy: {{endpoints: ["http://127.0.0.1:{legacy}"]}}
  modern: {{endpoints: ["http://127.0.0.1:{modern}"]}}
  limits: {{connections: 20000}}
  routes:
    - {{name: account, slice: bank, match: {{path: "/accounts/{{account}}"}}, {key} shadow: {shadow}}}
"""


def free_port():
    import socket
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def pin(core, command, **more):
    return subprocess.Popen(["taskset", "-c", core] + command, **more)


def children(pid):
    """`pid` and all below it."""
    out = [pid]
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as listed:
            for child in listed.read().split():
                out += children(int(child))
    except FileNotFoundError:
        pass
    return out


class Backend:
    def __init__(self, body, behaviour="ok", delay_ms=1000):
        self.process = pin(LOAD_CORE, [os.path.join(BIN, "bench_backend"), "--body", str(body), "--behaviour", behaviour, "--delay", str(delay_ms)], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def counts(self):
        """Connections accepted, requests seen."""
        self.process.send_signal(signal.SIGUSR1)
        accepted, requests = self.process.stdout.readline().split()
        return int(accepted), int(requests)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Peer:
    name = ""

    def cpu_seconds(self):
        total = 0
        for pid in children(self.process.pid):
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def loop_threads(self):
        """Those that serve clients and backends; of nginx the workers."""
        pids = children(self.process.pid)
        return pids[1:] or pids

    def other_threads(self):
        return []

    def loop_seconds(self):
        return self.cpu_seconds()

    def resident_bytes(self):
        return self.status_bytes("VmRSS")

    def private_bytes(self):
        """Resident, without pages of files."""
        return self.status_bytes("RssAnon")

    def status_bytes(self, name):
        total = 0
        for pid in children(self.process.pid):
            with open(f"/proc/{pid}/status") as status:
                total += 1024 * int(re.search(name + r":\s+(\d+) kB", status.read())[1])
        return total

    def wait_until_open(self):
        import socket
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise SystemExit(f"{self.name} did not start")
                time.sleep(0.02)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Nginx(Peer):
    def __init__(self, directory, legacy, modern, mirror=True):
        self.name = "nginx mirror" if mirror else "nginx plain"
        self.port = free_port()
        os.makedirs(directory)
        path = os.path.join(directory, "nginx.conf")
        with open(path, "w") as out:
            out.write(NGINX.format(directory=directory, legacy=legacy, modern=modern, port=self.port, workers=1, mirror="mirror /mirror;" if mirror else ""))
        os.chmod(directory, 0o777)
        self.process = pin(PROXY_CORE, ["nginx", "-c", path, "-p", directory, "-e", os.path.join(directory, "error.log")])
        self.wait_until_open()


class Haproxy(Peer):
    name = "HAProxy plain"

    def __init__(self, directory, legacy, _modern):
        self.port = free_port()
        os.makedirs(directory)
        path = os.path.join(directory, "haproxy.cfg")
        with open(path, "w") as out:
            out.write(HAPROXY.format(legacy=legacy, port=self.port))
        self.process = pin(PROXY_CORE, ["haproxy", "-f", path, "-db", "-q"])
        self.wait_until_open()


class Phoenix(Peer):
    def threads(self):
        """Names by thread id."""
        tasks = f"/proc/{self.process.pid}/task"
        out = {}
        for thread in os.listdir(tasks):
            with open(f"{tasks}/{thread}/comm") as comm:
                out[int(thread)] = comm.read().strip()
        return out

    def loop_threads(self):
        return [thread for thread, name in self.threads().items() if name.startswith("loop-")]

    def other_threads(self):
        return [thread for thread, name in self.threads().items() if not name.startswith("loop-")]

    def loop_seconds(self):
        total = 0
        for thread in self.loop_threads():
            with open(f"/proc/{self.process.pid}/task/{thread}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def __init__(self, directory, legacy, modern, shadow="dual", keyed=False, threads=1, cores=PROXY_CORE):
        self.name = "Phoenix" if shadow == "dual" else "Phoenix, shadow off"
        os.makedirs(directory)
        path = os.path.join(directory, "phoenix.yml")
        with open(path, "w") as out:
            out.write(PHOENIX.format(directory=directory, legacy=legacy, modern=modern, threads=threads, shadow=shadow if shadow == "dual" else '"off"', key="key: {path: account}," if keyed else ""))
        self.process = pin(cores, [os.path.join(BIN, "phoenix-gateway"), "--config", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        found = re.match(r"listening on \S+:(\d+) \(admin (\S+)\)", line)
        if not found:
            raise SystemExit(f"phoenix-gateway did not start: {line}")
        self.port, self.admin = int(found[1]), found[2]
