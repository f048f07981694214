#!/usr/bin/env bash
# A private PostgreSQL and a private Apache Kafka for tests and benchmarks: fresh data, free ports on loopback, gone afterwards.
#
#   tests/stack.sh [--only postgres|kafka] run -- COMMAND [ARG…]   start, run COMMAND, stop; exits as COMMAND did
#   tests/stack.sh [--only postgres|kafka] up DIR                  start and leave running; writes DIR/env to be sourced
#   tests/stack.sh down DIR                                        stop what `up DIR` started and remove its data
#   tests/stack.sh tool CLASS [ARG…]                               one of Kafka's own tools, e.g.
#                                                                  org.apache.kafka.tools.TopicCommand --bootstrap-server … --list
#
# COMMAND (and DIR/env) gets
#   CAMPAIGN_EXECUTION_TEST_DATABASE_URL   a superuser on an empty server; tests make their own databases
#   CAMPAIGN_EXECUTION_TEST_KAFKA          host:port; topics are not created by use
#   CAMPAIGN_EXECUTION_TEST_STACK          the folder with postgres.pid, kafka.pid, postgres.log, kafka.log
#
# It needs no service of the machine's, touches none, and ends only processes that it started. Durability is left on
# (fsync, synchronous_commit): a kill test without it proves nothing.
set -euo pipefail

repo="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
kafka_version="$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$repo/tests/stack/pom.xml")"
libs="$repo/.cache/kafka-$kafka_version"
only=""
base=""   # where the servers keep data, pids and logs

say() { printf 'stack: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# ---------------------------------------------------------------------------------------------------------- helpers
# PostgreSQL refuses to run as root: there its programs run as the packaged user.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}

free_port() { # below the ephemeral range, so that no outgoing connection takes it meanwhile
  local port
  while :; do
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

alive() { [ -n "${1:-}" ] && kill -0 "$1" 2>/dev/null; }

# Ends process $1 with TERM, with KILL after 10 s. Waits by looking, as it may be another shell's child.
end() {
  alive "$1" || return 0
  kill -TERM "$1" 2>/dev/null || return 0
  local i
  for i in $(seq 100); do alive "$1" || return 0; sleep 0.1; done
  kill -KILL "$1" 2>/dev/null || true
}

kafka_java() { java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel="${LEVEL:-warn}" \
    -cp "$libs/*" "$@"; }

fetch_kafka() { # once; the jars arrive complete or not at all
  [ -d "$libs" ] && return
  command -v mvn >/dev/null || die "Maven is missing: run tests/install.sh"
  say "fetching Apache Kafka $kafka_version (about 54 MB, once)"
  mkdir -p "$repo/.cache"
  local fresh
  fresh="$(mktemp -d "$repo/.cache/kafka.XXXXXX")"
  mvn -q -B -f "$repo/tests/stack/pom.xml" dependency:copy-dependencies -DoutputDirectory="$fresh" >&2 \
    || { rm -rf "$fresh"; die "Maven could not fetch Apache Kafka"; }
  mv -T "$fresh" "$libs" 2>/dev/null || rm -rf "$fresh" # another run was faster
}

# --------------------------------------------------------------------------------------------------------- PostgreSQL
postgres_bin() {
  local found
  found="$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)"
  if [ -z "$found" ] && command -v initdb >/dev/null; then found="$(dirname "$(command -v initdb)")"; fi
  [ -n "$found" ] || die "PostgreSQL is missing: run tests/install.sh"
  echo "$found"
}

start_postgres() {
  local bin dir="$base/postgres" port attempt
  bin="$(postgres_bin)"
  mkdir "$dir"
  if [ "$(id -u)" = 0 ]; then chown postgres "$dir"; fi
  # --no-sync is about these first files only; the server itself syncs.
  as_postgres "$bin/initdb" -A trust -U postgres -E UTF8 --locale=C.UTF-8 --no-sync -D "$dir/data" >"$base/postgres.log" 2>&1 \
    || { cat "$base/postgres.log" >&2; return 1; }
  for attempt in 1 2 3; do
    port="$(free_port)"
    as_postgres tee -a "$dir/data/postgresql.conf" >/dev/null <<EOF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$dir'
max_connections = 200
fsync = on
synchronous_commit = on
EOF
    if as_postgres "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -t 30 -w start >>"$base/postgres.log" 2>&1; then
      head -n 1 "$dir/data/postmaster.pid" >"$base/postgres.pid"
      echo "postgres://postgres@127.0.0.1:$port/postgres" >"$base/postgres.url"
      return 0
    fi
    say "PostgreSQL did not start on port $port (attempt $attempt)"
  done
  cat "$base/postgres.log" "$dir/log" >&2
  return 1
}

stop_postgres() {
  local bin dir="$base/postgres"
  [ -f "$dir/data/postmaster.pid" ] || return 0
  # A test may have left it stopped on purpose.
  kill -CONT "$(head -n 1 "$dir/data/postmaster.pid")" 2>/dev/null || true
  bin="$(postgres_bin)"
  as_postgres "$bin/pg_ctl" -D "$dir/data" -m fast -t 10 -w stop >/dev/null 2>&1 \
    || as_postgres "$bin/pg_ctl" -D "$dir/data" -m immediate -t 10 -w stop >/dev/null 2>&1 || true
}

# -------------------------------------------------------------------------------------------------------------- Kafka
start_kafka() {
  local dir="$base/kafka" port controller pid attempt i
  mkdir -p "$dir"
  for attempt in 1 2 3; do
    port="$(free_port)"
    controller="$(free_port)"
    rm -rf "$dir/data"
    sed -e "s|@PORT@|$port|; s|@CONTROLLER_PORT@|$controller|; s|@DIR@|$dir|" "$repo/tests/stack/server.properties" \
      >"$dir/server.properties"
    # The cluster id is 16 bytes in URL-safe base64; "K" first, as the tool takes a leading dash for an option.
    kafka_java kafka.tools.StorageTool format --standalone -c "$dir/server.properties" \
      -t "K$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c 2-22)" >"$base/kafka.log" 2>&1 \
      || { cat "$base/kafka.log" >&2; return 1; }
    # Its own session: an interrupt at the terminal must reach the command under test, not the broker beneath it.
    setsid java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
      -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info \
      -cp "$libs/*" kafka.Kafka "$dir/server.properties" >>"$base/kafka.log" 2>&1 </dev/null &
    pid=$!
    echo "$pid" >"$base/kafka.pid"
    for i in $(seq 600); do
      alive "$pid" || break
      if grep -q 'Kafka Server started' "$base/kafka.log" && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        echo "127.0.0.1:$port" >"$base/kafka.bootstrap"
        return 0
      fi
      sleep 0.1
    done
    end "$pid"
    say "Kafka did not start on port $port (attempt $attempt)"
  done
  tail -n 40 "$base/kafka.log" >&2
  return 1
}

stop_kafka() {
  [ -f "$base/kafka.pid" ] || return 0
  local pid
  pid="$(cat "$base/kafka.pid")"
  # Only if it still is that broker: the number may have been given away since.
  grep -qa "$base/kafka/server.properties" "/proc/$pid/cmdline" 2>/dev/null || return 0
  kill -CONT "$pid" 2>/dev/null || true
  # The data goes with it, so it need not be written out in order.
  kill -KILL "$pid" 2>/dev/null || true
}

# ---------------------------------------------------------------------------------------------------------- all of it
start() {
  command -v java >/dev/null || [ "$only" = postgres ] || die "Java is missing: run tests/install.sh"
  [ "$only" = postgres ] || fetch_kafka
  [ "$only" = kafka ] || postgres_bin >/dev/null
  base="$(mktemp -d "${TMPDIR:-/tmp}/campaign-execution-stack.XXXXXX")"
  chmod 711 "$base" # PostgreSQL's user passes through
  local postgres="" kafka="" began=$SECONDS
  if [ "$only" != kafka ]; then start_postgres & postgres=$!; fi
  if [ "$only" != postgres ]; then start_kafka & kafka=$!; fi
  if [ -n "$postgres" ]; then wait "$postgres" || die "PostgreSQL did not start"; fi
  if [ -n "$kafka" ]; then wait "$kafka" || die "Kafka did not start"; fi
  : >"$base/env"
  echo "export CAMPAIGN_EXECUTION_TEST_STACK=$base" >>"$base/env"
  [ "$only" = kafka ] || echo "export CAMPAIGN_EXECUTION_TEST_DATABASE_URL=$(cat "$base/postgres.url")" >>"$base/env"
  [ "$only" = postgres ] || echo "export CAMPAIGN_EXECUTION_TEST_KAFKA=$(cat "$base/kafka.bootstrap")" >>"$base/env"
  say "${only:-PostgreSQL and Kafka} up after $((SECONDS - began)) s"
}

stop() {
  [ -n "$base" ] || return 0
  # Starters still at work (an interrupt during the start) must not start anything after this.
  local jobs_left
  jobs_left="$(jobs -p)"
  # shellcheck disable=SC2086
  [ -z "$jobs_left" ] || kill $jobs_left 2>/dev/null || true
  stop_kafka
  stop_postgres
  local i
  for i in 1 2 3 4 5; do rm -rf "$base" 2>/dev/null && break; sleep 0.2; done
  base=""
}

child=""
# An interrupt must first reach the command under test, with all that it started, then the servers.
on_signal() {
  trap - INT TERM HUP
  if alive "$child"; then
    kill -TERM -- "-$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  fi
  exit "$1"
}

run() {
  [ "$#" -gt 0 ] || die "run -- COMMAND [ARG…]"
  trap stop EXIT
  trap 'on_signal 130' INT
  trap 'on_signal 143' TERM
  trap 'on_signal 129' HUP
  start
  # shellcheck disable=SC1091
  . "$base/env"
  # A group of its own, so that all of it can be ended; in the background, so that a signal is acted upon at once.
  set -m
  "$@" <&0 &
  child=$!
  set +m
  local code=0
  wait "$child" || code=$?
  child=""
  exit "$code"
}

up() {
  local dir="${1:?up DIR}"
  [ ! -e "$dir/env" ] || die "$dir/env exists: already up? (tests/stack.sh down $dir)"
  mkdir -p "$dir"
  trap stop EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  start
  cp "$base/env" "$dir/env"
  base="" # from here on it is `down` that stops it
  say "source $dir/env; stop with: tests/stack.sh down $dir"
}

down() {
  local dir="${1:?down DIR}"
  [ -f "$dir/env" ] || { say "nothing is up in $dir"; return 0; }
  base="$(sed -n 's/^export CAMPAIGN_EXECUTION_TEST_STACK=//p' "$dir/env")"
  if [ -d "$base" ]; then stop; fi
  rm -f "$dir/env"
  rmdir "$dir" 2>/dev/null || true
}

while [ "${1:-}" = --only ]; do
  only="${2:-}"
  case "$only" in postgres | kafka) ;; *) die "--only postgres or --only kafka" ;; esac
  shift 2
done
action="${1:-}"
[ "$#" -eq 0 ] || shift
case "$action" in
  run) if [ "${1:-}" = -- ]; then shift; fi; run "$@" ;;
  up) up "$@" ;;
  down) down "$@" ;;
  tool) fetch_kafka; LEVEL=error kafka_java "$@" ;;
  *) sed -n '2,9p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
esac
