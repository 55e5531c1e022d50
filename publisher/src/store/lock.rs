//! One process a journal: an exclusive lock of the operating system on a file beside the database.
//!
//! The lock ends with the process, however it ends, so there is nothing to clean up after a crash. The file stays:
//! removing it would let two processes hold locks on two files of one name. Not for network file systems.

use super::StoreError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Held until dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of `journal` or says who has it.
    pub(super) fn take(journal: &Path) -> Result<Self, StoreError> {
        let path = lock_path(journal);
        let fail = |reason: std::io::Error| StoreError::Path {
            path: journal.display().to_string(),
            reason: format!("its lock file {} cannot be used: {reason}", path.display()),
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // Only to make the message better: who cannot be read is not named.
                let _ = (&file).take(32).read_to_string(&mut pid);
                let pid: u32 = pid.trim().parse().unwrap_or(0);
                let holder = if pid == 0 { String::new() } else { format!("(process {pid})") };
                return Err(StoreError::Held { path: path.display().to_string(), holder });
            }
            Err(TryLockError::Error(reason)) => return Err(fail(reason)),
        }
        // The name is for people; a disk too full to take it does not weaken the lock.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { file })
    }
}

impl Drop for Lock {
    /// A child process that is just being started has the file open until it becomes another program; closing ours alone
    /// would leave the lock with it for that long.
    fn drop(&mut self) {
        let _ = self.file.unlock(); // Closing the file is the second try.
    }
}

/// `<journal>.lock`.
fn lock_path(journal: &Path) -> PathBuf {
    let mut name = journal.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}
