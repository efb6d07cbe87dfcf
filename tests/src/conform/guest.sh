#!/bin/sh
# The first process of the guest: the machine's own root, read-only, and a shell on the serial line.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
# Debian keeps the guest kernel's modules beside those of the machine's; modprobe and the kernel are told where.
mkdir -p /tmp/root/lib
ln -s /usr/lib/uml/modules /tmp/root/lib/modules
printf '#!/bin/sh\nexec /sbin/modprobe -d /tmp/root "$@"\n' >/tmp/modprobe
chmod +x /tmp/modprobe
echo /tmp/modprobe >/proc/sys/kernel/modprobe
stty -F /dev/ttyS0 raw -echo
# The prompt ends each answer: a mark, and the exit status.
PS1="$(printf '\036')\$?
" PS2='' exec sh </dev/ttyS0 >/dev/ttyS0 2>&1
