#!/usr/bin/env bash
# Tries what scripts/package.sh has made, where nothing else is.
#   scripts/check-release.sh target/package/NAME.tar.gz      # in an empty root with glibc alone; needs root, or user namespaces
#   scripts/check-release.sh target/package/NAME.whl         # in a fresh virtual environment
set -euo pipefail
made=$(realpath "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if [[ $made == *.whl ]]; then
    python3 -m venv "$scratch/environment"
    "$scratch/environment/bin/pip" install --quiet --no-index "$made"
    cd "$scratch"
    environment/bin/laser --version
    environment/bin/laser-rank demo --out demo --quiet
    environment/bin/python - <<'PYTHON'
import laser_rank

model, task = laser_rank.demo("again")
found = laser_rank.Session(model).search(task, out="again/run")
print("from Python:", found.best, found.verdict.word)
PYTHON
    exit
fi

tar -xzf "$made" -C "$scratch"
folder=("$scratch"/*)
for file in README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE THIRD-PARTY.txt completions/laser.bash man/laser.1; do
    [ -s "$folder/$file" ] || { echo "$1 lacks $file" >&2; exit 1; }
done
program=$folder/laser
most=20000000
size=$(stat -c %s "$made")
echo "$1: $size bytes; the program has $(stat -c %s "$program")"
[ "$size" -le $most ] || { echo "$1: $size bytes, of $most at most" >&2; exit 1; }
root=$scratch/root
mkdir "$root"
cp "$program" "$root/laser"
# What a static program needs is nothing. Of the others glibc's own libraries, and none besides.
# It has no /proc, no /dev and no /tmp.
for library in $(ldd "$program" 2>/dev/null | grep -o '/[^ )]*' || true); do
    case $(basename "$library") in
        libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | libgcc_s.so.* | ld-linux*) ;;
        *) echo "the program needs $library" >&2; exit 1 ;;
    esac
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
inside=(chroot)
[ "$(id -u)" = 0 ] || inside=(unshare --map-root-user chroot)
(cd "$root" && find . -type f | sort)
for command in "--version" "doctor" "demo --out /demo --quiet" "apply /demo/model --recipe /demo/run --out /edited --quiet"; do
    echo "\$ laser $command"
    "${inside[@]}" "$root" /laser $command
done
