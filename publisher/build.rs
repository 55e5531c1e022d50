//! Makes every `presets/*.toml` and `calendars/*.toml` part of the program, so that an exchange, or the hours of a market,
//! are a file and no Rust.
//!
//! Writes `$OUT_DIR/presets.rs` and `$OUT_DIR/calendars.rs`: an array of each file's name without its ending, and its text;
//! and `$OUT_DIR/fixtures.rs`: an array of the venue, the name and the bytes of what the presets are tested with.

#![allow(clippy::print_stdout, reason = "Cargo reads what a build script prints")]

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    embed("presets")?;
    embed("calendars")?;
    embed_fixtures("presets/fixtures")
}

/// The files of the folders in one folder.
fn embed_fixtures(name: &str) -> io::Result<()> {
    println!("cargo:rerun-if-changed={name}");
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join(name);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let venue = entry?.path();
        for entry in fs::read_dir(&venue)? {
            let file = entry?.file_name().display().to_string();
            let venue = venue.file_name().unwrap_or_default().display().to_string();
            let at = format!("/{name}/{venue}/{file}");
            let bytes = format!("include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {at:?}))");
            files.push(format!("({venue:?}, {file:?}, {bytes}),\n"));
        }
    }
    write("fixtures", files)
}

/// The files of one folder.
fn embed(name: &str) -> io::Result<()> {
    println!("cargo:rerun-if-changed={name}");
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join(name);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let stem = path.file_stem().unwrap_or_default();
            // Where the tree is, is said by the compiler: what is built here may serve a tree that has moved.
            let at = format!("/{name}/{}", path.file_name().unwrap_or_default().display());
            files.push(format!("({stem:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {at:?}))),\n"));
        }
    }
    write(name, files)
}

fn write(name: &str, mut files: Vec<String>) -> io::Result<()> {
    // A folder has no order, and the reference of the configuration lists the files in theirs.
    files.sort();
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join(format!("{name}.rs"));
    fs::write(out, format!("&[\n{}]\n", files.concat()))
}
