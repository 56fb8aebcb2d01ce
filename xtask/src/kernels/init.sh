#!/bin/busybox sh
# The first process of a guest: makes a small system, runs the tests, says on the second serial line what came out,
# and switches the machine off.
export PATH=/bin

if [ "$1" != system ]; then
    # Away from the file system the kernel unpacked us into, which is not what a system runs on.
    /bin/busybox mkdir /new
    /bin/busybox mount -t tmpfs -o mode=755 root /new
    /bin/busybox cp -a /bin /boot /etc /lib /modules /tests /init /new/
    exec /bin/busybox switch_root /new /init system
fi

mkdir -p /dev /proc /sys /tmp /run /root /var/tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs run /run
mount -t securityfs security /sys/kernel/security
mount -t bpf bpf /sys/fs/bpf
mount -t debugfs debug /sys/kernel/debug
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up

say() { echo "@$*" >/dev/ttyS1; }
# A fact is what a command said first, or that it failed.
fact() {
    name=$1; shift
    value=$("$@" 2>/dev/null | head -n 1)
    say "fact $name ${value:-none}"
}

for module in /modules/*.ko; do
    insmod "$module" || say "fact unloadable ${module##*/}"
done
mkdir -p /tmp/o/lower /tmp/o/upper /tmp/o/work /tmp/o/all
if mount -t overlay -o lowerdir=/tmp/o/lower,upperdir=/tmp/o/upper,workdir=/tmp/o/work all /tmp/o/all; then
    say "fact overlay yes"
    umount /tmp/o/all
fi
rm -r /tmp/o

fact release uname -r
fact version uname -v
fact apparmor cat /sys/module/apparmor/parameters/enabled
fact lsm cat /sys/kernel/security/lsm
fact preempt cat /sys/kernel/debug/sched/preempt
fact btf stat -c %s /sys/kernel/btf/vmlinux

say "tests"
# shellcheck disable=SC2046 # several words
/tests/probes --test-threads=1 --show-output $(cat /tests/filter) >/dev/ttyS1 2>/dev/console
status=$?

# Once more with constants blinded, which makes other machine code of the same programs: fewer tests, since each loads
# them all. What they say is kept apart from what the run above said.
hardened() {
    echo "net.core.bpf_jit_harden cannot be set" >/tmp/hardened
    echo 2 >/proc/sys/net/core/bpf_jit_harden || return
    # shellcheck disable=SC2046 # several words
    /tests/probes --test-threads=1 --show-output $(cat /tests/hardened) >/tmp/hardened 2>&1 || return
    # Names that fit no test are no failure to the runner, nor is a test that does nothing.
    wanted=$(wc -w </tests/hardened)
    grep -q "^test result: ok. $wanted passed" /tmp/hardened && ! grep -q '^skipped: ' /tmp/hardened
}
say "hardening"
if hardened; then
    say "fact hardened yes"
else
    say "fact hardened no"
    sed 's/^/@hardened /' /tmp/hardened >/dev/ttyS1
fi

say "end $status"
sync
poweroff -f
