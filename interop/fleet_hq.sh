#!/usr/bin/env bash
# HyperQueue on this one machine runs the script that `laser fleet hq` prints, four shards. A worker is killed with the shard that
# it runs, and another one comes. The merged search must be that of one process, to the byte.
# Needs hq (HyperQueue's program; HQ=PROGRAM where it is not in PATH) and target/release/laser.
set -euo pipefail
root=$(realpath "$(dirname "$0")/..")
hq=$(command -v "${HQ:-hq}") || {
    echo "skipped: there is no hq: give HQ=PROGRAM"
    exit 0
}
work=$(mktemp -d)
finish() {
    code=$?
    hq --server-dir "$work/hq" server stop > /dev/null 2>&1 || true
    wait
    if [ $code != 0 ]; then tail -n 20 "$work"/*.log "$work"/job-*/* 2> /dev/null || true; fi
    rm -rf "$work"
    exit $code
}
trap finish EXIT
. "$root/interop/fleet_search.sh"
ln -s "$(realpath "$hq")" bin/hq

export HQ_SERVER_DIR=$work/hq RAYON_NUM_THREADS=1
hq server start > server.log 2>&1 &
until hq server info > /dev/null 2>&1; do sleep 0.1; done
hq worker start --cpus 2 > worker1.log 2>&1 &
first=$!
# shellcheck disable=SC2086
laser --quiet fleet hq --shards 4 $search --out run > laser.sh
bash laser.sh > out.log 2>&1 &
script=$!
until [ "$(lines run)" -ge 8 ]; do sleep 0.05; done
# The node goes: the worker and what it runs.
shards=$(pgrep -P "$first")
kill -9 "$first"
# shellcheck disable=SC2086
kill -9 $shards
echo "with $(lines run) candidates scored: the worker and $(wc -w <<< "$shards") shards killed"
hq worker start --cpus 2 > worker2.log 2>&1 &
wait "$script"
compare HyperQueue
