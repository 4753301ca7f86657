# Sourced by the lab's commands: where things lie, and how daemons are started, found and ended.
# shellcheck shell=bash
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # Debian keeps daemons where users' paths do not look.

GIVEN_CONF=${SLURM_CONF:-}
# Of an outer job, or for the eyes of a user: not for our daemons and questions.
unset "${!SLURM@}" "${!SBATCH_@}" "${!SINFO_@}" "${!SQUEUE_@}"

say() { echo "slurm/lab: $*" >&2; }
die() { say "$*"; exit 1; }

# use_lab DIR: names everything in the lab's folder.
use_lab() {
    LAB=$(realpath -m "${1:-${LAB_DIR:-${TMPDIR:-/tmp}/clop-bench-lab-$(id -u)}}")
    export SLURM_CONF=$LAB/etc/slurm.conf
}

# use_running_lab DIR: the same for a lab that there is: without DIR the one that SLURM_CONF names, as it does
# for squeue and the others. One that no lab has written would name somebody's cluster.
use_running_lab() {
    if [ -z "${1:-}" ] && [ -n "$GIVEN_CONF" ]; then
        [ -f "$GIVEN_CONF" ] || die "SLURM_CONF names no file: $GIVEN_CONF"
        grep -qxF "$MARK" "$GIVEN_CONF" || die "SLURM_CONF names no lab ($GIVEN_CONF): give the lab's folder"
        set -- "$(dirname "$(dirname "$(realpath "$GIVEN_CONF")")")"
    fi
    use_lab "${1:-}"
}
MARK="# Written by slurm/lab/start."

# Ended, but not yet reaped by its parent, counts as gone: PID 1 of a container may take seconds.
alive() { [ -r "/proc/$1/stat" ] && ! grep -q ') Z ' "/proc/$1/stat" 2>/dev/null; }

# gone PID SECONDS: wait for a process to end.
gone() {
    local tries=$(($2 * 20))
    while alive "$1"; do
        [ $((tries -= 1)) -gt 0 ] || return 1
        sleep 0.05
    done
}

# until_true SECONDS COMMAND...: wait for a command to succeed.
until_true() {
    local tries=$(($1 * 10))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $((tries -= 1)) -gt 0 ] || return 1
        sleep 0.1
    done
}

# pid_of NAME: the running daemon whose pid file is run/NAME.pid; a stale file, or a number that another
# program now has, counts as none.
pid_of() {
    local pid program=${1%%-*}
    pid=$(cat "$LAB/run/$1.pid" 2>/dev/null) && [ -n "$pid" ] && alive "$pid" || return 1
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$program" ] && echo "$pid"
}

# end NAME SECONDS: ask a daemon to end; kill it where it does not.
end() {
    local pid
    pid=$(pid_of "$1") || return 0
    kill -TERM "$pid" 2>/dev/null || true
    gone "$pid" "$2" && return 0
    say "$1 did not end within $2 s: killed"
    kill -KILL "$pid" 2>/dev/null || true
    gone "$pid" 10
}

# Daemons get no open files of ours; file 9 is the lock of `start`.
daemon() { "$@" 9<&- </dev/null >>"$LAB/log/start.log" 2>&1; }
start_controller() { start_daemon slurmctld slurmctld -f "$SLURM_CONF" "$@"; }
start_node() { start_daemon "slurmd-$1" slurmd -N "$1" -f "$SLURM_CONF"; }

# start_daemon NAME COMMAND...: and wait for its pid file, by which everybody else will find it.
start_daemon() {
    local name=$1
    shift
    if ! pid_of "$name" >/dev/null; then
        daemon "$@"
        until_true 20 pid_of "$name"
    fi
}

# strays: controllers and nodes of this lab without a pid file, because they were interrupted as they started.
strays() {
    local file
    for file in $(grep -lzxF "$SLURM_CONF" /proc/[0-9]*/cmdline 2>/dev/null); do
        grep -qxE 'slurmctld|slurmd' "${file%cmdline}comm" 2>/dev/null && echo "${file//[^0-9]/}"
    done
    true
}

# job_processes [NODE]: step daemons and tasks of this lab, on all nodes or one. A step daemon is known by
# the log that it writes; a task by its environment (a shell that merely exports SLURM_CONF has no
# SLURMD_NODENAME), which also finds tasks whose step daemon is gone.
job_processes() {
    local file pid node=${1:-[^/]*}
    for file in $(grep -lx slurmstepd /proc/[0-9]*/comm 2>/dev/null); do
        pid=${file//[^0-9]/}
        readlink "/proc/$pid"/fd/* 2>/dev/null | grep -qx "$LAB/log/slurmd-$node\.log" && echo "$pid"
    done
    for file in $(grep -lzxF "SLURM_CONF=$SLURM_CONF" /proc/[0-9]*/environ 2>/dev/null); do
        pid=${file//[^0-9]/}
        grep -zqx "SLURMD_NODENAME=$node" "$file" 2>/dev/null && alive "$pid" && echo "$pid"
    done
    true
}

# kill_jobs [NODE]: end them all, as a power failure would. All are halted before the first one is killed:
# a step daemon that saw its task die would still report that as the job's own failure.
kill_jobs() {
    local now pids=
    while now=$(job_processes "${1:-}") && [ "$now" != "$pids" ]; do
        pids=$now
        # shellcheck disable=SC2086
        kill -STOP $pids 2>/dev/null || true
    done
    # shellcheck disable=SC2086
    [ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
    until_true 10 no_jobs "${1:-}"
}
no_jobs() { [ -z "$(job_processes "${1:-}")" ]; }

nodes() { sed -n 's/^# nodes: //p' "$SLURM_CONF"; }
