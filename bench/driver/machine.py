"""What machine this is, and how much of it others use meanwhile."""

import glob
import os
import platform
import re
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count() or 1


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def output(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def facts(peers):
    cpu = re.search(r"^model name\s*:\s*(.*)$", read("/proc/cpuinfo"), re.M)
    memory = re.search(r"^MemTotal:\s*(\d+)", read("/proc/meminfo"), re.M)
    versions = {os.path.basename(path): read(path).strip() for path in sorted(glob.glob(os.path.join(peers, "versions", "*")))}
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": "%d x %s, %.0f GiB" % (CORES, cpu.group(1) if cpu else platform.machine(), int(memory.group(1)) / 2**20),
        # Behind the first "-" a kernel has its builder's name.
        "system": "Linux %s (%s), %s" % (platform.release().split("-")[0], read("/proc/sys/net/ipv4/tcp_congestion_control").strip(),
                                         re.search(r'^PRETTY_NAME="(.*)"', read("/etc/os-release"), re.M).group(1)),
        "load": read("/proc/loadavg").split()[0],
        "peers": {name: text for name, text in versions.items() if not name.endswith(".missing")},
        "skipped": {name[:-len(".missing")]: text for name, text in versions.items() if name.endswith(".missing")},
        "tools": {"h2load": output(["h2load", "--version"]), "etcd": output(["etcd", "--version"]).split("\n")[0]},
    }


def cpu_s(pid):
    """What a process has used so far, to the nanosecond; of threads that ended, nothing is known."""
    used = 0
    for path in glob.glob("/proc/%d/task/*/schedstat" % pid):
        try:
            used += int(read(path).split()[0])
        except OSError:
            pass
    return used / 1e9


def status_kb(pid, key):
    return int(re.search(key + r":\s+(\d+)", read("/proc/%d/status" % pid)).group(1))


class Watch:
    """CPU, in cores, that neither `processes` nor our children used between its making and look()."""

    def __init__(self, processes=()):
        self.processes = processes
        self.began = self.figures()

    def figures(self):
        fields = [int(word) / TICKS for word in read("/proc/stat").split("\n", 1)[0].split()[1:]]
        times = os.times()
        return {
            "at": time.monotonic(),
            "busy": sum(fields[:8]) - fields[3] - fields[4] - fields[7],
            "steal": fields[7],
            "ours": sum(cpu_s(process.pid) for process in self.processes) + times.children_user + times.children_system + times.user + times.system,
        }

    def look(self):
        now = self.figures()
        elapsed = now["at"] - self.began["at"]
        grown = {key: (now[key] - self.began[key]) / elapsed for key in ("busy", "steal", "ours")}
        return {"foreign": round(max(0.0, grown["busy"] - grown["ours"]), 3), "steal": round(max(0.0, grown["steal"]), 3)}
