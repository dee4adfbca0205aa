"""A Docker Engine of our own from Debian's packages, and base images made on this machine.

Nothing is pulled. Everything lies in one folder, and ``Engine.close`` puts the machine back:
containers, networks, firewall rules and the engine itself are gone.
"""

import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ("docker.io", "docker-cli", "docker-compose", "docker-buildx", "iptables", "mmdebstrap")
PROGRAMS = ("dockerd", "docker", "docker-init", "iptables-save", "mmdebstrap")
IMAGES = Path(__file__).with_name("images")
# the names that docker-compose.yml and the Dockerfile ask for, and what they are made of here
BASES = {
    "python:3.13-slim": ("python3", "python3-venv", "ca-certificates", "bubblewrap"),
    "placet-base/postgres": ("postgresql-17",),
    "placet-base/valkey": ("valkey-server", "valkey-tools"),
}
STAND_INS = {"postgres:17": "postgres.Dockerfile", "valkey/valkey:8": "valkey.Dockerfile"}


def run(*words: str, env: dict[str, str] | None = None, quiet: bool = True, text: str = "") -> str:
    """Run a program to its end and return its output; raise with its words when it fails."""
    done = subprocess.run(
        words,
        text=True,
        check=False,
        input=text,
        env=env,
        capture_output=True,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words[:6])} …: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    if not quiet:
        print(done.stdout, done.stderr, flush=True)
    return done.stdout


def install() -> None:
    """Install what is missing, as root."""
    missing = [p for p in PROGRAMS if not any((Path(d) / p).exists() for d in _path())]
    if not missing:
        return
    if os.geteuid() != 0:
        raise RuntimeError(f"{', '.join(missing)} are missing: install {' '.join(PACKAGES)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES, env=environment)


def _path() -> list[str]:
    return [*os.environ.get("PATH", "").split(":"), "/usr/sbin", "/sbin"]


@dataclass
class Engine:
    """One dockerd in ``folder``, which must not exist yet; ``memory`` keeps all of it in memory."""

    folder: Path
    memory: bool = False
    process: "subprocess.Popen[bytes] | None" = None
    rules: dict[str, list[str]] = field(default_factory=dict)
    links: set[str] = field(default_factory=set)
    forwarding: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What the docker client needs to find this engine and nothing of the user's."""
        return os.environ | {
            "DOCKER_HOST": f"unix://{self.folder}/docker.sock",
            "DOCKER_CONFIG": str(self.folder / "client"),
        }

    def start(self) -> None:
        """Start the engine and wait until it answers."""
        self.folder.mkdir(parents=True)
        if self.memory:  # about 6 GB; several times as fast where disks are slow
            run("mount", "-t", "tmpfs", "-o", "dev,size=10g", "tmpfs", str(self.folder))
        take_share()
        self.rules, self.links = firewall(), links()
        self.forwarding = _FORWARDING.read_text()
        settings = {
            "hosts": [f"unix://{self.folder}/docker.sock"],
            "data-root": f"{self.folder}/data",
            "exec-root": f"{self.folder}/exec",
            "pidfile": f"{self.folder}/dockerd.pid",
            "storage-driver": "overlay2",
            "bridge": "none",
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "cgroup-parent": GROUP,
            "ip": "127.0.0.1",
            "default-address-pools": [{"base": "10.213.0.0/16", "size": 24}],
            "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 20000, "Hard": 20000}},
        }
        (self.folder / "daemon.json").write_text(json.dumps(settings))
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                ["dockerd", "--config-file", str(self.folder / "daemon.json")],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        end = time.monotonic() + 60
        while self._silent():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError((self.folder / "log").read_text()[-3000:])
            time.sleep(0.2)

    def _silent(self) -> bool:
        command = ["docker", "version"]
        done = subprocess.run(command, env=self.environment, capture_output=True, check=False)
        return done.returncode != 0

    def docker(self, *words: str, **variables: str) -> str:
        """Run the client."""
        return run("docker", *words, env=self.environment | variables)

    def make_bases(self) -> None:
        """Make a Debian of each set of packages, and the images that stand in for official ones."""
        scratch = self.folder / "scratch"
        scratch.mkdir(mode=0o755)
        for name, packages in BASES.items():
            archive = self.folder / "base.tar"
            run(
                "mmdebstrap",
                "--quiet",
                "--variant=minbase",
                f"--include={','.join(packages)}",
                '--aptopt=APT::Install-Recommends "false"',
                codename(),
                str(archive),
                *sources(),
                env=os.environ | {"TMPDIR": str(scratch)},
            )
            self.docker("import", str(archive), name)
            archive.unlink()
        for name, file in STAND_INS.items():
            self.docker(
                "build",
                "-q",
                "--network",
                "none",
                "-t",
                name,
                "-f",
                str(IMAGES / file),
                str(IMAGES),
            )

    def close(self) -> list[str]:
        """Stop the engine, put the machine back, and name whatever is still there."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
        for link in links() - self.links:
            subprocess.run(["ip", "link", "delete", link], capture_output=True, check=False)
        restore_firewall(self.rules)
        drop_groups()
        _FORWARDING.write_text(self.forwarding)
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            if f"{line.split()[1]}/".startswith(f"{self.folder}/"):
                subprocess.run(["umount", "-l", line.split()[1]], check=False)
        run("rm", "-rf", "--one-file-system", str(self.folder))
        left = [f"link {name}" for name in sorted(links() - self.links)]
        left += [f"rule {rule}" for rule in _new_rules(firewall(), self.rules)]
        return left + [f"folder {self.folder}"] * self.folder.exists()


GROUP = "placet-compose"
_SHARE = Path("/sys/fs/cgroup/cpu", GROUP, "cpu.shares")


def take_share() -> None:
    """Let the containers weigh as the dozen of processes that they are.

    A group that says nothing weighs as one process of the machine, all its containers together:
    on a busy machine they would starve. (Only version 1 of cgroups counts so.)
    """
    if _SHARE.parent.parent.joinpath("cpu.shares").exists():
        _SHARE.parent.mkdir(exist_ok=True)
        _SHARE.write_text(str(12 * 1024))


def drop_groups() -> None:
    """Remove the control groups of the engine, innermost first."""
    for group in Path("/sys/fs/cgroup").glob(f"*/{GROUP}"):
        for place, _, _ in os.walk(group, topdown=False):
            Path(place).rmdir()


_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")


def codename() -> str:
    """Return the Debian release of this machine."""
    lines = Path("/etc/os-release").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    return found["VERSION_CODENAME"].strip('"')


def sources() -> list[str]:
    """Return the files of this machine that name an archive on the network."""
    listed = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*.sources")]
    return [str(p) for p in listed if p.exists() and "URIs: http" in p.read_text()]


def links() -> set[str]:
    """Return the names of the network devices."""
    return {path.name for path in Path("/sys/class/net").iterdir()}


def firewall() -> dict[str, list[str]]:
    """Return the rules of each table, as ``iptables-save`` writes them, without counters."""
    tables: dict[str, list[str]] = {}
    table = ""
    for line in run("iptables-save").splitlines():
        if line.startswith("*"):
            table = line[1:]
            tables[table] = []
        elif line.startswith((":", "-A")):
            tables[table].append(line.partition(" [")[0])
    return tables


def _new_rules(now: dict[str, list[str]], before: dict[str, list[str]]) -> list[str]:
    return [
        f"{t} {r}"
        for t, rules in now.items()
        for r in rules
        if r not in before.get(t, []) and not _standard(r)
    ]


def _standard(rule: str) -> bool:
    """A table that was not loaded before has its standard chains now, all open."""
    return rule.startswith(":") and rule.split()[1] == "ACCEPT"


def restore_firewall(before: dict[str, list[str]]) -> None:
    """Remove the rules and chains that were not there before; set policies back."""
    for table, rules in firewall().items():
        known = before.get(table, [])
        fresh = [r for r in rules if r not in known]
        for rule in [r for r in fresh if r.startswith("-A")]:
            run("iptables", "-t", table, "-D", *rule.split()[1:])
        for rule in [r for r in fresh if r.startswith(":")]:
            name, policy = rule[1:].split()[:2]
            if policy == "-":
                run("iptables", "-t", table, "-X", name)
            else:
                old = next((r.split()[1] for r in known if r.startswith(f":{name} ")), "ACCEPT")
                run("iptables", "-t", table, "-P", name, old)
