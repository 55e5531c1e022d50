//! The only place that prints.

use serde_json::Value;
use std::io::{self, IsTerminal, Write};

/// A line of data on stdout. A reader that has gone away ends nothing; the verb goes on to its exit code.
pub(super) fn put(line: &str) {
    let _gone = writeln!(io::stdout().lock(), "{line}");
}

/// A line for people on stderr.
pub(super) fn say(line: &str) {
    let _gone = writeln!(io::stderr().lock(), "{line}");
}

/// Makes room for what replaces the last output; where nobody looks at a terminal, an empty line.
pub(super) fn clear() {
    let home = if io::stdout().is_terminal() { "\x1b[H\x1b[2J\x1b[3J" } else { "\n" };
    let _gone = write!(io::stdout().lock(), "{home}");
}

/// One JSON document on stdout, on one line.
pub(super) fn json(value: &Value) {
    put(&value.to_string());
}

/// Rows under each other, columns as wide as their widest cell; the last column is not padded.
pub(super) fn table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
        }
        put(line.trim_end());
    }
}
