//! The daemon itself, on devices that carry nothing: start, refusals, restart after kill -9, orderly end.

mod place;

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use place::{NULL, Place, refusal};
use sluice_api::{
    Client, Netmask, Persistence, Protocol, Request, ServiceEntry, ServiceId, ServiceSpec, SysctlEntry,
    SysctlNames, SysctlValue, SysctlValues,
};

/// A device that always has a full burst of frames for nobody.
const FLOOD: &str = "device = \"net_null0,size=64\"\ntwin = false";

fn service() -> ServiceSpec {
    ServiceSpec {
        id: ServiceId::Address { protocol: Protocol::Udp, address: [10, 0, 0, 1].into(), port: 53 },
        scheduler: "rr".to_owned(),
        flags: Vec::new(),
        persistent: Some(Persistence { timeout: 60, netmask: Some(Netmask::V4([255, 255, 255, 0].into())) }),
        one_packet: true,
        pe: None,
    }
}

fn services(client: &mut Client) -> Vec<ServiceSpec> {
    let listed = client.call::<Vec<ServiceEntry>>(&Request::ServiceList(Default::default())).expect("listed");
    listed.into_iter().map(|entry| entry.spec).collect()
}

#[test]
fn starts_answers_and_ends_in_order() {
    let place = Place::new();
    let daemon = place.start();
    let mut client = place.client();
    let status: sluice_api::Status = client.call(&Request::Status).expect("status");
    assert_eq!((status.lcores.len(), status.ports.len(), status.twins.len()), (1, 1, 0));
    client.call::<sluice_api::Applied>(&Request::ServiceAdd(service())).expect("added");
    assert!(daemon.end(Signal::SIGTERM).success());
    assert!(!place.path("control.sock").exists());
    // Saved at the end, though the time for coalescing was not over.
    let daemon = place.start();
    assert_eq!(services(&mut place.client()), [service()]);
    assert!(daemon.end(Signal::SIGINT).success());
}

#[test]
fn a_flood_shows_in_where_the_cycles_go() {
    let place = Place::new();
    let _daemon = place.start_with(FLOOD);
    let mut client = place.client();
    let deadline = Instant::now() + Duration::from_secs(20);
    let lcore = loop {
        let status: sluice_api::Status = client.call(&Request::Status).expect("status");
        let [lcore] = &status.lcores[..] else { panic!("one worker: {status:?}") };
        // Shares are of a whole second.
        if lcore.cycles_per_packet > 0.0 {
            break lcore.clone();
        }
        assert!(Instant::now() < deadline, "{lcore:?}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(lcore.busy > 0.5 && lcore.loops > 0 && lcore.dropped > 0, "{lcore:?}");
    assert!(lcore.busy_cycles <= lcore.cycles, "{lcore:?}");
    let bursts: u64 = lcore.burst_sizes.counts().iter().sum();
    assert_eq!(lcore.burst_sizes.full, bursts, "every burst is full: {lcore:?}");
    // The worker counts on while it is read.
    assert!(lcore.packets.abs_diff(32 * bursts) <= lcore.packets / 2, "{lcore:?}");
}

#[test]
fn kill_9_leaves_nothing_in_the_way_and_loses_nothing_saved() {
    let place = Place::new();
    let daemon = place.start();
    place.client().call::<sluice_api::Applied>(&Request::ServiceAdd(service())).expect("added");
    let values = [("drop_packet".to_owned(), SysctlValue::Number(3))].into();
    let set = Request::SysctlSet(SysctlValues { values });
    place.client().call::<sluice_api::Applied>(&set).expect("set");
    let deadline = Instant::now() + Duration::from_secs(5);
    while !place.path("state.json").exists() {
        assert!(Instant::now() < deadline, "not saved");
        std::thread::sleep(Duration::from_millis(10));
    }
    daemon.end(Signal::SIGKILL);
    assert!(place.path("control.sock").exists(), "a dead socket to take over");
    let _daemon = place.start();
    assert_eq!(services(&mut place.client()), [service()]);
    let names = Some(vec!["drop_packet".to_owned()]);
    let listed = place.client().call::<Vec<SysctlEntry>>(&Request::SysctlList(SysctlNames { names }));
    assert_eq!(listed.expect("listed")[0].value, SysctlValue::Number(3));
}

#[test]
fn a_second_daemon_on_the_socket_is_refused_and_the_first_goes_on() {
    let place = Place::new();
    let _daemon = place.start();
    let socket = place.path("control.sock");
    assert_eq!(
        place.refused(&place.config(NULL)),
        format!(
            "another sluiced serves {}: stop it, or set control.socket to another path",
            socket.display()
        )
    );
    assert_eq!(services(&mut place.client()), []);
}

#[test]
fn each_bad_input_is_one_line_that_names_it() {
    let place = Place::new();
    let file = place.path("sluice.toml");
    let mistyped = place.config(&format!("{NULL}\nqueus = 1"));
    let line = mistyped.lines().count();
    assert_eq!(
        place.refused(&mistyped),
        format!("{}:{line}: unknown key `queus`, did you mean `queues`?", file.display())
    );
    let missing = "device = \"net_af_packet0,iface=no-such-if\"\ntwin = false";
    let text = place.refused(&place.config(missing));
    assert!(text.starts_with("port wan: interface `no-such-if` does not exist"), "{text}");
    let text = place.refused(&place.config("device = \"net_nonsense0\"\ntwin = false"));
    assert!(text.starts_with("port wan: cannot attach `net_nonsense0`"), "{text}");
    let text = place.refused(&place.config(NULL).replace("workers = [0]", "workers = [1000]"));
    assert!(text.starts_with("lcores.workers: CPU 1000: no such CPU here; there are: 0"), "{text}");
    let text = place.refused(&place.config(NULL).replace("workers", "control = 1000\nworkers"));
    assert!(text.starts_with("lcores.control = 1000: no such CPU here; there are: 0"), "{text}");
    let text = place.refused(&place.config(NULL).replace("mbufs = 4096", "mbufs = 4000000"));
    assert!(text.contains("mbuf pool") && text.contains("memory.megabytes"), "{text}");
    std::fs::write(place.path("state.json"), "{").expect("written");
    let text = place.refused(&place.config(NULL));
    assert!(text.starts_with("state file ") && text.ends_with("to start without services"), "{text}");
}

#[test]
fn without_privileges_a_port_on_an_interface_is_refused() {
    let place = Place::new();
    std::fs::set_permissions(place.0.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777))
        .expect("opened");
    let mut command = place.command(&place.config("device = \"net_af_packet0,iface=lo\""));
    if nix::unistd::geteuid().is_root() {
        command.uid(65534).gid(65534);
        // The program lies where only its owner may look.
        let copy = place.path("sluiced");
        std::fs::copy(env!("CARGO_BIN_EXE_sluiced"), &copy).expect("copied");
        let arguments: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
        command = Command::new(copy);
        command.args(arguments).stderr(Stdio::piped()).uid(65534).gid(65534);
    }
    let text = refusal(&command.output().expect("runs"));
    assert!(
        text.starts_with("not permitted: port wan has a kernel twin, which needs root or CAP_NET_ADMIN"),
        "{text}"
    );
}

#[test]
fn check_reads_the_file_and_starts_nothing() {
    let place = Place::new();
    let output = place.command(&place.config(NULL)).arg("--check").output().expect("runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(!place.path("control.sock").exists());
    let text = refusal(&place.command("[lcores]\n").arg("--check").output().expect("runs"));
    assert!(text.ends_with("missing field `workers`"), "{text}");
}
