//! The daemon's own program, built together with the tests and with their fail-points.

fn main() -> std::process::ExitCode {
    publisher::cli::main()
}
