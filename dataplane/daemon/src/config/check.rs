//! Checks of a configuration file beyond its types: ranges, names, references.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use super::{Config, Idle, Port};

/// Most workers: one bit each in a 64-bit mask, and the ring mesh grows with the square.
const WORKERS_MAX: usize = 64;
/// Linux's `IFNAMSIZ` less the closing NUL.
const INTERFACE_NAME_MAX: usize = 15;

pub(super) fn check(config: &Config) -> Result<(), String> {
    lcores(config)?;
    within("memory.megabytes", config.memory.megabytes, 64..=1 << 20)?;
    within("memory.mbufs", config.memory.mbufs, 1024..=1 << 26)?;
    within("tables.flows", config.tables.flows, 1024..=1 << 26)?;
    within("tables.reals", config.tables.reals, 1..=1 << 20)?;
    within("tables.services", config.tables.services, 1..=1 << 20)?;
    within("tables.templates", config.tables.templates, 1024..=1 << 26)?;
    within("tables.marks", config.tables.marks, 1..=1 << 14)?;
    within("proc.period", config.proc.period, 1..=3600)?;
    if config.control.socket.as_os_str().is_empty() {
        return Err("control.socket: must be a path".to_owned());
    }
    ports(&config.ports, config.lcores.workers.len())?;
    references(config)
}

fn within<T: PartialOrd + std::fmt::Display>(
    key: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), String> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(format!("{key} = {value}: must be {} to {}", range.start(), range.end()))
}

fn lcores(config: &Config) -> Result<(), String> {
    let lcores = &config.lcores;
    within("lcores.workers: number of workers", lcores.workers.len(), 1..=WORKERS_MAX)?;
    let mut seen = HashSet::new();
    if let Some(twice) = lcores.workers.iter().find(|cpu| !seen.insert(**cpu)) {
        return Err(format!("lcores.workers: CPU {twice} stands there twice"));
    }
    // A spinning worker never yields: nothing else on its CPU would be heard again.
    if lcores.idle == Idle::Poll && lcores.workers.contains(&lcores.control) {
        return Err(format!(
            "lcores.control = {0}: a worker polls on CPU {0}; choose another CPU, or set lcores.idle = \"sleep\"",
            lcores.control
        ));
    }
    Ok(())
}

fn ports(ports: &[Port], workers: usize) -> Result<(), String> {
    within("ports: number of ports", ports.len(), 1..=32)?;
    let (mut names, mut devices, mut twins) = (HashSet::new(), HashSet::new(), HashSet::new());
    for port in ports {
        let key = |field: &str| format!("port {}: {field}", port.name);
        if port.name.is_empty() || !port.name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        {
            return Err(format!("port name `{}`: use letters, digits, - _ .", port.name));
        }
        if !names.insert(&port.name) {
            return Err(format!("port {}: two ports have this name", port.name));
        }
        if port.device.is_empty() || !devices.insert(port.device.split(',').next()) {
            return Err(format!("{} = \"{}\": empty, or used by another port", key("device"), port.device));
        }
        if let Some(twin) = port.twin_name() {
            interface_name(&key("twin"), &twin)?;
            if !twins.insert(twin.clone()) {
                return Err(format!("{} = \"{twin}\": used by another port", key("twin")));
            }
        }
        within(&key("rx_descriptors"), port.rx_descriptors, 64..=32768)?;
        within(&key("tx_descriptors"), port.tx_descriptors, 64..=32768)?;
        within(&key("mtu"), port.mtu, 68..=9600)?;
        // A receive queue that no worker polls would lose its share of the traffic.
        within(&key("queues"), usize::from(port.queues), 0..=workers)?;
    }
    Ok(())
}

fn interface_name(key: &str, name: &str) -> Result<(), String> {
    let fits = (1..=INTERFACE_NAME_MAX).contains(&name.len());
    // The name also travels inside vdev arguments, where a comma or an equals sign would start another argument.
    if fits
        && name != "."
        && name != ".."
        && !name.contains(|c: char| c.is_whitespace() || "/:,=".contains(c))
    {
        return Ok(());
    }
    Err(format!(
        "{key} = \"{name}\": no interface name (1 to {INTERFACE_NAME_MAX} characters, none of space / : , =)"
    ))
}

fn references(config: &Config) -> Result<(), String> {
    let known = |name: &str| config.ports.iter().any(|port| port.name == name);
    let routes = config.routes.iter().map(|route| ("routes", &route.port));
    let neighbours = config.neighbours.iter().map(|neighbour| ("neighbours", &neighbour.port));
    for (table, port) in routes.chain(neighbours) {
        if !known(port) {
            let names: Vec<&str> = config.ports.iter().map(|port| port.name.as_str()).collect();
            return Err(format!("{table}: port = \"{port}\": no such port; there are: {}", names.join(", ")));
        }
    }
    if let Some(neighbour) = config.neighbours.iter().find(|neighbour| neighbour.mac.0[0] & 1 == 1) {
        return Err(format!("neighbours: mac = \"{}\": a group address", neighbour.mac));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    fn error(text: &str) -> String {
        parse("f", text).expect_err("must be refused").to_string()
    }

    fn port(lines: &str) -> String {
        format!("[lcores]\nworkers = [1]\n[[ports]]\nname = \"wan\"\ndevice = \"net_null0\"\n{lines}")
    }

    #[test]
    fn ranges_and_names() {
        let cases = [
            (port("mtu = 40"), "f: port wan: mtu = 40: must be 68 to 9600"),
            (port("queues = 2"), "f: port wan: queues = 2: must be 0 to 1"),
            (port("[vs]\nsloppy_tcp = 2"), "f:7: `sloppy_tcp = 2`: must be 0 or 1"),
            (
                port("[vs]\nsloppy_tcp = true"),
                "f:7: `sloppy_tcp = true`: invalid type: boolean `true`, expected 0 or 1",
            ),
            (port("[vs]\nsync_ports = 3"), "f:7: `sync_ports = 3`: must be a power of two up to 1073741824"),
            (
                port("[vs]\nest_cpulist = \"0-\""),
                "f:7: `est_cpulist = \"0-\"`: must be CPUs such as \"0-3,6\", or \"all\"",
            ),
            (
                port("[compat]\noverhead = \"old\""),
                "f:7: `overhead = \"old\"`: unknown variant `old`, expected `current` or `classic`",
            ),
            (port("[tables]\nflows = 1"), "f: tables.flows = 1: must be 1024 to 67108864"),
            (port("[tables]\ntemplates = 0"), "f: tables.templates = 0: must be 1024 to 67108864"),
            (
                port("twin = \"a-name-too-long-x\""),
                "f: port wan: twin = \"a-name-too-long-x\": no interface name (1 to 15 characters, none of space / : , =)",
            ),
            (
                port("[[ports]]\nname = \"wan\"\ndevice = \"net_null1\""),
                "f: port wan: two ports have this name",
            ),
            (
                port("[[ports]]\nname = \"lan\"\ndevice = \"net_null0,copy=1\""),
                "f: port lan: device = \"net_null0,copy=1\": empty, or used by another port",
            ),
            (
                port("[[routes]]\nto = \"0.0.0.0/0\"\nport = \"lan\""),
                "f: routes: port = \"lan\": no such port; there are: wan",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(error(&text), message);
        }
    }

    #[test]
    fn lcores_must_make_sense() {
        let with =
            |lcores: &str| format!("[lcores]\n{lcores}\n[[ports]]\nname = \"a\"\ndevice = \"net_null0\"\n");
        assert_eq!(error(&with("workers = []")), "f: lcores.workers: number of workers = 0: must be 1 to 64");
        assert_eq!(error(&with("workers = [1, 2, 1]")), "f: lcores.workers: CPU 1 stands there twice");
        assert_eq!(
            error(&with("workers = [0]")),
            "f: lcores.control = 0: a worker polls on CPU 0; choose another CPU, or set lcores.idle = \"sleep\""
        );
        assert!(parse("f", &with("workers = [0]\nidle = \"sleep\"")).is_ok());
    }
}
