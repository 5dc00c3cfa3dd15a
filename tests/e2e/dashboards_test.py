"""Debian's Prometheus scrapes the running programs: every panel has data, every rule works, no metric is misspelt."""
import json
import os
import re
import shutil
import socket
import subprocess
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from support import MIX, ROOT, StackTest, StoryBroken, free_port, http, wait_until

RULES = os.path.join(ROOT, "dashboards", "prometheus")
DASHBOARD = os.path.join(ROOT, "dashboards", "grafana", "migration.json")
RATE_INTERVAL = "10s"


def dashboard():
    with open(DASHBOARD) as file:
        return json.load(file)


def panels():
    """Rows have none of their own: they are open, and what stands below them follows in the list."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


class FilesTest(unittest.TestCase):
    def promtool(self, *arguments):
        self.assertIsNotNone(shutil.which("promtool"), "promtool is missing: deploy/setup.sh installs Debian's prometheus")
        done = subprocess.run(["promtool", *arguments], cwd=RULES, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_promtool_accepts_configuration_and_rules_and_their_unit_tests_pass(self):
        self.promtool("check", "config", "prometheus.yml")
        self.promtool("check", "rules", "alerts.yml")
        self.promtool("test", "rules", "alerts_test.yml")

    def test_every_alert_is_tested_explained_and_tells_what_to_do(self):
        texts = {}
        for name in ("alerts.yml", "alerts_test.yml"):
            with open(os.path.join(RULES, name)) as file:
                texts[name] = file.read()
        with open(os.path.join(ROOT, "dashboards", "README.md")) as file:
            readme = file.read()
        rules = texts["alerts.yml"].split("- alert: ")[1:]
        self.assertGreater(len(rules), 10)
        for rule in rules:
            name = rule.split()[0]
            with self.subTest(name):
                for part in ("severity: ", "summary: ", "description: "):
                    self.assertIn(part, rule)
                self.assertIn(f'alertname="{name}", alertstate="firing"', texts["alerts_test.yml"], "no unit test in which it fires")
                self.assertIn(f"`{name}`", readme)

    def test_the_dashboard_is_sound(self):
        board = dashboard()
        self.assertEqual((board["uid"], board["title"]), ("phoenix-migration", "Migration"))
        self.assertEqual({variable["name"] for variable in board["templating"]["list"]}, {"datasource", "slice", "route"})
        ids = [panel["id"] for panel in board["panels"]]
        self.assertEqual(len(ids), len(set(ids)), "panel ids are unique")
        titles = [panel["title"] for panel in board["panels"] if panel["type"] == "row"]
        self.assertEqual(titles, ["Now", "Evidence", "Clients and backends", "Pipeline health"])
        cells = {}
        for panel in board["panels"]:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertNotIn((x, y), cells, f"{panel['title']} covers {cells.get((x, y))}")
                    cells[x, y] = panel["title"]

    def test_every_panel_has_a_description_a_unit_and_queries(self):
        for panel in panels():
            with self.subTest(panel["title"]):
                self.assertIn(panel["type"], ("stat", "timeseries"))
                self.assertGreater(len(panel["description"]), 40)
                self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                self.assertTrue(panel["fieldConfig"]["defaults"]["thresholds"]["steps"])
                self.assertTrue(panel["targets"])
                self.assertEqual(len({target["refId"] for target in panel["targets"]}), len(panel["targets"]))
                for target in panel["targets"]:
                    self.assertEqual(target["datasource"], {"type": "prometheus", "uid": "${datasource}"})
                    self.assertEqual(target["instant"], panel["type"] == "stat")


class Prometheus:
    """A server of its own on a free port, started the way dashboards/README.md says."""

    def __init__(self, test, stack):
        port = free_port()
        self.base = f"http://127.0.0.1:{port}/api/v1/"
        directory = os.path.join(stack.directory, "prometheus")
        self.log = os.path.join(stack.directory, "prometheus.log")
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([os.path.join(RULES, "run.sh"), "--listen", f"127.0.0.1:{port}", "--interval", "1s", "--data", directory],
                                            stdout=log, stderr=log, env=stack.programs.environment)
        test.addCleanup(self.process.wait)
        test.addCleanup(self.process.terminate)
        wait_until("Prometheus to be ready", lambda: self.ready(port), 30)
        with open(os.path.join(directory, "prometheus.yml")) as file:
            written = file.read()
        for name in ("ADMIN", "ARBITER", "ORCHESTRATOR"):
            test.assertIn(f'["127.0.0.1:{stack.ports[name]}"]', written)

    def ready(self, port):
        if self.process.poll() is not None:
            with open(self.log) as log:
                raise StoryBroken(f"Prometheus ended: {log.read().strip()[-500:]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=3) as answer:
                return answer.status == 200
        except OSError:
            return False

    def get(self, path, **parameters):
        try:
            return http("GET", self.base + path + ("?" + urllib.parse.urlencode(parameters) if parameters else ""))["data"]
        except urllib.error.HTTPError as error:
            raise StoryBroken(f"{parameters}: {error.read().decode()}") from error

    def query(self, expression):
        """Instant: a list of (labels, value)."""
        return [(series["metric"], float(series["value"][1])) for series in self.get("query", query=expression)["result"]]

    def has_value(self, expression, since=None):
        """At least one series with a number; over the time since then when that is given."""
        if since is None:
            return any(value == value for _, value in self.query(expression))
        result = self.get("query_range", query=expression, start=since, end=time.time(), step="1s")["result"]
        return any(float(value) == float(value) for series in result for _, value in series["values"])

    def firing(self):
        return {labels["alertname"] for labels, _ in self.query('ALERTS{alertstate="firing"}')}


class DashboardTest(StackTest):
    def test_every_panel_and_every_rule_on_the_running_programs(self):
        stack = self.make_stack()
        stack.start_banks(200)
        started = stack.start_phoenix()
        prometheus = Prometheus(self, stack)
        began = time.time()
        stack.programs.start("phoenix-traffic", *stack.traffic_arguments(200, "--rate", "80", "--duration", "300s", "--seed", "15", "--mix", MIX))
        self.send_nonsense(stack)
        wait_until("three targets", lambda: prometheus.query("count(up == 1)") == [({}, 3.0)], 30)
        self.let_modern_serve(stack, prometheus)
        self.assertEqual(prometheus.firing(), set(), "all is well")
        self.trip(stack, prometheus)
        self.check_names(stack, prometheus)
        self.check_panels(prometheus, began)
        self.check_rules(prometheus)
        stack.programs.kill(started["phoenix-orchestrator"])
        for alert in ("PhoenixNoLeader", "PhoenixTargetDown"):
            wait_until(f"{alert} after the orchestrator's death", lambda name=alert: prometheus.query(f'ALERTS{{alertname="{name}"}}'), 30)

    def send_nonsense(self, stack):
        with socket.create_connection(("127.0.0.1", stack.ports["GATEWAY"]), timeout=5) as client:
            client.sendall(b"NONSENSE\r\n\r\n")
            self.assertIn(b" 400 ", client.recv(1000))

    def let_modern_serve(self, stack, prometheus):
        stack.ctl("weight", "set", "payments", "50", "--reason", "both sides serve")
        served = f'sum by (served_by) (rate(phoenix_gateway_requests_total[{RATE_INTERVAL}])) > 1'
        wait_until("both sides to serve", lambda: len(prometheus.query(served)) == 2, 60)
        wait_until("a score", lambda: prometheus.query("phoenix:consistency_score:decided"), 60)

    def trip(self, stack, prometheus):
        http("PUT", stack.urls["MODERN"] + "/_sim/faults", {"wrong_fee_every": 50, "wrong_fee_amount": 0.01})
        wait_until("the kill to be latched", lambda: stack.gateway_status()["latches"], 60)
        wait_until("the alert", lambda: "PhoenixKilled" in prometheus.firing(), 30)

    def rules(self, prometheus):
        return [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]

    def check_names(self, stack, prometheus):
        """A misspelt metric would be an absent one: no error, no data, no alert."""
        exported = set()
        for name in ("ADMIN", "ARBITER", "ORCHESTRATOR"):
            with urllib.request.urlopen(stack.urls[name] + "/metrics", timeout=5) as page:
                for metric, kind in re.findall(r"^# TYPE (\w+) (\w+)$", page.read().decode(), re.MULTILINE):
                    exported.update([metric] if kind != "histogram" else [metric + end for end in ("_bucket", "_sum", "_count")])
        recorded = {rule["name"] for rule in self.rules(prometheus) if rule["type"] == "recording"}
        expressions = [target["expr"] for panel in panels() for target in panel["targets"]] + [rule["query"] for rule in self.rules(prometheus)]
        used = set()
        for expression in expressions:
            both = re.sub(r"phoenix_\(gateway\|orchestrator\)_(\w+)", r"phoenix_gateway_\1 phoenix_orchestrator_\1", expression)
            used.update(re.findall(r"\bphoenix[_:][\w:]+", both))
        self.assertGreater(len(used), 40)
        self.assertEqual(used - exported - recorded, set(), "used, but no program exports it")

    def check_panels(self, prometheus, began):
        values = {}
        for variable in dashboard()["templating"]["list"]:
            if variable["type"] == "query":
                metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()
                names = prometheus.get(f"label/{label}/values", **{"match[]": metric})
                self.assertTrue(names, variable["name"])
                values["$" + variable["name"]] = "|".join(names)
        self.assertIn("payments", values["$slice"])
        values["$__rate_interval"] = RATE_INTERVAL
        waiting = []
        for panel in panels():
            for target in panel["targets"]:
                expression = target["expr"]
                for name, value in values.items():
                    expression = expression.replace(name, value)
                self.assertNotIn("$", expression, "a variable that nobody fills in")
                waiting.append((panel["title"], expression, None if target["instant"] else began))

        def all_have_data():
            waiting[:] = [target for target in waiting if not prometheus.has_value(*target[1:])]
            return not waiting
        print(f"\n  {len(panels())} panels, {len(waiting)} queries")
        try:
            wait_until("every panel to have data", all_have_data, 60, every=1)
        except StoryBroken as broken:
            self.fail(f"{broken}; without data: {[(title, expression) for title, expression, _ in waiting]}")

    def check_rules(self, prometheus):
        rules = self.rules(prometheus)
        with open(os.path.join(RULES, "alerts.yml")) as file:
            self.assertEqual(len(rules), len(re.findall(r"- (?:alert|record): ", file.read())))
        wait_until("every rule to be evaluated", lambda: all(rule["health"] == "ok" for rule in self.rules(prometheus)), 30)
        for rule in rules:
            prometheus.query(rule["query"])
        for alert in prometheus.get("alerts")["alerts"]:
            for text in alert["annotations"].values():
                self.assertNotRegex(text, r"<no value>|<error|\{\{", alert["labels"]["alertname"])
        expected = {"PhoenixKilled", "PhoenixDrift", "PhoenixScoreBelowFloor"}
        self.assertEqual(prometheus.firing() - expected, set(), "a false alarm")


if __name__ == "__main__":
    unittest.main()
