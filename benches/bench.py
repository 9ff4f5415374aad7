"""Times what a person waits for, and weighs what it costs: start, push, create, shell,
stop, start, delete, requests per second, memory. Two binaries are driven alike, one after
the other, each on a fresh database of one throw-away PostgreSQL, and compared.

Medians of several runs; nothing is gated here, figures are printed with their conditions.
"""
import argparse
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

PASSWORD = "Correct-Horse-9-Battery"

# name -> (what it is, largest ratio to the peer that we accept)
GOALS = {
    "cold start, s": 0.25, "warm start, s": 0.6, "server memory fresh, MiB": 0.15, "server memory at the end, MiB": 0.15,
    "template push, s": 0.4, "create to shell, s": 0.25, "ssh true, s": 0.5, "stop, s": 0.3, "start, s": 0.3, "delete, s": 0.3,
    "CLI memory, MiB": 0.1, "agent memory, MiB": 0.08, "users/me, requests/s": -12, "one workspace, requests/s": -30,
    "workspace list, requests/s": -30, "fleet connected, s": 0.3,
}

TEMPLATE = """
terraform {
  required_providers {
    coder = {
      source = "coder/coder"
    }
  }
}
data "coder_workspace" "me" {}
resource "coder_agent" "main" {
  os   = "linux"
  arch = "amd64"
}
resource "terraform_data" "process" {
  count = data.coder_workspace.me.start_count
  input = {
    id     = data.coder_workspace.me.id
    script = coder_agent.main.init_script
    token  = coder_agent.main.token
  }
  provisioner "local-exec" {
    command = "d=ROOT/$ID; mkdir -p $d && cd $d && (HOME=$d BINARY_DIR=$d setsid sh -c \\"$SCRIPT\\" > agent.log 2>&1 < /dev/null & echo $! > pid)"
    environment = {
      ID                = self.input.id
      SCRIPT            = self.input.script
      CODER_AGENT_TOKEN = self.input.token
    }
  }
  provisioner "local-exec" {
    when    = destroy
    command = "kill -TERM -$(cat ROOT/${self.input.id}/pid) || true"
  }
}
"""


def free_port():
    with contextlib.closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def rss_mib(pid):
    with contextlib.suppress(OSError, TypeError):
        return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read())[1]) / 1024
    return 0.0


class Postgres:
    """A throw-away server from Debian's packages."""

    def __init__(self, folder):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not found:
            sys.exit("PostgreSQL is not installed (Debian: apt-get install postgresql)")
        self.bin, self.data, self.port = found[-1], os.path.join(folder, "pg"), free_port()
        os.makedirs(self.data)
        if os.geteuid() == 0:
            shutil.chown(self.data, "postgres")
            os.chmod(folder, 0o755)
        self.call("initdb", "-A", "trust", "-U", "postgres", "-D", self.data)
        self.call("pg_ctl", "-w", "-D", self.data, "-l", self.data + "/log", "-o", f"-p {self.port} -k {self.data}", "start")

    def call(self, program, *args):
        argv = [os.path.join(self.bin, program), *args]
        if os.geteuid() == 0:
            argv = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--", *argv]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, cwd="/")

    def database(self, name):
        base = f"postgres://postgres@127.0.0.1:{self.port}"
        subprocess.run(["psql", "-q", f"{base}/postgres", "-c", f"create database {name}"], check=True)
        return f"{base}/{name}?sslmode=disable"

    def stop(self):
        self.call("pg_ctl", "-m", "immediate", "-D", self.data, "stop")


class Deployment:
    """One binary as server and command line, with everything it left behind in one folder."""

    def __init__(self, binary, folder, database):
        self.binary, self.folder, self.port = os.path.abspath(binary), folder, free_port()
        self.url, self.server = f"http://127.0.0.1:{self.port}", None
        self.root = os.path.join(folder, "ws")
        self.env = dict(os.environ, NO_COLOR="1", CODER_CONFIG_DIR=os.path.join(folder, "cli"))
        self.server_env = dict(
            os.environ, CODER_CONFIG_DIR=os.path.join(folder, "server"), CODER_CACHE_DIRECTORY=os.path.join(folder, "cache"),
            CODER_HTTP_ADDRESS=f"127.0.0.1:{self.port}", CODER_ACCESS_URL=self.url, CODER_TELEMETRY_ENABLE="false",
            CODER_UPDATE_CHECK="false", CODER_DERP_SERVER_STUN_ADDRESSES="disable", CODER_DANGEROUS_DISABLE_RATE_LIMITS="true",
            CODER_PG_CONNECTION_URL=database)
        os.makedirs(folder)

    def boot(self):
        began = time.time()
        log = open(os.path.join(self.folder, "server.log"), "ab")
        self.server = subprocess.Popen([self.binary, "server"], env=self.server_env, stdout=log, stderr=log, start_new_session=True)
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(self.url + "/healthz", timeout=1).read()
                return time.time() - began
            if self.server.poll() is not None or time.time() - began > 60:
                sys.exit(f"{self.binary} server did not become healthy; see {self.folder}/server.log")
            time.sleep(0.01)

    def halt(self):
        self.server.send_signal(signal.SIGINT)
        self.server.wait(60)

    def cli(self, *args):
        began = time.time()
        done = subprocess.run([self.binary, *args], env=self.env, capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise RuntimeError(f"{' '.join(args)}: exit code {done.returncode}: {(done.stdout + done.stderr)[-500:]}")
        return time.time() - began

    def api(self, path, method="GET", body=None):
        request = urllib.request.Request(
            self.url + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Coder-Session-Token": self.token, "Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request, timeout=60))

    def sign_in(self):
        """Makes the first user, and a template `bench` whose workspaces are processes of this machine."""
        self.cli("login", self.url, "--first-user-username", "admin", "--first-user-email", "admin@example.com",
                 "--first-user-password", PASSWORD, "--first-user-trial=false")
        self.token = open(os.path.join(self.folder, "cli/session")).read().strip()
        template = os.path.join(self.folder, "template")
        os.makedirs(template)
        open(os.path.join(template, "main.tf"), "w").write(TEMPLATE.replace("ROOT", self.root))
        self.push()

    def push(self):
        return self.cli("templates", "push", "bench", "-d", os.path.join(self.folder, "template"), "-y")

    def agents(self):
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    if f"HOME={self.root}/".encode() in open(f"/proc/{entry}/environ", "rb").read():
                        yield int(entry)

    def clean(self):
        for pid in list(self.agents()):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def requests_per_second(deployment, path):
    out = subprocess.run(["wrk", "-t1", "-c8", "-d4s", "-H", f"Coder-Session-Token: {deployment.token}", deployment.url + path],
                         capture_output=True, text=True).stdout
    if "Non-2xx" in out:
        raise RuntimeError(out)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])


def measure(binary, folder, database, agents):
    d, f = Deployment(binary, folder, database), {}

    def note(name, value):
        f[name] = value
        print(f"  {name:32} {value:10.3f}", file=sys.stderr, flush=True)

    median = lambda n, action: statistics.median(action(i) for i in range(n))
    note("cold start, s", d.boot())
    time.sleep(3)
    note("server memory fresh, MiB", rss_mib(d.server.pid))
    try:
        d.sign_in()
        note("template push, s", median(3, lambda _: d.push()))
        d.cli("create", "base", "-t", "bench", "-y")
        note("create to shell, s", median(3, lambda i: d.cli("create", f"c{i}", "-t", "bench", "-y") + d.cli("ssh", f"c{i}", "true")))
        note("ssh true, s", median(11, lambda _: d.cli("ssh", "base", "true") if _ >= 0 else 0))
        timed = subprocess.run(["/usr/bin/time", "-f", "%M", d.binary, "ssh", "base", "true"], env=d.env, capture_output=True, text=True)
        note("CLI memory, MiB", int(timed.stderr.split()[-1]) / 1024)
        note("agent memory, MiB", max((rss_mib(p) for p in d.agents()), default=0))
        note("stop, s", median(3, lambda i: d.cli("stop", f"c{i}", "-y")))
        note("start, s", median(3, lambda i: d.cli("start", f"c{i}", "-y")))
        note("delete, s", median(3, lambda i: d.cli("delete", f"c{i}", "-y")))
        workspace = d.api("/api/v2/workspaces?q=owner:me")["workspaces"][0]["id"]
        note("users/me, requests/s", requests_per_second(d, "/api/v2/users/me"))
        note("one workspace, requests/s", requests_per_second(d, f"/api/v2/workspaces/{workspace}"))
        note("workspace list, requests/s", requests_per_second(d, "/api/v2/workspaces?q=owner:me"))
        template_id = next(t["id"] for t in d.api("/api/v2/templates") if t["name"] == "bench")
        began = time.time()
        waiting = {d.api("/api/v2/users/me/workspaces", "POST", {"name": f"f{i}", "template_id": template_id})["id"] for i in range(agents)}
        while waiting and time.time() - began < 240:
            for w in list(waiting):
                build = d.api(f"/api/v2/workspaces/{w}")["latest_build"]
                if build["status"] == "failed":
                    raise RuntimeError(f"a build failed: {build['job'].get('error')}")
                if any(a["status"] == "connected" for r in build["resources"] or [] for a in r.get("agents") or []):
                    waiting.discard(w)
            time.sleep(0.05)
        note("fleet connected, s", time.time() - began if not waiting else float("inf"))
        note("server memory at the end, MiB", rss_mib(d.server.pid))
        d.halt()
        note("warm start, s", d.boot())
        note("binary, MiB", os.path.getsize(d.binary) / 2**20)
    finally:
        d.clean()
        with contextlib.suppress(Exception):
            d.halt()
    return f


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("--peer", help="another binary with the same command line and API")
    parser.add_argument("--agents", type=int, default=30)
    a = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="coder-bench-")
    postgres = Postgres(folder)
    try:
        print(a.binary, file=sys.stderr)
        ours = measure(a.binary, os.path.join(folder, "ours"), postgres.database("ours"), a.agents)
        theirs = {}
        if a.peer:
            print(a.peer, file=sys.stderr)
            theirs = measure(a.peer, os.path.join(folder, "peer"), postgres.database("peer"), a.agents)
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{os.cpu_count()} CPUs, PostgreSQL on the same machine, {a.agents} workspaces in the fleet")
    print(f"{'':32} {'ours':>10} {'peer':>10} {'ratio':>8}  goal")
    for name, value in ours.items():
        peer, goal = theirs.get(name), GOALS.get(name)
        ratio = f"{value / peer:8.3f}" if peer else " " * 8
        text = "" if goal is None else (f">= {-goal}" if goal < 0 else f"<= {goal}")
        print(f"{name:32} {value:10.3f} {peer if peer is not None else float('nan'):10.3f} {ratio}  {text}")


if __name__ == "__main__":
    main()
