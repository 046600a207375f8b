#!/usr/bin/env bash
# Slurm on this one machine runs the array of four shards that `laser fleet slurm` prints. One task is killed and started again
# by its number, one is requeued, one runs out of time. The merged search must be that of one process, to the byte.
# Needs munged, slurmctld, slurmd and sbatch (Debian: munge, slurmctld, slurmd, slurm-client), root, and target/release/laser.
# Starts daemons of its own in a scratch folder, and ends them; the machine's configuration is neither read nor written.
set -euo pipefail
root=$(realpath "$(dirname "$0")/..")
export PATH=$PATH:/usr/sbin
for program in munged slurmctld slurmd sbatch; do
    if ! command -v "$program" > /dev/null; then
        echo "skipped: there is no $program: install munge and Slurm"
        exit 0
    fi
done
if [ "$(id -u)" != 0 ]; then
    echo "skipped: slurmd takes root"
    exit 0
fi
work=$(mktemp -d)
chmod 755 "$work"
daemons=()
finish() {
    code=$?
    [ ${#daemons[@]} = 0 ] || kill "${daemons[@]}" 2> /dev/null || true
    wait
    if [ $code != 0 ]; then tail -n 20 "$work"/*.log "$work"/slurm-*.out 2> /dev/null || true; fi
    rm -rf "$work"
    exit $code
}
trap finish EXIT
. "$root/interop/fleet_search.sh"

head -c 1024 /dev/urandom > munge.key
chmod 400 munge.key
munged --foreground --force --key-file="$work/munge.key" --socket="$work/munge.socket" --pid-file="$work/munge.pid" \
    --log-file="$work/munge.log" --seed-file="$work/munge.seed" --num-threads=2 &
daemons+=($!)
node=$(hostname -s)
mkdir state spool
cat > slurm.conf << CONF
ClusterName=laser
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
CryptoType=crypto/munge
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/none
JobRequeue=1
KillWait=5
ReturnToService=2
NodeName=$node NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$work/slurm.conf
until [ -S munge.socket ]; do sleep 0.1; done
slurmctld -D > slurmctld.out 2>&1 &
daemons+=($!)
slurmd -D > slurmd.out 2>&1 &
daemons+=($!)
for _ in $(seq 60); do
    sinfo --noheader --format=%t 2> /dev/null | grep -q idle && break
    sleep 0.5
done
sinfo --noheader --format='%N %t %c processors' | grep idle

# shellcheck disable=SC2086
laser --quiet fleet slurm --shards 4 $search --out run > laser.sbatch
job=$(RAYON_NUM_THREADS=1 sbatch --parsable laser.sbatch)
until [ "$(lines run)" -ge 8 ] && [ "$(ls run/shards | wc -l)" = 4 ]; do sleep 0.05; done
pid_of() { pgrep -f "^laser search --shard auto/4 model .*--out run" | while read -r pid; do
    tr '\0' '\n' < "/proc/$pid/environ" | grep -qx "SLURM_ARRAY_TASK_ID=$1" && echo "$pid"; done; }
kill -9 "$(pid_of 2)"
scontrol requeue "${job}_3"
scancel --signal=USR1 --batch "${job}_4"
echo "with $(lines run) candidates scored: task 2 killed, task 3 requeued, task 4 out of time"
while squeue --noheader --job "$job" 2> /dev/null | grep -q .; do
    # Without backfill a requeued task waits for its begin time.
    scontrol update "jobid=${job}_3" StartTime=now 2> /dev/null || true
    scontrol update "jobid=${job}_4" StartTime=now 2> /dev/null || true
    sleep 0.5
done
if laser merge run --quiet 2> merge.txt; then
    echo "a shard that was killed is not missed"
    exit 1
fi
cat merge.txt
sbatch --wait --array=2 laser.sbatch > /dev/null
sbatch --wait --wrap 'laser merge run' > /dev/null
compare Slurm
