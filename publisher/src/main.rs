//! The program `publisher`.

fn main() -> std::process::ExitCode {
    publisher::cli::main()
}
