"""What the tunnel carries, delays and costs, through the real programs: one stream, forwarded ports,
copies over ssh, the echo of a key, processor time per GB, memory of what is idle, many pairs at the
relay. Two binaries are driven alike, one after the other, and compared.

Each figure is given as its p50 and p99 (the worst, where there are few samples). Client, agent, relay
and what the bytes come from share the machine. Nothing is gated: a machine that does something else
meanwhile gives other figures.
"""
import argparse
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from bench import Deployment, Postgres, free_port, rss_mib

COPY = 256 << 20
KEYS = 1000
# Of two programs between a key and its echo: on the way there and on the way back.
WAKEUPS = 4
# What one more of them costs is told from the last three quarters: the first find memory that is free already.
IDLE_STREAMS, IDLE_SESSIONS = 200, 200
# Programs of many sessions must not need more than so much of what is free.
MEMORY_SHARE = 0.4
RELAY_ONLY = {"CODER_DISABLE_DIRECT_CONNECTIONS": "true"}
TICKS = os.sysconf("SC_CLK_TCK")

# name -> (largest ratio to the peer; negative: smallest, largest value of our own)
GOALS = {
    "speedtest direct down, Mbit/s": (-12, None), "speedtest direct up, Mbit/s": (-12, None),
    "speedtest relayed down, Mbit/s": (-5, None), "speedtest relayed up, Mbit/s": (-5, None),
    "port-forward down, Mbit/s": (-8, None), "port-forward up, Mbit/s": (-8, None),
    "256 MiB over ssh down, s": (0.2, None), "256 MiB over ssh up, s": (0.2, None),
    "ssh true direct, s": (0.5, None), "ssh true relayed, s": (0.5, None), "ssh true by OpenSSH, s": (0.5, None),
    "CPU per GB of a stream, client, s": (0.15, None), "CPU per GB of a stream, agent, s": (0.15, None),
    "key echo added, quiet, ms": (None, 0.3), "key echo added, a copy of 20 MB/s, ms": (None, 0.3),
    "key echo added, a copy at full speed, ms": (None, 0.3),
    "idle stream, client, KiB": (None, 64), "idle stream, agent, KiB": (None, 64), "idle session, server, KiB": (None, 100),
    "relay, 100 pairs, Mbit/s": (-3, None), "relay, slowest pair of its share": (None, -0.5),
}


def cpu(pid):
    with contextlib.suppress(OSError):
        fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    return 0.0


def own_kib(pid):
    """Memory of a process's own. What it holds of its program is the same for one connection and for many, and
    comes and goes meanwhile."""
    with contextlib.suppress(OSError, TypeError):
        return int(re.search(r"Anonymous:\s+(\d+)", open(f"/proc/{pid}/smaps_rollup").read())[1])
    return 0


def available_mib():
    return int(re.search(r"MemAvailable:\s+(\d+)", open("/proc/meminfo").read())[1]) / 1024


class Service:
    """What listens in the workspace: gives, takes or echoes, as the first byte asks."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            stream, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(stream,), daemon=True).start()

    def serve(self, stream):
        block = bytearray(1 << 20)
        with contextlib.suppress(OSError), stream:
            what = stream.recv(1)
            while what == b"g":
                stream.sendall(block)
            while what == b"t" and stream.recv_into(block):
                pass
            while what == b"e":
                data = stream.recv(65536)
                if not data:
                    return
                stream.sendall(data)


class Bench:
    def __init__(self, binary, folder, database, tool, seconds):
        self.d, self.tool, self.seconds, self.figures = Deployment(binary, folder, database), tool, seconds, {}
        self.service = Service()

    def note(self, name, samples):
        if isinstance(samples, (int, float)):
            samples = [samples]
        samples = sorted(samples)
        at = lambda part: samples[min(len(samples) - 1, round((len(samples) - 1) * part))]
        # The worst is the largest, but for what should be large.
        low = "bit/s" in name or "share" in name
        return self.put(name, at(0.5), at(0.01) if low else at(0.99), len(samples))

    def put(self, name, *figure):
        self.figures[name] = figure
        print(f"  {name:52} p50 {figure[0]:10.3f}   p99 {figure[1]:10.3f}   ({figure[2]})", file=sys.stderr, flush=True)
        return figure

    def step(self, action):
        """One that fails costs its own figures alone."""
        try:
            action()
        except Exception as error:
            print(f"  {action.__name__}: {error}", file=sys.stderr, flush=True)

    def start(self, *args, env=None, **kw):
        return subprocess.Popen([self.d.binary, *args], env=dict(self.d.env, **(env or {})), **kw)

    def agent_cpu(self):
        return sum(cpu(pid) for pid in self.d.agents())

    def agent_kib(self):
        return max((own_kib(pid) for pid in self.d.agents()), default=0)

    def each_more(self, most, more, memory):
        """What `memory()` grows by with each call of `more()`, once there is a quarter of `most`."""
        few = most // 4
        for _ in range(few):
            more()
        # Memory is given back after a while.
        time.sleep(8)
        before = memory()
        for _ in range(most - few):
            more()
        time.sleep(8)
        return [(after - was) / (most - few) for was, after in zip(before, memory())]

    def run(self):
        self.d.boot()
        try:
            self.d.sign_in()
            self.d.cli("create", "base", "-t", "bench", "-y")
            self.d.cli("ssh", "base", "true")
            for action in (self.ssh_true, self.copies, self.speedtest, self.port_forward, self.echo, self.idle_streams,
                           self.idle_sessions, self.relay):
                self.step(action)
        finally:
            self.d.clean()
            with contextlib.suppress(Exception):
                self.d.halt()
        return self.figures

    def ssh_true(self):
        once = lambda: self.d.cli("ssh", "base", "true")
        self.note("ssh true direct, s", [once() for _ in range(21)])
        kept, self.d.env = self.d.env, dict(self.d.env, **RELAY_ONLY)
        try:
            self.note("ssh true relayed, s", [once() for _ in range(21)])
        finally:
            self.d.env = kept
        config = os.path.join(self.d.folder, "ssh_config")
        open(config, "w").close()
        self.d.cli("config-ssh", "--yes", "--ssh-config-file", config)
        samples = []
        for _ in range(21):
            began = time.time()
            subprocess.run(["ssh", "-F", config, "coder.base", "true"], env=self.d.env, check=True, stdin=subprocess.DEVNULL)
            samples.append(time.time() - began)
        self.note("ssh true by OpenSSH, s", samples)

    def copies(self):
        down, up, ours, theirs = [], [], [], []
        for _ in range(7):
            began, before = time.time(), self.agent_cpu()
            p = self.start("ssh", "base", "--", f"head -c {COPY} /dev/zero", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            got = 0
            while data := os.read(p.stdout.fileno(), 1 << 20):
                got += len(data)
            _, code, used = os.wait4(p.pid, 0)
            down.append(time.time() - began)
            if code or got != COPY:
                raise RuntimeError(f"{got} bytes came, exit code {code}")
            ours.append((used.ru_utime + used.ru_stime) / (COPY / 1e9))
            theirs.append((self.agent_cpu() - before) / (COPY / 1e9))
        for _ in range(7):
            began = time.time()
            p = self.start("ssh", "base", "--", "wc -c", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            block = bytes(1 << 20)
            for _ in range(COPY >> 20):
                p.stdin.write(block)
            told, _ = p.communicate()
            up.append(time.time() - began)
            if int(told) != COPY:
                raise RuntimeError(f"{told} bytes arrived")
        self.note("256 MiB over ssh down, s", down)
        self.note("256 MiB over ssh up, s", up)
        self.note("CPU per GB over ssh, client, s", ours)
        self.note("CPU per GB over ssh, agent, s", theirs)

    def speedtest(self):
        ours, theirs = [], []
        for way, env in (("direct", {}), ("relayed", RELAY_ONLY)):
            for direction in ("down", "up"):
                samples = []
                for _ in range(3):
                    before = self.agent_cpu()
                    p = self.start("speedtest", "base", "-t", f"{self.seconds}s", "--direction", direction, env=env,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                    text = p.stdout.read()
                    _, code, used = os.wait4(p.pid, 0)
                    found = re.findall(r"([\d.]+)\s*(K|M|G)bits/sec", text)
                    if code or not found:
                        raise RuntimeError(f"exit code {code}: {text[-300:]}")
                    value, unit = found[-1]
                    mbit = float(value) * {"K": 0.001, "M": 1, "G": 1000}[unit]
                    samples.append(mbit)
                    if way == "direct":
                        gigabytes = mbit * self.seconds / 8000
                        ours.append((used.ru_utime + used.ru_stime) / gigabytes)
                        theirs.append((self.agent_cpu() - before) / gigabytes)
                self.note(f"speedtest {way} {direction}, Mbit/s", samples)
        self.note("CPU per GB of a stream, client, s", ours)
        self.note("CPU per GB of a stream, agent, s", theirs)

    @contextlib.contextmanager
    def forwarded(self):
        port = free_port()
        p = self.start("port-forward", "base", "--tcp", f"{port}:{self.service.port}", stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(200):
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                time.sleep(0.05)
            yield p.pid, lambda: socket.create_connection(("127.0.0.1", port))
        finally:
            p.send_signal(signal.SIGINT)
            p.wait(20)

    def port_forward(self):
        with self.forwarded() as (pid, connect):
            for what, name in ((b"g", "down"), (b"t", "up")):
                samples, block = [], bytearray(1 << 20)
                with connect() as stream:
                    stream.sendall(what)
                    # A sample a second; the first finds its speed.
                    for sample in range(self.seconds + 1):
                        began, moved = time.time(), 0
                        while time.time() - began < 1:
                            moved += stream.recv_into(block) if what == b"g" else stream.send(block)
                        samples.append(moved * 8e-6 / (time.time() - began))
                self.note(f"port-forward {name}, Mbit/s", samples[1:])
                time.sleep(0.5)

    @contextlib.contextmanager
    def over_tcp(self, programs=1):
        """`cat` at the end of a TCP connection of the kernel: what nothing between could add to. With more of them
        in a row, every further one is a wakeup without work."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            near = socket.create_connection(listener.getsockname())
            far, _ = listener.accept()
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        row, source = [], far
        for left in reversed(range(programs)):
            row.append(subprocess.Popen(["cat"], stdin=source, stdout=subprocess.PIPE if left else far))
            if source is not far:
                source.close()
            source = row[-1].stdout
        far.close()
        try:
            yield near.fileno(), near.fileno()
        finally:
            for p in row:
                p.kill()
                p.wait()
            near.close()

    @contextlib.contextmanager
    def over_ssh(self):
        """`cat` in the workspace."""
        p = self.start("ssh", "base", "--", "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        try:
            yield p.stdin.fileno(), p.stdout.fileno()
        finally:
            p.kill()
            p.wait()

    def keys(self, beside):
        """Round trips of single bytes through all ways by turns, so that what else happens meets them alike.

        A tunnel of two programs wakes each of them twice for a key, whatever they do then: what four programs more
        that do nothing add is the least that any tunnel can add on this machine."""
        with self.over_tcp() as plain, self.over_tcp(1 + WAKEUPS) as least, self.over_ssh() as ours:
            samples = {plain: [], least: [], ours: []}
            for key in range(KEYS + 50):
                for way, times in samples.items():
                    began = time.perf_counter()
                    os.write(way[0], b"k")
                    if os.read(way[1], 1) != b"k":
                        raise RuntimeError("the echo ended")
                    if key >= 50:
                        times.append((time.perf_counter() - began) * 1000)
                    time.sleep(0.004)
            base = self.note(f"key echo over the kernel's TCP, {beside}, ms", samples[plain])
            floor = self.note(f"key echo, {WAKEUPS} more wakeups, {beside}, ms", samples[least])
            own = self.note(f"key echo over ssh, {beside}, ms", samples[ours])
            self.put(f"least that wakeups add, {beside}, ms", floor[0] - base[0], floor[1] - base[1], KEYS)
            self.put(f"key echo added, {beside}, ms", own[0] - base[0], own[1] - base[1], KEYS)

    def echo(self):
        self.keys("quiet")
        # One copy that takes a fifth of a core or so, and one that takes all it can get.
        for name, command in (("a copy of 20 MB/s", "while :; do head -c 200000 /dev/zero; sleep 0.01; done"),
                              ("a copy at full speed", "cat /dev/zero")):
            load = self.start("ssh", "base", "--", command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            try:
                time.sleep(1)
                self.keys(name)
            finally:
                load.kill()
                load.wait()
            time.sleep(1)

    def idle_streams(self):
        with self.forwarded() as (pid, connect):
            streams = []

            def more():
                stream = connect()
                stream.sendall(b"e" + bytes(4096))
                left = 4096
                while left:
                    left -= len(stream.recv(left))
                streams.append(stream)

            client, agent = self.each_more(IDLE_STREAMS, more, lambda: (own_kib(pid), self.agent_kib()))
            self.note("idle stream, client, KiB", client)
            self.note("idle stream, agent, KiB", agent)
            for stream in streams:
                stream.close()

    def idle_sessions(self):
        sessions = []

        def more():
            p = self.start("ssh", "base", "--", "echo here; exec sleep 600", env=RELAY_ONLY, stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            p.stdout.readline()
            sessions.append(p)

        try:
            more()
            most = min(IDLE_SESSIONS, int(available_mib() * MEMORY_SHARE / rss_mib(sessions[0].pid)))
            server, agent = self.each_more(most, more, lambda: (own_kib(self.d.server.pid), self.agent_kib()))
            began, used = time.time(), [cpu(p.pid) for p in sessions]
            time.sleep(10)
            ticks = [cpu(p.pid) - was for p, was in zip(sessions, used)]
            self.note("idle ssh, processor, ms per minute", [t * 60e3 / (time.time() - began) for t in ticks])
            self.note("idle ssh, memory of its own, KiB", [own_kib(p.pid) for p in sessions])
            self.note("idle session, server, KiB", server)
            self.note("idle session, agent, KiB", agent)
        finally:
            for p in sessions:
                p.kill()
                p.wait()

    def relay(self):
        if not self.tool:
            return
        env = dict(os.environ, CODER_BENCH_RELAY=f"127.0.0.1:{self.d.port}", CODER_BENCH_RELAY_PID=str(self.d.server.pid))
        total, share, core = [], [], []
        for _ in range(3):
            text = subprocess.run([self.tool, "relay"], env=env, capture_output=True, text=True, timeout=120).stdout
            found = re.search(r"pairs: (\d+) Mbit/s.*?(\d+) per core-second.*slowest pair ([\d.]+)", text)
            if not found:
                raise RuntimeError(f"the relay was not measured: {text}")
            total.append(float(found[1]))
            core.append(float(found[2]))
            share.append(float(found[3]))
        self.note("relay, 100 pairs, Mbit/s", total)
        self.note("relay, Mbit/s per core-second", core)
        self.note("relay, slowest pair of its share", share)


def verdict(value, ratio, goal):
    relative, own = goal
    said = []
    for limit, got in ((relative, ratio), (own, value)):
        if limit is not None and got is not None:
            fine = got >= -limit if limit < 0 else got <= limit
            said.append(f"{'>=' if limit < 0 else '<='} {abs(limit)}{'' if fine else '  MISSED'}")
    return "; ".join(said)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("--peer", help="another binary with the same command line and API")
    parser.add_argument("--tool", help="tunnel-bench, for the relay and for the tunnel without a server around it")
    parser.add_argument("--seconds", type=int, default=5, help="length of each run")
    parser.add_argument("--only", default="", help="methods to run, separated by commas: copies,echo,…")
    a = parser.parse_args()
    if a.only:
        wanted = set(a.only.split(","))
        known = Bench.step
        Bench.step = lambda self, action: action.__name__ in wanted and known(self, action)
    folder = tempfile.mkdtemp(prefix="coder-bench-")
    postgres = Postgres(folder)
    try:
        run = lambda binary, name: Bench(binary, os.path.join(folder, name), postgres.database(name), a.tool, a.seconds).run()
        print(a.binary, file=sys.stderr)
        ours = run(a.binary, "ours")
        theirs = {}
        if a.peer:
            print(a.peer, file=sys.stderr)
            theirs = run(a.peer, "peer")
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{os.cpu_count()} CPUs; client, agent, relay and the source of all bytes on one machine")
    print(f"{'':52} {'p50':>10} {'p99':>10} {'peer p50':>10} {'peer p99':>10} {'ratio':>8}  goal")
    for name, (p50, p99, _) in ours.items():
        peer = theirs.get(name)
        ratio = p50 / peer[0] if peer and peer[0] else None
        columns = [f"{p50:10.3f}", f"{p99:10.3f}"] + [f"{value:10.3f}" for value in (peer[:2] if peer else ())]
        line = f"{name:52} {' '.join(columns):43} {f'{ratio:.3f}' if ratio else '':>8}"
        # The goals of what is added are about the slow ones.
        value = p99 if "added" in name else p50
        print(f"{line}  {verdict(value, ratio, GOALS.get(name, (None, None)))}".rstrip())
    if a.tool:
        for part in ("speed", "echo", "idle", "emulated"):
            if not a.only or part in a.only.split(","):
                print(f"\ntunnel-bench {part}", flush=True)
                subprocess.run([a.tool, part], check=False)


if __name__ == "__main__":
    main()
