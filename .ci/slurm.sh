#!/usr/bin/env bash
# A real Slurm on this machine's loopback, for tests: munged, slurmctld and a slurmd for each of two fake nodes.
# It needs no systemd, leaves the system's own configuration alone, and keeps everything in one folder.
#
#   .ci/slurm.sh install         the Debian or Ubuntu packages (as root)
#   .ci/slurm.sh start FOLDER    returns once both nodes are idle; then: export SLURM_CONF=FOLDER/slurm.conf
#   .ci/slurm.sh node FOLDER N   starts node N (n1 or n2) again
#   .ci/slurm.sh stop FOLDER     ends every daemon that `start` began, and the jobs on its nodes
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

fail() { echo "$*" >&2; exit 1; }

configure() {
  local user host ports
  user=$(id -un)
  host=$(uname -n)
  host=${host%%.*}
  # Three free ports, held open together so that they differ.
  ports=$(python3 -c 'import socket
held = [socket.socket() for _ in range(3)]
for s in held: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])')
  read -r controller first second <<<"$ports"
  cat >"$folder/slurm.conf" <<CONF
ClusterName=loopback
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller
SlurmUser=$user
SlurmdUser=$user
AuthInfo=socket=$folder/munge.socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool.%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.%n.log
# Containers lend out neither control groups nor affinity.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
# A test waits for all of these.
SchedulerParameters=sched_interval=2,bf_interval=2,sched_min_interval=200000
SlurmdTimeout=10
KillWait=2
ReturnToService=2
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$first CPUs=1 RealMemory=4000
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$second CPUs=1 RealMemory=4000
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=60 State=UP
CONF
}

start() {
  local program
  for program in munged slurmctld slurmd sbatch; do
    command -v "$program" >/dev/null || fail "no $program on PATH; as root: $0 install"
  done
  export SLURM_CONF=$folder/slurm.conf
  mkdir -p "$folder/state"
  chmod 711 "$folder" # munged wants its socket reachable for all, and writable for nobody else
  configure
  head -c 128 /dev/urandom >"$folder/munge.key"
  chmod 600 "$folder/munge.key"
  munged --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
    --log-file="$folder/munged.log" --seed-file="$folder/munged.seed" --num-threads=2
  slurmctld -f "$folder/slurm.conf"
  node n1
  node n2
  for _ in $(seq 60); do
    [ "$(sinfo -h -N -t idle -o %N 2>/dev/null | wc -l)" = 2 ] && return
    sleep 0.5
  done
  tail -n 5 "$folder"/*.log >&2
  stop
  fail "Slurm's two nodes did not become idle within 30 s; the last lines of the logs are above"
}

node() { slurmd -f "$folder/slurm.conf" -N "$1"; }

stop() {
  local file
  export SLURM_CONF=$folder/slurm.conf
  if scancel --me 2>/dev/null; then
    for _ in $(seq 50); do
      [ -n "$(squeue --noheader --me 2>/dev/null)" ] || break
      sleep 0.1
    done
  fi
  for file in "$folder"/slurmd.*.pid "$folder/slurmctld.pid" "$folder/munged.pid"; do
    [ -s "$file" ] && end "$(cat "$file")"
  done
  return 0
}

alive() { grep -qs "$folder" "/proc/$1/cmdline"; } # and not somebody else by now

end() { # a daemon by its process number: politely, then not
  alive "$1" && kill "$1" || return 0
  for _ in $(seq 50); do
    alive "$1" || return 0
    sleep 0.1
  done
  kill -9 "$1" 2>/dev/null || true
}

case "${1:-}" in
  install)
    [ "$(id -u)" = 0 ] || fail "packages are installed by root alone; as root: $0 install"
    command -v apt-get >/dev/null || fail "no apt-get here; wanted: munge, slurm-client, slurmctld and slurmd"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -qq -y --no-install-recommends munge slurm-client slurmctld slurmd
    ;;
  start | node | stop)
    [ $# -ge 2 ] || fail "usage: $0 $1 FOLDER"
    folder=$(realpath -m "$2")
    "$1" "${@:3}"
    ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
