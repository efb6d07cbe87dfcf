//! How the EAL is started: CPUs, memory, devices and logging, turned into its argument list.
use std::ffi::CString;

use crate::error::Error;
use crate::log::{LogLevel, LogSink, to_stderr};

/// Where packet memory comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Free hugepages, of any size, taken as they are needed. No hugetlbfs mount is used, no file is left behind.
    HugePages {
        /// Megabytes to take at start, so that a shortage shows then; nothing is taken early when `None`.
        reserve: Option<u32>,
    },
    /// Ordinary pages: slower and unfit for most hardware, but nothing has to be set up.
    NoHuge {
        /// All the memory there will be, in megabytes.
        megabytes: u32,
    },
}

/// The arguments of the EAL.
///
/// Neither hugepage files nor runtime files are made: a killed process leaves nothing to clean by hand, and any number
/// of processes run side by side. PCI devices are left alone unless named.
#[derive(Debug, Clone)]
pub struct EalArgs {
    pub(crate) program: String,
    pub(crate) workers: Vec<usize>,
    pub(crate) memory: Memory,
    pub(crate) pci: Vec<String>,
    pub(crate) vdevs: Vec<String>,
    pub(crate) log_level: LogLevel,
    pub(crate) log_sink: LogSink,
    pub(crate) extra: Vec<String>,
}

impl EalArgs {
    /// Arguments for a program of this name: no workers, hugepages, no devices, warnings to stderr.
    pub fn new(program: &str) -> Self {
        Self {
            program: program.to_owned(),
            workers: Vec::new(),
            memory: Memory::HugePages { reserve: None },
            pci: Vec::new(),
            vdevs: Vec::new(),
            log_level: LogLevel::Warning,
            log_sink: to_stderr,
            extra: Vec::new(),
        }
    }

    /// One worker lcore for each CPU listed, pinned to it. A CPU may be listed twice; the two workers then share it.
    #[must_use]
    pub fn workers(mut self, cpus: &[usize]) -> Self {
        self.workers = cpus.to_vec();
        self
    }

    /// Where packet memory comes from.
    #[must_use]
    pub fn memory(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// Lets DPDK drive a PCI device, as `0000:03:00.0`, with driver arguments after a comma.
    #[must_use]
    pub fn pci(mut self, device: &str) -> Self {
        self.pci.push(device.to_owned());
        self
    }

    /// Makes a virtual device at start, as `net_af_packet0,iface=eth1`, to be opened with
    /// [`Port::open`](crate::Port::open). [`Port::attach`](crate::Port::attach) does both, later.
    #[must_use]
    pub fn vdev(mut self, devargs: &str) -> Self {
        self.vdevs.push(devargs.to_owned());
        self
    }

    /// Logs messages of this level and graver; with [`LogLevel::Debug`] those of all components.
    #[must_use]
    pub fn log_level(mut self, level: LogLevel) -> Self {
        self.log_level = level;
        self
    }

    /// Where DPDK's log goes, instead of stderr.
    #[must_use]
    pub fn log_sink(mut self, sink: LogSink) -> Self {
        self.log_sink = sink;
        self
    }

    /// An argument of the EAL's own that has no method here, passed on as it is.
    #[must_use]
    pub fn extra(mut self, argument: &str) -> Self {
        self.extra.push(argument.to_owned());
        self
    }

    /// The argument list. `main_cpus` are the CPUs of the main lcore: those that the calling thread already has.
    pub(crate) fn to_argv(&self, main_cpus: &[usize]) -> Result<Vec<CString>, Error> {
        // The EAL takes the first argument for the program's name.
        let mut argv = vec![self.program.clone(), "--no-telemetry".into()];
        argv.push(format!("--lcores={}", self.lcore_map(main_cpus)));
        argv.push("--main-lcore=0".into());
        argv.push(format!("--log-level={}", self.log_level.number()));
        if self.log_level == LogLevel::Debug {
            argv.push("--log-level=*:debug".into());
        }
        match self.memory {
            Memory::HugePages { reserve } => {
                argv.push("--in-memory".into());
                argv.extend(reserve.map(|megabytes| format!("-m{megabytes}")));
            }
            // --in-memory refuses ordinary pages; this is the half of it that keeps files away.
            Memory::NoHuge { megabytes } => {
                argv.extend(["--no-huge".into(), "--no-shconf".into(), format!("-m{megabytes}")]);
            }
        }
        if self.pci.is_empty() {
            argv.push("--no-pci".into());
        }
        argv.extend(self.pci.iter().map(|device| format!("--allow={device}")));
        argv.extend(self.extra.iter().cloned());
        argv.into_iter().map(to_c).collect()
    }

    /// Lcore 0 is the main one; workers follow from 1 in the order of their CPUs. Lcore numbers are not CPU numbers, as
    /// DPDK has room for fewer lcores than large machines have CPUs.
    fn lcore_map(&self, main_cpus: &[usize]) -> String {
        let main = main_cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        let workers = self.workers.iter().zip(1..).map(|(cpu, lcore)| format!(",{lcore}@{cpu}"));
        format!("0@({main})") + &workers.collect::<String>()
    }
}

/// A string for C.
pub(crate) fn to_c(text: String) -> Result<CString, Error> {
    CString::new(text.clone()).map_err(|_| Error::NulInArgument(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(args: &EalArgs) -> Vec<String> {
        let argv = args.to_argv(&[0, 1, 7]).expect("no NUL");
        argv.into_iter().map(|arg| arg.into_string().expect("ASCII")).collect()
    }

    #[test]
    fn main_keeps_its_cpus_and_workers_are_numbered_from_one() {
        let argv = argv(&EalArgs::new("p").workers(&[4, 200, 4]));
        assert_eq!(argv[0], "p");
        assert!(argv.contains(&"--lcores=0@(0,1,7),1@4,2@200,3@4".into()), "{argv:?}");
    }

    #[test]
    fn hugepages_leave_no_files_and_pci_is_off_unless_named() {
        let argv = argv(&EalArgs::new("p").memory(Memory::HugePages { reserve: Some(64) }));
        for expected in ["--in-memory", "-m64", "--no-pci", "--no-telemetry"] {
            assert!(argv.contains(&expected.into()), "{expected} in {argv:?}");
        }
    }

    #[test]
    fn ordinary_pages_and_named_devices() {
        let args = EalArgs::new("p").memory(Memory::NoHuge { megabytes: 9 }).pci("0000:03:00.0");
        let argv = argv(&args.extra("--iova-mode=va"));
        let wanted = ["--no-huge", "--no-shconf", "-m9", "--allow=0000:03:00.0", "--iova-mode=va"];
        for expected in wanted {
            assert!(argv.contains(&expected.into()), "{expected} in {argv:?}");
        }
        assert!(!argv.contains(&"--no-pci".into()) && !argv.contains(&"--in-memory".into()), "{argv:?}");
    }

    #[test]
    fn a_nul_byte_is_an_error() {
        let error = EalArgs::new("p").extra("a\0b").to_argv(&[0]).expect_err("NUL");
        assert_eq!(error, Error::NulInArgument("a\0b".into()));
    }
}
