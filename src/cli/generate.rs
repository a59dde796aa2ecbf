//! `completions` and `man`: what is made from the description of the command line itself.

use std::{fs, io, path::PathBuf};

use clap::Args;
use clap_complete::Shell;

use super::{
    command,
    exit::{CODES, Done},
    output::print,
};

/// Completions for a shell, on standard output.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// Which.
    shell: Shell,
}

/// The manual: one page on standard output, or a page for every command into a directory.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Where the pages go.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Completions {
    pub(super) fn run(&self) -> Done {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command(), "pointsman", &mut script);
        print(&script)
    }
}

impl Man {
    pub(super) fn run(self) -> Done {
        let Some(directory) = self.dir else { return print(&page()?) };
        fs::create_dir_all(&directory)?;
        clap_mangen::generate_to(command(), &directory)?;
        fs::write(directory.join("pointsman.1"), page()?)?;
        Ok(())
    }
}

/// The page of the whole, with the codes it may end with.
fn page() -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command().after_long_help("")).render(&mut page)?;
    page.extend(b".SH \"EXIT STATUS\"\n");
    for (code, meaning) in CODES {
        page.extend(format!(".TP\n{code}\n{meaning}\n").bytes());
    }
    Ok(page)
}
