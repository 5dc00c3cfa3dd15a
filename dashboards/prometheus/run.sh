#!/usr/bin/env bash
# Starts Debian's prometheus on the Phoenix of this machine, with the prometheus.yml and alerts.yml beside this script:
#   dashboards/prometheus/run.sh [--listen HOST:PORT] [--interval 5s] [--data DIR]
# Ports: PHOENIX_DEMO_ADMIN_PORT, _ARBITER_PORT and _ORCHESTRATOR_PORT, else those of a demo that was left running
# (build/demo/environment), else the defaults. Stop it with Ctrl-C.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
listen=127.0.0.1:9090
interval=5s
data=$root/build/prometheus
while [ $# -gt 0 ]; do
  case $1 in
    --listen) listen=${2:?--listen needs HOST:PORT}; shift 2 ;;
    --interval) interval=${2:?--interval needs a duration}; shift 2 ;;
    --data) data=${2:?--data needs a directory}; shift 2 ;;
    -h | --help) sed -n '2,5p' "$0" | sed 's/^# \{0,1\}//'; exit 0 ;;
    *) echo "run.sh: unknown option '$1'; see --help" >&2; exit 2 ;;
  esac
done
command -v prometheus >/dev/null || { echo "run.sh: there is no prometheus here; install Debian's package: apt-get install prometheus" >&2; exit 1; }
if [ -z "${PHOENIX_DEMO_ADMIN_PORT:-}" ] && [ -e "$root/build/demo/environment" ]; then . "$root/build/demo/environment"; fi

config=$(cat "$here/prometheus.yml")
replace() {
  [[ $config == *"$1"* ]] || { echo "run.sh: $here/prometheus.yml no longer has '$1'; adapt run.sh" >&2; exit 1; }
  config=${config//"$1"/$2}
}
# By way of names: one program's port may be another's default.
replace "127.0.0.1:9100" "@gateway@"
replace "127.0.0.1:9200" "@arbiter@"
replace "127.0.0.1:9300" "@orchestrator@"
replace "@gateway@" "127.0.0.1:${PHOENIX_DEMO_ADMIN_PORT:-9100}"
replace "@arbiter@" "127.0.0.1:${PHOENIX_DEMO_ARBITER_PORT:-9200}"
replace "@orchestrator@" "127.0.0.1:${PHOENIX_DEMO_ORCHESTRATOR_PORT:-9300}"
replace "_interval: 5s" "_interval: $interval"
replace "- alerts.yml" "- $here/alerts.yml"
mkdir -p "$data"
printf '%s\n' "$config" >"$data/prometheus.yml"
echo "prometheus: http://$listen/graph and http://$listen/alerts"
exec prometheus --config.file="$data/prometheus.yml" --storage.tsdb.path="$data/tsdb" --web.listen-address="$listen" --log.level=warn
