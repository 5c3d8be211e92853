#!/usr/bin/env bash
# Install the servers and programs that tests talk to, where this machine can: Debian's packages, as root.
# What cannot be installed is told; the tests that need it are then skipped, visibly.
set -euo pipefail

# package: a file that is there once it is installed
wanted=(
    "g++:/usr/bin/g++"
    "libssl-dev:/usr/include/openssl/ssl.h"
    "libbz2-dev:/usr/include/bzlib.h"
    "zeroc-glacier2:/usr/bin/glacier2router"
    "postgresql:/usr/lib/postgresql/*/bin/initdb"
    "podman:/usr/bin/podman"
    "runc:/usr/sbin/runc"
    "busybox-static:/bin/busybox"
    "slurm-wlm:/usr/bin/sbatch"
    "munge:/usr/sbin/munged"
    "chromium:/usr/bin/chromium"
    "btrfs-progs:/usr/sbin/mkfs.btrfs"
)

# what comes from elsewhere too: a command, then the packages that have it
command -v npm > /dev/null || wanted+=("nodejs:/usr/bin/node" "npm:/usr/bin/npm")

missing=()
for entry in "${wanted[@]}"; do
    compgen -G "${entry#*:}" > /dev/null || missing+=("${entry%%:*}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get > /dev/null || [ "$(id -u)" -ne 0 ]; then
    echo "not installed: ${missing[*]} (apt-get, run by root, would install them)"
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || true
for package in "${missing[@]}"; do
    apt-get install -y -qq --no-install-recommends "$package" > /dev/null || echo "not installed: $package"
done
