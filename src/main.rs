//! The one binary: hands over to the command line.

use std::process::ExitCode;

/// A request makes a hundred small allocations: the system's allocator took a seventh of its CPU.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    pointsman::cli::main()
}
