"""The programs one by one, as a new user meets them: alone, misconfigured, without their database, killed from afar."""
import http.server
import json
import os
import signal
import subprocess
import tempfile
import threading
import unittest
import urllib.error
import urllib.request

from support import BIN, StackTest, free_port, http as call, wait_until


class Backend(http.server.BaseHTTPRequestHandler):
    """Any HTTP server: answers its own name."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = f"{self.server.name} {self.command} {self.path} {self.rfile.read(length).decode()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *_):
        pass


def start_backend(test, name):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    server.name = name
    threading.Thread(target=server.serve_forever, daemon=True).start()
    test.addCleanup(server.server_close)
    test.addCleanup(server.shutdown)
    return server.server_address[1]


class ProgramsTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def write(self, text):
        path = os.path.join(self.directory, "phoenix.yml")
        with open(path, "w") as file:
            file.write(text)
        return path

    def start_gateway(self, config):
        process = subprocess.Popen([os.path.join(BIN, "phoenix-gateway"), "--config", config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        line = process.stdout.readline()
        self.assertIn("listening on", line)
        return process

    def gateway_config(self, port, admin):
        return self.write(f"""
mode: local
event_log: {{sqlite: {{path: {self.directory}/events.db}}}}
gateway:
  listen: 127.0.0.1:{port}
  admin_listen: 127.0.0.1:{admin}
  state_dir: {self.directory}/state
  legacy: {{endpoints: ["http://127.0.0.1:{start_backend(self, 'legacy')}"]}}
  modern: {{endpoints: ["http://127.0.0.1:{start_backend(self, 'modern')}"]}}
""")

    def test_a_gateway_alone_proxies_to_any_two_servers(self):
        port, admin = free_port(), free_port()
        process = self.start_gateway(self.gateway_config(port, admin))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/a?b=c") as response:
            self.assertEqual(response.read(), b"legacy GET /a?b=c ")
            self.assertTrue(response.headers["X-Phoenix-Exchange"])
        with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/p", data=b"body", method="POST")) as response:
            self.assertEqual(response.read(), b"legacy POST /p body")
        status = call("GET", f"http://127.0.0.1:{admin}/status")
        self.assertEqual(status["routes"][0]["excluded"], {"unmatched": 2})
        process.terminate()
        self.assertEqual(process.wait(timeout=15), 0)

    def gateway_in_operation(self):
        port, admin = free_port(), free_port()
        config = self.gateway_config(port, admin)
        with open(config, "a") as file:
            file.write("  access_log: {path: \"-\"}\n  drain: {delay: 60s, deadline: 5s}\n")
        return port, admin, config, self.start_gateway(config)

    def ctl(self, *arguments):
        return subprocess.run([os.path.join(BIN, "phoenixctl"), *arguments], capture_output=True, text=True, timeout=20)

    def test_sighup_reloads_and_sigterm_drains(self):
        port, admin, config, process = self.gateway_in_operation()

        def reloads():
            return call("GET", f"http://127.0.0.1:{admin}/status")["reloads"]

        process.send_signal(signal.SIGHUP)
        wait_until("the reload", lambda: reloads()["applied"] == 1)
        with open(config, "a") as file:
            file.write("  nonsense: 1\n")
        process.send_signal(signal.SIGHUP)
        wait_until("the refusal", lambda: reloads()["refused"] == 1)
        urllib.request.urlopen(f"http://127.0.0.1:{port}/a?pin=secret").read()
        line = json.loads(process.stdout.readline())
        self.assertEqual((line["path"], line["status"], line["route"], line["query_bytes"]), ("/a", 200, "unmatched", 10))
        process.terminate()

        def not_ready():
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz").read()
            except urllib.error.HTTPError as error:
                return error.code == 503
            return False

        wait_until("readiness to go", not_ready)
        self.assertEqual(urllib.request.urlopen(f"http://127.0.0.1:{port}/b").status, 200)  # within the delay of 60 s
        process.terminate()  # which a second signal ends
        self.assertEqual(process.wait(timeout=20), 0)
        errors = process.stderr.read()
        self.assertIn("phoenix.yml:", errors)
        self.assertIn("nonsense", errors)

    def test_phoenixctl_reloads_gateways(self):
        _, admin, config, _ = self.gateway_in_operation()
        done = self.ctl("--config", config, "gateway", "reload")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn(f"127.0.0.1:{admin}", done.stdout)
        with open(config, "a") as file:
            file.write("  nonsense: 1\n")
        refused = self.ctl("gateway", "reload", "--gateway", f"127.0.0.1:{admin}", "--json")
        self.assertEqual(refused.returncode, 1)
        answer = json.loads(refused.stdout)
        self.assertFalse(answer["reloaded"])
        self.assertIn("nonsense", answer["gateways"][0]["detail"])
        self.assertEqual(refused.stderr.count("\n"), 1)

    def test_kill_direct_needs_no_orchestrator_no_database_and_no_log(self):
        port, admin = free_port(), free_port()
        config = self.gateway_config(port, admin)
        self.start_gateway(config)
        done = subprocess.run([os.path.join(BIN, "phoenixctl"), "--config", config, "kill", "--direct", "--reason", "drill"], capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 0, done.stderr)
        latches = call("GET", f"http://127.0.0.1:{admin}/status")["latches"]
        self.assertEqual([latch["reason"] for latch in latches], ["drill"])
        unreachable = self.write(f"control: {{gateways: [\"127.0.0.1:{free_port()}\"]}}\n")
        failed = subprocess.run([os.path.join(BIN, "phoenixctl"), "--config", unreachable, "kill", "--direct", "--reason", "drill"], capture_output=True, text=True, timeout=20)
        self.assertNotEqual(failed.returncode, 0)

    def expect_refusal(self, program, config, *wanted):
        done = subprocess.run([os.path.join(BIN, program), "--config", config], capture_output=True, text=True, timeout=30)
        self.assertNotEqual(done.returncode, 0)
        lines = done.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        for text in wanted:
            self.assertIn(text, lines[0])

    def test_a_wrong_configuration_is_one_clear_line(self):
        for program in ("phoenix-gateway", "phoenix-arbiter", "phoenix-orchestrator"):
            with self.subTest(program):
                self.expect_refusal(program, self.write("mode: local\ngatway: {}\n"), "phoenix.yml:2", "'gatway'", "'gateway'")
                self.expect_refusal(program, self.write("gateway:\n  legacy: {endpoints: [\"http://127.0.0.1:1\"]}\n  timeouts: {connect: 5}\n"), "phoenix.yml:3", "timeouts.connect")
                self.expect_refusal(program, os.path.join(self.directory, "absent.yml"), "absent.yml")

    def test_an_unreachable_database_at_start_is_one_clear_line(self):
        url = f"postgresql://u:secret@127.0.0.1:{free_port()}/phoenix"
        config = self.write(f"event_log: {{sqlite: {{path: {self.directory}/e.db}}}}\norchestrator: {{listen: 127.0.0.1:0, database: \"{url}\"}}\narbiter: {{listen: 127.0.0.1:0}}\n")
        for program in ("phoenix-arbiter", "phoenix-orchestrator"):
            with self.subTest(program):
                self.expect_refusal(program, config, "phoenix", "refused")
                done = subprocess.run([os.path.join(BIN, program), "--config", config], capture_output=True, text=True, timeout=30)
                self.assertNotIn("secret", done.stderr)

    def test_a_taken_port_is_one_clear_line(self):
        config = self.gateway_config(0, free_port())
        with open(config) as file:
            text = file.read()
        taken = start_backend(self, "x")
        self.expect_refusal("phoenix-gateway", self.write(text.replace("listen: 127.0.0.1:0", f"listen: 127.0.0.1:{taken}", 1)), str(taken))

    def test_a_second_gateway_on_the_same_port_is_refused(self):
        port = free_port()
        config = self.gateway_config(port, free_port())
        self.start_gateway(config)
        with open(config) as file:
            text = file.read()
        self.expect_refusal("phoenix-gateway", self.write(text.replace("/state", "/state2")), str(port))

    def test_version_help_and_check_config(self):
        for program in ("phoenix-gateway", "phoenix-arbiter", "phoenix-orchestrator", "phoenixctl", "phoenix-legacy-sim", "phoenix-modern-sim", "phoenix-traffic"):
            with self.subTest(program):
                for option in ("--version", "--help"):
                    done = subprocess.run([os.path.join(BIN, program), option], capture_output=True, text=True, timeout=10)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertIn(program, done.stdout)
        config = self.gateway_config(0, 0)
        done = subprocess.run([os.path.join(BIN, "phoenix-gateway"), "--config", config, "--check-config"], capture_output=True, text=True, timeout=10)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, f"{config}: ok"))


if __name__ == "__main__":
    unittest.main()
