#!/bin/sh
# Install the SLURM that the tests start themselves (tests/slurm/cluster.py), from Debian's packages; needs root. No service is
# started or left to be started with the machine.
set -eu

policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then # packages ask it whether to start their services
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
    trap 'rm "$policy"' EXIT
fi

new=
for package in munge slurmctld slurmd; do
    dpkg --status "$package" > /dev/null 2>&1 || new="$new $package"
done
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends slurmctld slurmd slurm-client > /dev/null
if [ -n "$new" ] && command -v systemctl > /dev/null; then
    # shellcheck disable=SC2086 # several names
    systemctl --quiet disable $new
fi
