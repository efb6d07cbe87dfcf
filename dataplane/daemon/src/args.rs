//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Layer-4 load balancer: Linux IPVS in user space, on DPDK.
#[derive(Clone, Debug, Parser)]
#[command(name = "sluiced", version, max_term_width = 100)]
pub struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/sluice/sluice.toml")]
    pub config: PathBuf,

    /// Checks the configuration file and exits
    #[arg(long)]
    pub check: bool,

    /// What to log, instead of log.level of the configuration: error, warn, info, debug, trace, or a filter such as
    /// info,sluiced::mirror=debug
    #[arg(long, value_name = "LEVEL")]
    pub log: Option<String>,
}
