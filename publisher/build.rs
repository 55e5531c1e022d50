//! Makes every `presets/*.toml` part of the program, so that an exchange is a file and no Rust.
//!
//! Writes `$OUT_DIR/presets.rs`: an array of each file's name without its ending, and its text.

#![allow(clippy::print_stdout, reason = "Cargo reads what a build script prints")]

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=presets");
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("presets");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let name = path.file_stem().unwrap_or_default().to_owned();
            files.push(format!("({name:?}, include_str!({path:?})),\n"));
        }
    }
    // A folder has no order, and the reference of the configuration lists the presets in theirs.
    files.sort();
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("presets.rs");
    fs::write(out, format!("&[\n{}]\n", files.concat()))
}
