//! A real PostgreSQL of one's own: Debian's package, a temporary folder, a loopback port.
//!
//! The server lives no longer than the process that started it, however that ends: a small shell waits for the end of
//! its input and stops it then. Only what was started here is ever signalled. Used by the unit tests of the store as
//! well, which is why nothing but `std`, `tempfile` and its neighbour is needed.

use super::ports::free_port;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The database's own user. It is no secret: nobody but this machine reaches the server.
const USER: &str = "oracle";
/// How long a server may take to answer, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. It is stopped when this is dropped.
pub struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    guard: Option<Child>,
}

impl Postgres {
    /// A server with the empty database `oracle`. Installs the Debian package if there is none.
    ///
    /// # Errors
    /// If there is no server and none can be installed, in words for whoever reads the tests' output.
    pub fn start() -> io::Result<Self> {
        let (programs, folder) = (programs()?, folder()?);
        let mut server = Self { programs, folder, port: 0, guard: None };
        let data = server.data();
        let init = ["-D", text(&data)?, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"];
        succeeded(server.program("initdb").args(init).output()?)?;
        server.resume()?;
        server.sql("postgres", &format!("CREATE DATABASE {USER}"))?;
        Ok(server)
    }

    /// A standby of this server with a copy of its data that follows its write-ahead log, or, if `frozen`, a copy of
    /// what there is now: what an asynchronous standby has that was cut off.
    pub fn standby(&self, frozen: bool) -> io::Result<Self> {
        let mut server = Self { programs: self.programs.clone(), folder: folder()?, port: 0, guard: None };
        let (data, port) = (server.data(), self.port.to_string());
        let mut copy = server.program("pg_basebackup");
        copy.args([
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            USER,
            "-D",
            text(&data)?,
            "-X",
            "stream",
            "-c",
            "fast",
        ]);
        if !frozen {
            copy.arg("-R");
        }
        succeeded(copy.output()?)?;
        if frozen {
            fs::write(data.join("standby.signal"), "")?;
        }
        server.resume()?;
        Ok(server)
    }

    /// Makes a standby the primary, on a timeline of its own.
    pub fn promote(&self) -> io::Result<()> {
        let data = self.data();
        succeeded(self.program("pg_ctl").args(["promote", "-w", "-D", text(&data)?]).output()?).map(drop)
    }

    /// Starts it again, at a port of its own.
    pub fn resume(&mut self) -> io::Result<()> {
        if self.port == 0 {
            self.port = free_port()?;
        }
        let data = self.data();
        let log = File::options().create(true).append(true).open(self.folder.path().join("server.log"))?;
        let setup = [
            format!("port={}", self.port),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            // No test here cuts the power.
            "fsync=off".to_owned(),
        ];
        let mut guard = self.as_owner("sh");
        guard.args(["-c", r#""$@" & server=$!; read -r end; kill -QUIT $server; wait $server"#, "guard"]);
        guard.arg(self.programs.join("postgres")).args(["-D", text(&data)?]);
        guard.args(setup.iter().flat_map(|one| ["-c", one]));
        let guard = guard.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log).spawn()?;
        self.guard = Some(guard);
        let deadline = Instant::now() + PATIENCE;
        while !self.is_up()? {
            if Instant::now() > deadline {
                let log = fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
                return Err(io::Error::other(format!("PostgreSQL does not answer:\n{log}")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Ends it at once, as a crash does: nothing is finished, clients are cut off.
    pub fn crash(&mut self) -> io::Result<()> {
        if let Some(mut guard) = self.guard.take() {
            // The end of its input.
            drop(guard.stdin.take());
            guard.wait()?;
        }
        Ok(())
    }

    /// The URL of a database on it.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// The URL of the database `oracle`.
    pub fn url(&self) -> String {
        self.url_of(USER)
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What a statement prints, unaligned and without headings.
    pub fn sql(&self, database: &str, statement: &str) -> io::Result<String> {
        let url = self.url_of(database);
        let output =
            self.program("psql").args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, &url]).output()?;
        Ok(String::from_utf8_lossy(&succeeded(output)?.stdout).trim().to_owned())
    }

    fn is_up(&self) -> io::Result<bool> {
        let port = self.port.to_string();
        let asked = self.program("pg_isready").args(["-q", "-h", "127.0.0.1", "-p", &port]).status()?;
        Ok(asked.success())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        self.as_owner(path.to_str().unwrap_or(name))
    }

    /// PostgreSQL refuses to run as root: then it runs as the user that its package made.
    fn as_owner(&self, program: &str) -> Command {
        let mut command = match is_root() {
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--", program]);
                command
            }
            false => Command::new(program),
        };
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _gone = self.crash();
    }
}

/// The folder of the newest installed server's programs.
fn programs() -> io::Result<PathBuf> {
    if let Some(found) = installed() {
        return Ok(found);
    }
    if !is_root() {
        let reason = "PostgreSQL is not installed (Debian: postgresql), and only root can install it";
        return Err(io::Error::other(reason));
    }
    let lock = File::create(std::env::temp_dir().join("publisher-tests-postgresql.lock"))?;
    lock.lock()?;
    if let Some(found) = installed() {
        return Ok(found);
    }
    let install = ["install", "-y", "--no-install-recommends", "postgresql"];
    let apt = |arguments: &[&str]| {
        Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").output()
    };
    if !apt(&install)?.status.success() {
        // The lists of packages may be missing or old.
        apt(&["update"])?;
        succeeded(apt(&install)?)?;
    }
    installed().ok_or_else(|| io::Error::other("the package postgresql brought no server"))
}

fn installed() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.filter_map(|entry| Some((version(&entry.path())?, entry.path()))).max()?;
    Some(newest.1.join("bin")).filter(|programs| programs.join("initdb").is_file())
}

/// A folder that the server's user owns.
fn folder() -> io::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    if is_root() {
        let users = fs::read_to_string("/etc/passwd")?;
        let entry = users.lines().find(|line| line.starts_with("postgres:"));
        let mut ids = entry.into_iter().flat_map(|line| line.split(':').skip(2)).map(str::parse);
        let (Some(Ok(user)), Some(Ok(group))) = (ids.next(), ids.next()) else {
            return Err(io::Error::other("there is no user postgres"));
        };
        chown(folder.path(), Some(user), Some(group))?;
    }
    Ok(folder)
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn text(path: &Path) -> io::Result<&str> {
    path.to_str().ok_or_else(|| io::Error::other("a path that is no text"))
}

fn succeeded(output: Output) -> io::Result<Output> {
    if output.status.success() {
        return Ok(output);
    }
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(io::Error::other(format!("{}: {out}{err}", output.status)))
}
