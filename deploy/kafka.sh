#!/usr/bin/env bash
# A private Apache Kafka (KRaft, one node, loopback) for demo and tests, never a broker that is already on the machine:
#   deploy/kafka.sh start   [DIR [PORT]]  creates it on first use, starts it on PORT or a free loopback port, prints HOST:PORT
#   deploy/kafka.sh brokers [DIR]         prints HOST:PORT of a running one
#   deploy/kafka.sh stop    [DIR]         stops it; what it holds stays in DIR
#   deploy/kafka.sh kill    [DIR]         as a crash would
#   deploy/kafka.sh fetch                 only obtains it: Java and Maven from Debian, Kafka from Maven Central into build/kafka-libs
# DIR defaults to build/kafka. Exits with 3 when Kafka cannot be obtained (Maven Central is out of reach).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
command=${1:-}
dir=${2:-$root/build/kafka}
port=${3:-}
pom=$root/deploy/kafka/pom.xml
libs=$root/build/kafka-libs
cannot_fetch=3

fetch() {
  mkdir -p "$root/build"
  exec 8>"$libs.lock"
  flock 8  # two at once would take each other's files away
  if [ -f "$libs/complete" ] && cmp -s "$pom" "$libs/complete" && command -v java >/dev/null; then return; fi
  if ! command -v java >/dev/null || ! command -v mvn >/dev/null; then
    "$root/deploy/setup.sh" --with kafka >&2 || exit $cannot_fetch
  fi
  echo "kafka.sh: fetching Apache Kafka into build/kafka-libs" >&2
  rm -rf "$libs"
  if ! mvn -q -B -Dstyle.color=never -f "$pom" dependency:copy-dependencies -DoutputDirectory="$libs" -DincludeScope=runtime >"$root/build/kafka-fetch.log" 2>&1; then
    echo "kafka.sh: Kafka cannot be obtained from Maven Central: $(sed -n 's/^.*\[ERROR\] //p' "$root/build/kafka-fetch.log" | head -n 1 | cut -c1-200) (build/kafka-fetch.log)" >&2
    exit $cannot_fetch
  fi
  cp "$pom" "$libs/complete"  # written last: a fetch that broke off is done again
}

pid() { cut -d' ' -f1 <"$dir/pid"; }
# A pid alone could be another process by now: its start time tells. Nothing for what has ended, also where nobody reaps it.
started_at() {
  local fields
  fields=$(cut -d')' -f2 "/proc/$1/stat" 2>/dev/null) || return 0
  case $fields in ' Z'* | ' X'*) return 0 ;; esac
  cut -d' ' -f21 <<<"$fields"
}
running() {
  local known
  [ -s "$dir/pid" ] || return 1
  known=$(cut -d' ' -f2 <"$dir/pid")
  [ -n "$known" ] && [ "$known" = "$(started_at "$(pid)")" ]
}
brokers() { sed -n 's/^listeners=PLAINTEXT:\/\/\([^,]*\),.*/\1/p' "$dir/server.properties"; }

free_port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }

# Small and quick: one node, no replication, consumer groups that form at once.
configure() {
  [ -n "$port" ] || port=$(free_port)
  local controller
  controller=$(free_port)
  cat >"$dir/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/data
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
PROPERTIES
}

java=(java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.showDateTime=true -cp "$libs/*")

start() {
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  exec 9>"$dir/lock"
  flock 9
  if running; then brokers; return; fi
  fetch
  configure
  if [ ! -s "$dir/data/meta.properties" ]; then
    "${java[@]}" kafka.tools.StorageTool format -t "$("${java[@]}" kafka.tools.StorageTool random-uuid 2>/dev/null)" -c "$dir/server.properties" \
      >"$dir/format.log" 2>&1 || { cat "$dir/format.log" >&2; exit 1; }
  fi
  : >"$dir/kafka.log"
  "${java[@]}" kafka.Kafka "$dir/server.properties" >>"$dir/kafka.log" 2>&1 </dev/null 8>&- 9>&- &
  local broker=$!
  echo "$broker $(started_at "$broker")" >"$dir/pid"
  local deadline=$((SECONDS + 60))
  until grep -q 'Kafka Server started' "$dir/kafka.log"; do
    if ! running || [ $SECONDS -ge $deadline ]; then
      echo "kafka.sh: the broker did not start; the end of $dir/kafka.log:" >&2
      tail -n 20 "$dir/kafka.log" >&2
      stop 9
      exit 1
    fi
    sleep 0.1
  done
  brokers
}

# Argument: the signal.
stop() {
  running || return 0
  kill -"$1" "$(pid)" || true
  local deadline=$((SECONDS + 20))
  while running; do
    [ $SECONDS -lt $deadline ] || kill -9 "$(pid)" || true
    [ $SECONDS -lt $((deadline + 10)) ] || { echo "kafka.sh: the broker in $dir does not end" >&2; exit 1; }
    sleep 0.1
  done
  rm -f "$dir/pid"
}

case $command in
  fetch) fetch ;;
  start) start ;;
  brokers) running || { echo "kafka.sh: not running in $dir" >&2; exit 1; }; brokers ;;
  stop) stop 15 ;;
  kill) stop 9 ;;
  *) sed -n '2,8p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
esac
