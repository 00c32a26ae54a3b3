#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# First process of the guest. Moves to a root that can be mounted over like a host's, runs what /tests lists, one after
# another, and reports on the second serial line; the first is the kernel's.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TMPDIR=/tmp
if [ "$1" != moved ]; then
    /bin/busybox mkdir /new
    mount -t tmpfs -o mode=755,size=90% root /new
    for entry in /*; do
        [ "$entry" = /new ] || cp -a "$entry" /new/
    done
    exec switch_root /new /init moved
fi

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm /etc/cron.d /home /var/spool # and where a host keeps what starts on its own
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t securityfs securityfs /sys/kernel/security
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
ip link set lo up
hostname guest
report=/dev/ttyS1
stty -F $report raw -echo 2>/dev/null
for name in $(cat /modules.load 2>/dev/null); do
    insmod "/modules/$name.ko" || echo "@note module $name does not load" >$report
done

echo "@boot $(uname -r)" >$report
now() {
    cut -d ' ' -f 1 /proc/uptime
}
while read -r name timeout folder command; do
    mkdir -p "$folder" && cd "$folder" || continue
    echo "@begin $name" >$report
    # The environment of a test stands before its command.
    start=$(now)
    timeout -s KILL "$timeout" /bin/busybox sh -c "exec $command" >/tmp/.output 2>&1 </dev/null
    code=$?
    cat /tmp/.output >$report
    echo >$report
    echo "@end $name $code $(echo "$(now) $start" | awk '{ print $1 - $2 }')" >$report
done </tests
dmesg | grep -E 'WARNING:|BUG:|Oops|RCU stall|general protection' | sed 's/^/@kernel /' >$report
echo "@done" >$report
sync
sleep 1
poweroff -f
