# Sourced by fleet_*.sh: the search whose shards they run, by itself and put together.
# `$work` is a folder of its own, `$root` the repository.

laser=${LASER:-$root/target/release/laser}
if [ ! -x "$laser" ]; then
    echo "skipped: there is no $laser: cargo build --release, or give LASER=PROGRAM"
    exit 0
fi
mkdir "$work/bin"
ln -s "$(realpath "$laser")" "$work/bin/laser"
export PATH=$work/bin:$PATH
cd "$work"
cp -r "$root/tests/fixtures/smollm3" model

# Prompts of known words, some of which the fixture's model happens to answer.
for number in $(seq 1 "${EXAMPLES:-600}"); do
    for word in the a of and to in; do
        printf '{"id": "%s-%s", "prompt": "%s %s is", "choices": ["one", "two", "%s"], "answer": %s}\n' \
            "$number" "$word" "$word" "$number" "$word" "$((number % 3))"
    done
done > task.jsonl
search="search model --task task.jsonl --matrices all --rho 0.8,0.5,0.2,0.1 --strategy exhaustive --no-costs --quiet"

# How many lines the journals of the shards have.
lines() { cat "$1"/shards/*/journal.jsonl 2>/dev/null | wc -l; }

# The journal and the verdict are those of one process.
compare() {
    # shellcheck disable=SC2086
    laser $search --out whole > whole.txt
    for file in run.json journal.jsonl best.json strategy.json verdict.json; do
        cmp "run/$file" "whole/$file"
    done
    echo "$1: journal ($(wc -l < run/journal.jsonl) lines) and verdict are those of one process, to the byte"
}
