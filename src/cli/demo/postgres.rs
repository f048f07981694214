//! A private, throwaway PostgreSQL: made in a directory of its own, gone with it.
//!
//! Must not touch any other cluster on the machine.

use crate::cli::Failure;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A running cluster; stopped and removed when dropped.
pub struct PrivatePostgres {
    bin: PathBuf,
    dir: PathBuf,
    as_root: bool,
    /// How to reach it.
    pub url: String,
}

impl PrivatePostgres {
    /// Makes a cluster in `parent` and starts it on a free port.
    pub fn start(parent: &Path) -> Result<Self, Failure> {
        let bin = find_programs()?;
        let dir = parent.join("postgres");
        std::fs::create_dir_all(&dir).map_err(|e| Failure::failed(format!("{}: {e}", dir.display())))?;
        let port = free_port()?;
        let as_root = is_root();
        let cluster = Self {
            bin,
            url: format!("postgres://postgres@127.0.0.1:{port}/postgres"),
            as_root,
            dir: dir.clone(),
        };
        if as_root {
            // The server refuses to run as root; the package's own user runs it.
            for path in [parent, &dir] {
                check("chown", Command::new("chown").arg("postgres").arg(path).output())?;
            }
        }
        let data = cluster.data();
        check(
            "initdb",
            cluster
                .command("initdb", &["-A", "trust", "-U", "postgres", "-N", "-D", &data])
                .output(),
        )?;
        let options = format!(
            "-k {} -p {port} -c listen_addresses=127.0.0.1 -c max_connections=60",
            dir.display()
        );
        let log = dir.join("log").display().to_string();
        let args = ["-D", &data, "-l", &log, "-o", &options, "-w", "start"];
        check(
            "pg_ctl start",
            cluster
                .command("pg_ctl", &args)
                .stdout(std::process::Stdio::null())
                .output(),
        )?;
        Ok(cluster)
    }

    fn data(&self) -> String {
        self.dir.join("data").display().to_string()
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let path = self.bin.join(program);
        let mut command = if self.as_root {
            let mut runuser = Command::new("runuser");
            runuser.args(["-u", "postgres", "--"]).arg(path);
            runuser
        } else {
            Command::new(path)
        };
        command.args(args).current_dir("/");
        command
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        let data = self.data();
        let _ = self
            .command("pg_ctl", &["-D", &data, "-m", "immediate", "-w", "stop"])
            .output();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn check(what: &str, output: std::io::Result<Output>) -> Result<(), Failure> {
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(Failure::failed(format!(
            "{what}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ))),
        Err(error) => Err(Failure::failed(format!("{what}: {error}"))),
    }
}

/// The newest server programs on the machine.
fn find_programs() -> Result<PathBuf, Failure> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|e| Some((e.file_name().to_str()?.parse().ok()?, e.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    if let Some((_, bin)) = found.pop() {
        return Ok(bin);
    }
    let on_path =
        std::env::var_os("PATH").and_then(|p| std::env::split_paths(&p).find(|d| d.join("initdb").exists()));
    on_path.ok_or_else(|| {
        Failure::unreachable("PostgreSQL's server programs (initdb, pg_ctl) are not on this machine")
            .hint("apt-get install postgresql")
    })
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|o| String::from_utf8_lossy(&o.stdout).trim() == "0")
}

fn free_port() -> Result<u16, Failure> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    listener
        .map(|a| a.port())
        .map_err(|e| Failure::failed(format!("no free port: {e}")))
}
