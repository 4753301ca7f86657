# Sourced by `start`: writes slurm.conf and gres.conf. What the lab is, and why, stands in README.md.
# shellcheck shell=bash

NODES=${LAB_NODES:-2}               # machines
CPUS=${LAB_CPUS:-4}                 # per machine; more than there are is fine, they are only counted
GPUS=${LAB_GPUS:-2}                 # per machine, faked
MAX_ARRAY_SIZE=${LAB_MAX_ARRAY_SIZE:-1001}
MAX_JOB_COUNT=${LAB_MAX_JOB_COUNT:-10000} # tasks in the queue, all together
MAX_SUBMIT=${LAB_MAX_SUBMIT:-0}     # tasks in the queue, of one person; 0: any number
NODE_TIMEOUT=${LAB_NODE_TIMEOUT:-10}    # seconds after which a silent machine counts as down
GRACE=${LAB_GRACE:-10}              # seconds between preemption's signal and the end
KILL_WAIT=${LAB_KILL_WAIT:-5}       # seconds between SIGTERM and SIGKILL
MIN_JOB_AGE=${LAB_MIN_JOB_AGE:-300} # seconds for which squeue remembers ended jobs

for setting in NODES CPUS MAX_ARRAY_SIZE MAX_JOB_COUNT NODE_TIMEOUT KILL_WAIT MIN_JOB_AGE; do
    [[ ${!setting} =~ ^[1-9][0-9]*$ ]] || die "LAB_$setting: a whole number above 0 (got '${!setting}')"
done
for setting in GPUS GRACE MAX_SUBMIT; do
    [[ ${!setting} =~ ^[0-9]+$ ]] || die "LAB_$setting: a whole number (got '${!setting}')"
done

[ "$MAX_SUBMIT" = 0 ] || [ "$ACCOUNTING" = yes ] || die "LAB_MAX_SUBMIT: goes only with --accounting"

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_ports: the first port of a block in which nobody listens.
free_ports() {
    local base port
    if [ -n "${LAB_PORT:-}" ]; then
        [[ $LAB_PORT =~ ^[1-9][0-9]*$ ]] || die "LAB_PORT: a whole number above 0 (got '$LAB_PORT')"
        for ((port = LAB_PORT; port < LAB_PORT + 10 + NODES; port++)); do
            listens "$port" && die "LAB_PORT: port $port is in use"
        done
        echo "$LAB_PORT"
        return
    fi
    for ((base = 17000; base < 30000; base += 10 + NODES)); do
        for ((port = base; port < base + 10 + NODES; port++)); do
            listens "$port" && continue 2
        done
        echo "$base"
        return
    done
    die "no free block of ports between 17000 and 30000"
}

write_configuration() {
    local host user i g accounting=AccountingStorageType=accounting_storage/none gpu_of_node=
    host=$(hostname -s)
    user=$(id -un)
    if [ "$ACCOUNTING" = yes ]; then
        accounting="AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$((PORT + 1))
AccountingStoragePass=$LAB/munge/socket"
        # Then only people with an account may submit: add_user makes one.
        [ "$MAX_SUBMIT" = 0 ] || accounting+=$'\nAccountingStorageEnforce=limits,qos'
        [ "$GPUS" = 0 ] || accounting+=$'\nAccountingStorageTRES=gres/gpu'
    fi
    echo "AutoDetect=off" >"$LAB/etc/gres.conf"
    for ((i = 1; i <= NODES; i++)); do
        mkdir -p "$LAB/spool/n$i"
        # Slurm counts a GPU only where its file is a character device.
        for ((g = 0; g < GPUS; g++)); do ln -sfn /dev/null "$LAB/gpu/n$i-$g"; done
        [ "$GPUS" = 0 ] || echo "NodeName=n$i Name=gpu File=$LAB/gpu/n$i-[0-$((GPUS - 1))]" >>"$LAB/etc/gres.conf"
    done
    [ "$GPUS" = 0 ] || gpu_of_node="Gres=gpu:$GPUS"
    cat >"$SLURM_CONF" <<CONF
$MARK
# nodes: $(seq -s ' ' -f 'n%g' "$NODES")
# accounting: $ACCOUNTING
ClusterName=lab
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
# A requeued job waits as long as its old credential lives: 2 minutes by default, here about 6 s.
AuthInfo=socket=$LAB/munge/socket,cred_expire=5
SlurmctldPort=$PORT
SlurmdPort=$((PORT + 9))
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPidFile=$LAB/run/slurmctld.pid
SlurmdPidFile=$LAB/run/slurmd-%n.pid
SlurmctldLogFile=$LAB/log/slurmctld.log
SlurmdLogFile=$LAB/log/slurmd-%n.log
StateSaveLocation=$LAB/state
SlurmdSpoolDir=$LAB/spool/%n

# No cgroups: CPUs and GPUs are counted, not isolated, and there may be more than the machine has.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
MpiDefault=none
SwitchType=switch/none
GresTypes=gpu

# Quick where a cluster is patient.
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=100000,batch_sched_delay=0,bf_interval=2
MessageTimeout=5
SlurmctldTimeout=10
SlurmdTimeout=$NODE_TIMEOUT
ReturnToService=2
InactiveLimit=0
KillWait=$KILL_WAIT
MinJobAge=$MIN_JOB_AGE
MaxArraySize=$MAX_ARRAY_SIZE
MaxJobCount=$MAX_JOB_COUNT

$accounting
JobCompType=jobcomp/filetxt
JobCompLoc=$LAB/log/jobcomp.txt

# A job in 'high' drives those in 'low' back into the queue, and ends those in 'low-cancel'.
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
NodeName=n[1-$NODES] NodeHostname=$host NodeAddr=127.0.0.1 Port=$((PORT + 10))-$((PORT + 9 + NODES)) CPUs=$CPUS RealMemory=64000 $gpu_of_node State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=OFF
PartitionName=low Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=$GRACE
PartitionName=low-cancel Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=CANCEL GraceTime=$GRACE
PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
CONF
}
