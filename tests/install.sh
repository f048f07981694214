#!/usr/bin/env bash
# Installs what a fresh Debian machine lacks, only what is missing, and says so.
#
#   tests/install.sh [build] [postgres] [kafka] [yaml] [python] [check]     default: all of them
#
#   build     compiler and headers that the librdkafka inside needs
#   postgres  PostgreSQL's server programs (the tests and the demo start private servers with them)
#   kafka     Java and Maven, for the tests' Apache Kafka
#   yaml      a YAML reader, for the test of deploy/compose.yaml
#   python    Python 3.11 or later with its venv module, for `make conformance`
#   check     rustfmt, clippy and cargo-deny, for the rest of `make check`
#
# Where it may not install (no root, no sudo, no apt-get) it lists what is missing and fails.
set -euo pipefail

repo="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cargo_deny_version=0.20.2
packages=()

say() { printf 'install: %s\n' "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }
need() { # condition's exit code, packages…
  [ "$1" = 0 ] || packages+=("${@:2}")
}
check() { "$@" >/dev/null 2>&1 && echo 0 || echo 1; }

build() {
  need "$(check has gcc)" gcc libc6-dev
  need "$(check has make)" make
  need "$(check has pkg-config)" pkg-config
  need "$(check pkg-config --exists openssl)" libssl-dev
  need "$(check test -s /etc/ssl/certs/ca-certificates.crt)" ca-certificates
}

postgres() {
  local found
  found="$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -n 1)"
  if [ -z "$found" ] && ! has initdb; then packages+=(postgresql); fi
  if [ "$(id -u)" = 0 ] && ! has runuser; then packages+=(util-linux); fi
}

kafka() {
  need "$(check has java)" default-jre-headless
  need "$(check has mvn)" maven
}

yaml() {
  need "$(check python3 -c 'import yaml')" python3-yaml
}

python() {
  need "$(check python3 -c 'import ensurepip, sys, venv; assert sys.version_info >= (3, 11)')" python3 python3-venv
}

install_packages() {
  [ "${#packages[@]}" -gt 0 ] || return 0
  say "missing: ${packages[*]}"
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    has sudo || { say "not root and no sudo; install them by hand"; exit 1; }
    as_root=(sudo)
  fi
  has apt-get || { say "no apt-get here; install their like by hand"; exit 1; }
  local clusters_before=none
  if [ -d /etc/postgresql ]; then clusters_before="$(ls /etc/postgresql)"; fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  say "installed: ${packages[*]}"
  # The package makes and may start a cluster of its own. Nothing here uses it: what is new is stopped and stays stopped.
  if [ "$clusters_before" = none ] && has pg_lsclusters; then
    pg_lsclusters -h | while read -r version name _ status _; do
      case "$status" in online*) "${as_root[@]}" pg_ctlcluster "$version" "$name" stop || true ;; esac
      echo manual | "${as_root[@]}" tee "/etc/postgresql/$version/$name/start.conf" >/dev/null
      say "PostgreSQL cluster $version/$name, which the package made, does not start by itself"
    done
  fi
}

rust() {
  has cargo || { say "Rust is missing: https://rustup.rs, then run this again"; exit 1; }
}

rust_tools() {
  local component
  for component in rustfmt clippy; do
    cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 && continue
    has rustup || { say "$component is missing and there is no rustup to add it"; exit 1; }
    say "adding $component"
    rustup component add "$component"
  done
  # Beside the sources, not among the user's own programs. Unoptimised: it is built in a third of the time, and runs a second.
  if ! "$repo/.cache/tools/bin/cargo-deny" --version 2>/dev/null | grep -q " $cargo_deny_version\$"; then
    say "building cargo-deny $cargo_deny_version into .cache/tools (about a minute)"
    mkdir -p "$repo/.cache/tools"
    CARGO_TARGET_DIR="$repo/.cache/tools/target" cargo install --quiet --locked --debug --root "$repo/.cache/tools" \
      --version "$cargo_deny_version" cargo-deny
    rm -rf "$repo/.cache/tools/target"
  fi
}

wanted=("$@")
[ "${#wanted[@]}" -gt 0 ] || wanted=(build postgres kafka yaml python check)
rust
for group in "${wanted[@]}"; do
  case "$group" in
    build | postgres | kafka | yaml | python) "$group" ;;
    check) ;; # no packages of the system's: below
    *) say "unknown group: $group (build, postgres, kafka, yaml, python, check)"; exit 2 ;;
  esac
done
install_packages
case " ${wanted[*]} " in *" check "*) rust_tools ;; esac
