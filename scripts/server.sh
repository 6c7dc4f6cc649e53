# shellcheck shell=sh
# Sourced by the scripts that start one server each. Such a script sets `name`, writes the functions below and ends with
# `serve "$@"`. Everything of a server lies in one folder: data, ports, password, process id, log.
#
#   install   brings the programs that are missing
#   prepare   makes $folder/data, once; its last command is the one that may fail
#   launch    becomes the server: its last command is `exec setsid …`, and names $folder, so that it is known again
#   answers   succeeds when the server does
#   address   prints VARIABLE=ADDRESS as tests/conftest.py reads it
#   stop_signal, ports_needed   where they differ from TERM and 1
#
# shellcheck disable=SC2154 # name is the sourcing script's

scripts=$(cd "$(dirname "$0")" && pwd)
. "$scripts/debian.sh"
stop_signal=TERM
ports_needed=1
patience_s=120 # a start takes up to five seconds; a machine that does other work too needs longer

say() { echo "$name: $*" >&2; }
fail() { say "$@"; exit 1; }

serve() {
  folder=${2:-${RESTOCK_SERVERS:-${scripts%/*}/var/servers}/$name}
  case ${1:-} in
    install) make_folder && install ;;
    up) make_folder && up ;;
    down) down ;;
    kill) kill_hard ;;
    status) status ;;
    address) address_line ;;
    *)
      echo "Usage: scripts/$name up|down|kill|status|address|install [FOLDER]" >&2
      echo "FOLDER holds its data; by default it is $name in \$RESTOCK_SERVERS, or in var/servers." >&2
      exit 2
      ;;
  esac
}

make_folder() {
  mkdir -p "$folder"
  folder=$(cd "$folder" && pwd)
}

up() {
  running || install || exit 1
  umask 077 # only whoever starts a server may read its password and data
  exec 9>"$folder/lock"
  flock 9 # two callers at once start one server
  if ! running; then
    if [ ! -e "$folder/prepared" ]; then prepare_once; fi
    read_settings
    start
  fi
  address_line
}

# What is half made after an interruption is made again.
prepare_once() {
  rm -rf "$folder/data"
  mkdir "$folder/data"
  free_ports "$ports_needed" >"$folder/ports"
  head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$folder/password"
  read_settings
  prepare >"$folder/log" 2>&1 || give_up "its data folder could not be made"
  touch "$folder/prepared"
}

# Below the range from which the system takes ports for clients: while a killed server is away, a client that knocks at
# its port could otherwise be given that very port and connect to itself.
free_ports() {
  "${PYTHON:-python3}" - "$1" <<'PROGRAM'
import random, socket, sys

held = []
for port in random.sample(range(20_000, 32_000), 1_000):
    attempt = socket.socket()
    try:
        attempt.bind(("127.0.0.1", port))
    except OSError:
        continue
    held.append(attempt)
    if len(held) == int(sys.argv[1]):
        break
print(*(each.getsockname()[1] for each in held))
PROGRAM
}

read_settings() {
  # port and second_port are for the sourcing script
  # shellcheck disable=SC2034
  read -r port second_port <"$folder/ports"
  # shellcheck disable=SC2034
  password=$(cat "$folder/password")
}

start() {
  [ ! -e "$folder/log" ] || mv "$folder/log" "$folder/log.before" # a crash leaves its reasons
  launch </dev/null >"$folder/log" 2>&1 9>&- &
  pid=$!
  echo "$pid" >"$folder/pid"
  end=$(($(date +%s) + patience_s))
  until answers >/dev/null 2>&1; do
    kill -0 "$pid" 2>/dev/null || give_up "it ended while starting"
    [ "$(date +%s)" -lt "$end" ] || give_up "it did not answer within $patience_s s"
    sleep 0.1
  done
  say "process $pid answers"
}

give_up() {
  [ -z "${pid:-}" ] || kill -s KILL "$pid" 2>/dev/null || true
  tail -n 20 "$folder/log" >&2
  fail "$1; the log is $folder/log, and without $folder it begins anew"
}

# Sets pid. A number alone may be another program's by now, so the command must name our folder.
running() {
  pid=$(cat "$folder/pid" 2>/dev/null) && grep -qsF -- "$folder" "/proc/$pid/cmdline"
}

# Like running, for callers that have not made the folder.
known() {
  [ -d "$folder" ] && folder=$(cd "$folder" && pwd) && running
}

down() {
  known || { say "is not running"; return 0; }
  kill -s "$stop_signal" "$pid"
  gone "$pid" || fail "process $pid did not end within $patience_s s; scripts/$name kill ends it at once"
  say "stopped"
}

# As a power failure would: nothing is flushed, and the processes that it started end with it.
kill_hard() {
  known || { say "is not running"; return 0; }
  everything="$pid $(cat "/proc/$pid"/task/*/children)"
  # shellcheck disable=SC2086 # several ids
  kill -s KILL $everything 2>/dev/null || true
  # shellcheck disable=SC2086
  gone $everything || fail "process $pid is still there $patience_s s after it was killed"
  say "killed"
}

# An ended process that nobody waited for keeps its number, but has no command.
gone() {
  end=$(($(date +%s) + patience_s))
  for each in "$@"; do
    while grep -qs . "/proc/$each/cmdline"; do
      [ "$(date +%s)" -lt "$end" ] || return 1
      sleep 0.05
    done
  done
}

status() {
  known || { echo "$name: not running"; return 3; }
  read_settings
  answers >/dev/null 2>&1 || { echo "$name: process $pid does not answer; its log is $folder/log"; return 1; }
  echo "$name: process $pid on 127.0.0.1:$port, data in $folder"
}

# For `eval` in a shell.
address_line() {
  known || fail "is not running; scripts/$name up starts it"
  read_settings
  line=$(address)
  echo "export ${line%%=*}='${line#*=}'"
}
