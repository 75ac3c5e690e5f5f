# SPDX-License-Identifier: Apache-2.0
"""firmware.py FOLDER PKI CREDENTIAL VERSION: one mutual handshake of a device in QEMU, looked at from outside.

FOLDER: a build folder with firmware that was built with -DFIRMWARE_MEASURE (firmware/an500/device.elf), mtls-device and
our server. CREDENTIAL: a folder of PKI. VERSION: 1.2 or 1.3. Three boots: CREDENTIAL is uploaded; it is taken over;
`get` from our server, which asks for it. One line on standard output:

    PEAK REST STACK TAKE_PEAK TAKE_STACK INSTRUCTIONS SERVER

PEAK: most bytes of mbedTLS's heap that were allocated at once in the third boot; REST: when no connection is open (the
chain, the key, the CAs). STACK: bytes from the stack's top to the lowest that was written to, in the same boot.
TAKE_PEAK and TAKE_STACK: both in the second boot. INSTRUCTIONS: of mtls_connect, from its call to its return, less those
of the waiting in it. SERVER: what our server says of the connection's client, subject and version.

With -icount shift=0 an instruction is a nanosecond of QEMU's virtual time, which the device's own SysTick counts in
units of 40; a debugger's stub stops the device where mtls_connect begins and ends, and at each wait in it. The stack's
memory is painted before the boot.
"""
import atexit
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import zlib

PAINT = b"\xa5"
STACK = 0x6000  # firmware.mk: __stack_size
TICK_NS = 40  # 25 MHz
CURRENT, RELOAD = 0xE000E018, 0xE000E014


class Debugger:
    """The few packets of GDB's remote protocol that are needed (GDB's manual, appendix E)."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.rest = b""
        self.ask("g")

    def ask(self, text):
        packet = text.encode()
        self.socket.sendall(b"$%s#%02x" % (packet, sum(packet) & 0xFF))
        answer = self.answer()
        while answer[:1] == "T" and text != "c":  # that it stopped because we came
            answer = self.answer()
        return answer

    def answer(self):
        while not (found := re.search(rb"\$([^#]*)#..", self.rest)):
            more = self.socket.recv(1 << 16)
            if not more:
                sys.exit("firmware.py: the debugger's stub has gone")
            self.rest += more
        self.rest = self.rest[found.end() :]
        self.socket.sendall(b"+")
        return found[1].decode()

    def read(self, address, n):
        data = b""
        while len(data) < n:
            data += bytes.fromhex(self.ask(f"m{address + len(data):x},{min(n - len(data), 1024):x}"))
        return data

    def word(self, address):
        return int.from_bytes(self.read(address, 4), "little")

    def caller(self):
        return int.from_bytes(bytes.fromhex(self.ask("g"))[14 * 4 : 15 * 4], "little") & ~1

    def run_to(self, *addresses):
        """Which of them it was. None is where the device stands now: it would not get away."""
        for address in addresses:
            self.ask(f"Z0,{address:x},2")
        self.ask("c")
        at = int.from_bytes(bytes.fromhex(self.ask("g"))[15 * 4 : 16 * 4], "little")
        for address in addresses:
            self.ask(f"z0,{address:x},2")
        return at

    def go(self):
        self.socket.sendall(b"$c#63")


class Device:
    def __init__(self, folder, work, port):
        self.elf = f"{folder}/firmware/an500/device.elf"
        names = subprocess.run(["arm-none-eabi-nm", self.elf], check=True, capture_output=True, text=True).stdout
        self.symbols = {name: int(at, 16) for at, kind, name in re.findall(r"^(\w+) (\w) (\w+)(?:\.(?:lto_priv|constprop|isra)\S*)?$", names, re.M)}
        self.gdb_path = f"{work}/gdb"
        network = "user,id=net,restrict=on"
        if port:
            network += f",guestfwd=tcp:10.0.2.100:{port}-cmd:{folder}/mtls-device --relay {port}"
        self.process = subprocess.Popen(
            ["qemu-system-arm", "-machine", "mps2-an500,memory-backend=flash",
             "-object", f"memory-backend-file,id=flash,size=16M,share=on,mem-path={work}/image",
             "-nodefaults", "-display", "none", "-serial", "stdio", "-icount", "shift=0",
             "-semihosting-config", f"enable=on,target=native,arg=device,arg=otp={work}/image.otp",
             "-net", "nic,netdev=net", "-netdev", network,
             "-device", f"loader,file={work}/paint,addr={self.symbols['__stack'] - STACK:#x},force-raw=on",
             "-gdb", f"unix:path={self.gdb_path},server=on,wait=off", "-kernel", self.elf],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        atexit.register(self.off)
        self.read_to(b"ready ")

    def read_to(self, *starts):
        lines = []
        while line := self.process.stdout.readline():
            lines.append(line)
            if line.startswith(starts):
                return lines
        sys.exit(f"firmware.py: the device has ended: {b''.join(lines[-2:]).decode(errors='replace')}")

    def send(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def answer(self):
        lines = self.read_to(b"ok\n", b"error ")
        if lines[-1] != b"ok\n":
            sys.exit(f"firmware.py: {lines[-1].decode()}")
        return b"".join(lines).decode(errors="replace")

    def ask(self, line):
        self.send(line.encode() + b"\n")
        return self.answer()

    def upload(self, folder):
        for name in os.listdir(folder):
            with open(f"{folder}/{name}", "rb") as file:
                data = file.read()
            self.send(f"upload {name} {len(data)} {zlib.crc32(data):08x}\n".encode())
            while (line := self.read_to(b"ok", b"error ")[-1]).startswith(b"ok?"):
                n = int(line[3:])
                self.send(data[:n])
                data = data[n:]
            if line != b"ok\n":
                sys.exit(f"firmware.py: {line.decode()}")
        self.ask("commit")

    def heap(self):
        """Now, and at most so far."""
        return [int(n) for n in re.search(r"heap: (\d+) now, (\d+) at most", self.ask("counters")).groups()]

    def debugger(self):
        return Debugger(self.gdb_path)

    def stack(self, debugger):
        memory = debugger.read(self.symbols["__stack"] - STACK, STACK)
        return STACK - (len(memory) - len(memory.lstrip(PAINT)))

    def time(self, debugger):
        return debugger.word(self.symbols["low"]) * 1000000 + TICK_NS * (
            debugger.word(RELOAD) - debugger.word(CURRENT))

    def connect(self, debugger):
        """Instructions of the next mtls_connect."""
        begin, idle = self.symbols["mtls_connect"] & ~1, self.symbols["system_idle"] & ~1
        debugger.run_to(begin)
        end, start, waited = debugger.caller(), self.time(debugger), 0
        while debugger.run_to(idle, end) == idle:
            since = self.time(debugger)
            debugger.run_to(debugger.caller())
            waited += self.time(debugger) - since
        return self.time(debugger) - start - waited

    def off(self):
        self.process.kill()
        self.process.wait()


def serve(folder, pki, version, log):
    server = subprocess.Popen(
        [f"{folder}/tests/mtls-server", "--cert", f"{pki}/server.pem", "--key", f"{pki}/server.key", "--ca", f"{pki}/ca.pem",
         "--tls", version, "--until-eof", "--log", log], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return server, int(server.stdout.readline().split()[1])


def main(folder, pki, credential, version):
    with tempfile.TemporaryDirectory() as work:
        with open(f"{work}/paint", "wb") as file:
            file.write(PAINT * STACK)
        shutil.copytree(f"{pki}/{credential}", f"{work}/upload")
        shutil.copy(f"{pki}/ca.pem", f"{work}/upload/ca_certs.pem")
        subprocess.run([f"{folder}/mtls-device", "--image", f"{work}/image", "status"], check=True, stdout=subprocess.DEVNULL)
        server, port = serve(folder, pki, version, f"{work}/seen")

        device = Device(folder, work, 0)
        device.upload(f"{work}/upload")
        device.off()

        device = Device(folder, work, 0)
        if "usable" not in device.ask("status"):
            sys.exit("firmware.py: the credential was not taken over")
        take_peak, take_stack = device.heap()[1], device.stack(device.debugger())
        device.off()

        device = Device(folder, work, port)
        rest = device.heap()[0]
        debugger = device.debugger()
        device.send(f"get https://localhost:{port}/ 10.0.2.100\n".encode())
        instructions = device.connect(debugger)
        debugger.go()
        device.answer()
        peak = device.heap()[1]
        debugger.socket.close()
        stack = device.stack(device.debugger())
        device.off()

        server.kill()
        with open(f"{work}/seen", encoding="ascii") as file:
            seen = re.search(r"\btls=(\S+).*?\bsubject=(\S+)", file.read()) or re.search("(.)(.)", "--")
        print(peak, rest, stack, take_peak, take_stack, instructions, seen[2], seen[1])


main(*sys.argv[1:])
