"""Kafka Connect with Debezium's Postgres connector: fetched by Maven once into build/debezium-libs, run as one worker of the
distributed kind on loopback, with its files in a directory of its own."""
import filecmp
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from support import ROOT, StoryBroken, free_port, http, wait_until  # noqa: E402

POM = os.path.join(ROOT, "tests", "debezium", "pom.xml")
LIBS = os.path.join(ROOT, "build", "debezium-libs")

# flush: the arbiter's markers count when Kafka Connect has committed the connector's offsets.
WORKER = """bootstrap.servers={brokers}
group.id=phoenix-connect
listeners=http://127.0.0.1:{port}
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
config.storage.topic=connect-configs
config.storage.replication.factor=1
offset.storage.topic=connect-offsets
offset.storage.replication.factor=1
offset.storage.partitions=1
status.storage.topic=connect-status
status.storage.replication.factor=1
status.storage.partitions=1
offset.flush.interval.ms={flush_ms}
session.timeout.ms=6000
heartbeat.interval.ms=1000
plugin.discovery=service_load
"""


def fetch():
    """None, or why it cannot be had, in one line."""
    complete = os.path.join(LIBS, "complete")
    if shutil.which("java") is None or shutil.which("mvn") is None:
        return "Java and Maven are needed (deploy/setup.sh --with kafka)"
    if os.path.exists(complete) and filecmp.cmp(POM, complete, shallow=False):
        return None
    shutil.rmtree(LIBS, ignore_errors=True)
    done = subprocess.run(["mvn", "-q", "-B", "-Dstyle.color=never", "-f", POM, "dependency:copy-dependencies", "-DoutputDirectory=" + LIBS, "-DincludeScope=runtime"],
                          capture_output=True, text=True)
    if done.returncode != 0:
        errors = [line for line in done.stdout.splitlines() if "[ERROR]" in line]
        return "Debezium cannot be obtained from Maven Central: " + (errors or ["failed"])[0][:200]
    shutil.copyfile(POM, complete)  # written last: a fetch that broke off is done again
    return None


class KafkaConnect:
    def __init__(self, directory, brokers, flush_ms=1000):
        self.directory = directory
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        self.log = os.path.join(directory, "connect.log")
        with open(os.path.join(directory, "worker.properties"), "w") as file:
            file.write(WORKER.format(brokers=brokers, port=self.port, flush_ms=flush_ms))

    def start(self):
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.showDateTime=true",
                                             "-cp", os.path.join(LIBS, "*"), "org.apache.kafka.connect.cli.ConnectDistributed", "worker.properties"],
                                            cwd=self.directory, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)

        def answers():
            if self.process.poll() is not None:
                raise StoryBroken(f"Kafka Connect ended with status {self.process.returncode}; see {self.log}")
            try:
                return http("GET", self.url + "/connectors", timeout=10) is not None
            except OSError:
                return False
        wait_until("Kafka Connect to answer", answers, 90, every=0.3)

    def kill(self):
        """SIGKILL, as a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()

    def put(self, name, config):
        """Creates the connector and waits until its task runs; says why when it does not."""
        wait_until("Kafka Connect to take the connector", lambda: self.call("PUT", f"/connectors/{name}/config", config), 60, every=0.5)
        self.wait_running(name)

    def wait_running(self, name):
        def runs():
            status = self.call("GET", f"/connectors/{name}/status") or {}
            for task in status.get("tasks", []):
                if task["state"] == "FAILED":
                    raise StoryBroken(f"connector {name}: {task['trace'].splitlines()[0]}")
            return [task["state"] for task in status.get("tasks", [])] == ["RUNNING"]
        wait_until(f"connector {name} to run", runs, 90, every=0.3)

    def call(self, method, path, body=None):
        """None while the worker does not know it or rebalances."""
        try:
            return http(method, self.url + path, body, timeout=30)
        except urllib.error.HTTPError as error:
            if error.code in (404, 409, 503):
                return None
            raise StoryBroken(f"Kafka Connect: {method} {path}: {json.loads(error.read() or b'{}').get('message', error)}") from None

    def delete(self, name):
        """Gone when it returns nothing any more; its slot and its topics stay."""
        wait_until(f"connector {name} to be deleted", lambda: self.call("DELETE", f"/connectors/{name}") is not None or self.call("GET", f"/connectors/{name}") is None, 30)


def postgres_connector(database_url, topic_prefix, slot, table, **more):
    """The properties that docs/debezium.md asks for; `more` replaces some (dots written as __)."""
    url = urllib.parse.urlsplit(database_url)
    config = {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "tasks.max": "1",
        "database.hostname": url.hostname, "database.port": str(url.port), "database.user": url.username, "database.password": url.password,
        "database.dbname": url.path.lstrip("/"),
        "topic.prefix": topic_prefix,
        "topic.creation.default.replication.factor": "1",
        "topic.creation.default.partitions": "1",
        "plugin.name": "pgoutput",
        "publication.name": slot,
        "publication.autocreate.mode": "filtered",
        "slot.name": slot,
        "table.include.list": table,
        "message.prefix.include.list": "phoenix",
        "snapshot.mode": "initial",
        "skipped.operations": "none",
    }
    config.update({key.replace("__", "."): value for key, value in more.items()})
    return config
