"""A Linux kernel with IPsec as the other end: Debian's own, under qemu, driven over a serial port.

The kernel, busybox and iproute2 come from Debian's packages; an image is built of them once and kept
in the build directory. Nothing is installed, and the guest sees one link only: a TAP in the network
namespace of whoever asks. What cannot be had is a Missing, which says why.
"""
import glob
import gzip
import os
import re
import select
import shutil
import socket
import subprocess
import time

MODULES = """virtio_pci virtio_net virtio_console
xfrm_user esp4 esp6 ah4 ah6 ipcomp ipcomp6 xfrm4_tunnel xfrm6_tunnel
authenc authencesn echainiv seqiv gcm ccm ctr ghash-generic sha512_generic
cmac xcbc chacha20poly1305 chacha_generic poly1305_generic camellia_generic
drbg ansi_cprng jitterentropy_rng""".split()
PROGRAMS = "sh mount modprobe cat sleep poweroff echo ls".split()
GUEST_MAC, OUR_MAC = "02:00:00:00:00:02", "02:00:00:00:00:01"

INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for m in virtio_pci virtio_net virtio_console xfrm_user esp4 esp6 ah4 ah6 ipcomp ipcomp6; do
	modprobe $m
done
/bin/ip link set lo up
/bin/ip link set eth0 up
until ls /dev/vport*p1 >/dev/null 2>&1; do sleep 0.05; done
P=$(echo /dev/vport*p1)
exec 3<>$P
echo READY >&3
while :; do
	IFS= read -r l <&3 || { sleep 0.05; continue; }
	sh -c "$l" </dev/null >/tmp/o 2>&1
	rc=$?
	{ cat /tmp/o; echo; echo "@@RC=$rc"; } >&3
done
"""


class Missing(Exception):
    """Why there is no such peer here."""


def run(*command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, timeout=120, **more)
    if done.returncode != 0:
        raise Missing("%s: %s" % (command[0], done.stdout.strip()[-300:]))
    return done.stdout


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise Missing("no " + program)


def kernel_package():
    """The package that linux-image-cloud-amd64 stands for today."""
    found = re.search(r"Depends: (linux-image-\S+cloud-amd64\S*)",
                      run("apt-cache", "depends", "linux-image-cloud-amd64"))
    if not found:
        raise Missing("no linux-image-cloud-amd64 in apt's lists")
    return found.group(1)


def unpack_kernel(cache):
    """@return the unpacked package and the kernel's version"""
    there = glob.glob(cache + "/k/boot/vmlinuz-*")
    if not there:
        package = kernel_package()
        for old in glob.glob(cache + "/*.deb"):
            os.unlink(old)
        run("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package, cwd=cache)
        run("dpkg", "-x", glob.glob(cache + "/*.deb")[0], cache + "/k.new")
        os.rename(cache + "/k.new", cache + "/k")
        there = glob.glob(cache + "/k/boot/vmlinuz-*")
    version = there[0].rsplit("vmlinuz-", 1)[1]
    base = cache + "/k/usr" if os.path.isdir(cache + "/k/usr/lib/modules") else cache + "/k"
    run("depmod", "-b", base, version)
    return base, version


def copy_into(root, path):
    to = root + os.path.realpath(os.path.dirname(path)) + "/" + os.path.basename(path)
    os.makedirs(os.path.dirname(to), exist_ok=True)
    shutil.copy2(path, to)
    return to


def add_program_with_libraries(root, program):
    shutil.copy2(program, root + "/bin/" + os.path.basename(program))
    for library in re.findall(r"(/\S+) \(", run("ldd", program)):
        at = root + library
        os.makedirs(os.path.dirname(at), exist_ok=True)
        shutil.copy2(library, at)


def add_modules(root, base, version):
    files = set()
    for module in MODULES:
        shown = subprocess.run(["modprobe", "--show-depends", "-d", base, "-S", version, module],
                               capture_output=True, text=True, check=False)
        files.update(line.split()[1] for line in shown.stdout.splitlines()
                     if line.startswith("insmod"))
    folder = "%s/lib/modules/%s" % (base, version)
    for name in files:
        name = os.path.normpath(name)
        to = root + "/lib/modules/" + version + os.path.normpath(name).split(version, 1)[1]
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy2(name, to)
    for name in glob.glob(folder + "/modules.builtin*") + [folder + "/modules.order"]:
        shutil.copy2(name, root + "/lib/modules/" + version)
    run("depmod", "-b", root, version)


def build(cache):
    """The kernel and the image, made once. @return their paths"""
    need("qemu-system-x86_64", "cpio", "depmod", "modprobe", "apt-get", "dpkg", "ldd")
    busybox = next((b for b in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(b)), None)
    if not busybox:
        raise Missing("no busybox")
    os.makedirs(cache, exist_ok=True)
    base, version = unpack_kernel(cache)
    kernel, image = "%s/k/boot/vmlinuz-%s" % (cache, version), "%s/initrd-%s.gz" % (cache, version)
    if not os.path.exists(image):
        root = cache + "/root"
        shutil.rmtree(root, ignore_errors=True)
        for folder in ("bin", "sbin", "proc", "sys", "dev", "tmp", "lib/modules/" + version):
            os.makedirs(root + "/" + folder)
        shutil.copy2(busybox, root + "/bin/busybox")
        for program in PROGRAMS:
            os.symlink("busybox", root + "/bin/" + program)
        os.symlink("/bin/busybox", root + "/sbin/modprobe")
        add_program_with_libraries(root, shutil.which("ip") or "/sbin/ip")
        add_modules(root, base, version)
        with open(root + "/init", "w", encoding="ascii") as init:
            init.write(INIT)
        os.chmod(root + "/init", 0o755)
        packed = subprocess.run("find . | cpio -o -H newc --quiet", shell=True, cwd=root,
                                stdout=subprocess.PIPE, check=True).stdout
        with gzip.open(image + ".new", "wb", compresslevel=1) as out:
            out.write(packed)
        os.rename(image + ".new", image)
        shutil.rmtree(root)
    return kernel, image


class Guest:
    """The peer; use it as a context. Its link is the TAP tap0, made here."""

    def __init__(self, cache, scratch):
        self.kernel, self.image = build(cache)
        self.scratch = scratch
        self.process = self.port = None
        self.buffer = b""

    def __enter__(self):
        run("ip", "link", "set", "lo", "up")
        run("ip", "tuntap", "add", "dev", "tap0", "mode", "tap")
        # The host's kernel has nothing to say on that link.
        with open("/proc/sys/net/ipv6/conf/tap0/disable_ipv6", "w", encoding="ascii") as f:
            f.write("1")
        run("ip", "link", "set", "tap0", "up")
        control = self.scratch + "/control"
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display",
             "none", "-machine", "pc", "-accel", "tcg,thread=multi,tb-size=64", "-cpu", "max",
             "-smp", "1", "-m", "128", "-kernel", self.kernel, "-initrd", self.image, "-append",
             "console=ttyS0 quiet panic=-1 random.trust_cpu=on", "-serial",
             "file:%s/console.log" % self.scratch, "-netdev",
             "tap,id=n0,ifname=tap0,script=no,downscript=no", "-device",
             "virtio-net-pci,netdev=n0,mac=%s,romfile=" % GUEST_MAC, "-device",
             "virtio-serial-pci", "-chardev",
             "socket,id=ctl,path=%s,server=on,wait=off" % control, "-device",
             "virtserialport,chardev=ctl,name=ctl"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.port = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        until = time.monotonic() + 20
        while self.port.connect_ex(control) != 0:
            if self.process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise Missing("qemu does not start: " + (self.process.stderr.read() or "")[-200:])
            select.select([], [], [], 0.02)
        try:
            self._until(rb"READY\r?\n", 60)
        except TimeoutError as late:
            self.__exit__()
            raise Missing("the guest does not start") from late
        return self

    def __exit__(self, *_):
        if self.port:
            self.port.close()
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _until(self, pattern, seconds):
        until = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.buffer)
            if found:
                before = self.buffer[:found.start()]
                self.buffer = self.buffer[found.end():]
                return before, found
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.port], [], [], left)[0]:
                raise TimeoutError
            got = self.port.recv(65536)
            if not got:
                raise TimeoutError
            self.buffer += got

    def do(self, command):
        """Runs one line in the guest. @return its exit status and what it said"""
        self.port.sendall(command.encode() + b"\n")
        said, found = self._until(rb"\n@@RC=(\d+)\r?\n", 30)
        return int(found.group(1)), said.decode(errors="replace").strip()

    def must(self, command):
        status, said = self.do(command)
        if status != 0:
            raise RuntimeError("guest: %s: %s" % (said, command))
        return said

    def ip(self, lines):
        """Lines for ip(8), all in one process."""
        script = "\\n".join(lines)
        return self.must("/bin/echo -e \"%s\" | /bin/ip -force -batch -" % script)
