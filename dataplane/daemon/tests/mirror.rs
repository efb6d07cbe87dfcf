//! The mirror against a real kernel, in a network namespace of each test's own. Needs root.

use std::cell::RefCell;
use std::future::Future;
use std::net::Ipv4Addr;
use std::process::Command;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use sluice_core::{Fib, FibPort, Lookup, Route};
use sluiced::mirror::{Mirror, Resolved, Static, Wanted};
use tokio::sync::mpsc;

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 2);
const FAR: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);

/// What the mirror has published.
#[derive(Clone, Default)]
struct Seen {
    fib: Rc<RefCell<Fib>>,
    resolved: Rc<RefCell<Vec<Resolved>>>,
    publications: Rc<RefCell<usize>>,
}

impl Seen {
    fn hop(&self, address: Ipv4Addr) -> Option<[u8; 6]> {
        let fib = self.fib.borrow();
        match fib.lookup(address.to_bits()) {
            Lookup::Hop(id) => fib.hop(id)?.macs?.first_chunk().copied(),
            _ => None,
        }
    }

    fn lookup(&self, address: Ipv4Addr) -> Lookup {
        self.fib.borrow().lookup(address.to_bits())
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while !holds(self) {
            assert!(Instant::now() < deadline, "{what}: {:?}", self.fib.borrow());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// As `until`, within the second in which the mirror has to follow.
    async fn soon(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        self.until(what, holds).await;
        assert!(start.elapsed() < Duration::from_secs(1), "{what} took {:?}", start.elapsed());
    }
}

fn ip(arguments: &str) {
    let output =
        Command::new("ip").args(arguments.split_whitespace()).output().expect("iproute2 is installed");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A thread in a new network namespace with the interface `sl-wan` (10.1.0.1/24), whose other end is `peer`.
fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace: run the tests as root");
        ip("link add sl-wan type veth peer name peer");
        ip("link set dev sl-wan up");
        ip("link set dev peer up");
        ip("addr add 10.1.0.1/24 dev sl-wan");
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn fixed() -> Static {
    Static {
        ports: vec![FibPort { mac: OWN, mtu: 1500 }],
        twins: vec![Some("sl-wan".to_owned())],
        ..Static::default()
    }
}

/// Runs a mirror beside `test`, until that ends.
fn with_mirror<F: Future<Output = ()>>(
    fixed: Static,
    reals: Vec<Ipv4Addr>,
    test: impl FnOnce(Seen, mpsc::Sender<Wanted>) -> F,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let seen = Seen::default();
        let (ask, mut asked) = mpsc::channel(16);
        let mut mirror = Mirror::new(fixed).await.expect("mirror");
        let publish = |fib: &Fib, resolved: &[Resolved]| {
            *seen.fib.borrow_mut() = fib.clone();
            seen.resolved.borrow_mut().extend_from_slice(resolved);
            *seen.publications.borrow_mut() += 1;
        };
        tokio::select! {
            ended = mirror.run(&mut asked, || reals.clone(), publish) => panic!("the mirror ended: {ended:?}"),
            () = test(seen.clone(), ask) => {}
        }
    });
}

#[test]
fn addresses_are_followed() {
    in_namespace(|| {
        with_mirror(fixed(), Vec::new(), |seen, _ask| async move {
            let vip = Ipv4Addr::new(10, 1, 0, 100);
            seen.until("the first picture", |seen| seen.lookup(Ipv4Addr::new(10, 1, 0, 1)) == Lookup::Local)
                .await;
            ip("addr add 10.1.0.100/32 dev sl-wan");
            seen.soon("a new address", |seen| seen.lookup(vip) == Lookup::Local).await;
            ip("addr del 10.1.0.100/32 dev sl-wan");
            seen.soon("an address gone", |seen| seen.lookup(vip) != Lookup::Local).await;
            ip("addr add 10.1.0.100/32 dev peer");
            ip("addr add 10.1.0.101/32 dev sl-wan");
            seen.soon("another", |seen| seen.lookup(Ipv4Addr::new(10, 1, 0, 101)) == Lookup::Local).await;
            assert_ne!(seen.lookup(vip), Lookup::Local, "other interfaces are not the dataplane's");
        });
    });
}

#[test]
fn routes_are_followed() {
    in_namespace(|| {
        with_mirror(fixed(), Vec::new(), |seen, _ask| async move {
            let by = |gateway: [u8; 4]| Lookup::Unknown { port: 0, address: u32::from_be_bytes(gateway) };
            assert_eq!(seen.lookup(FAR), Lookup::None);
            ip("route add default via 10.1.0.254");
            seen.soon("a default route", |seen| seen.lookup(FAR) == by([10, 1, 0, 254])).await;
            ip("route add 203.0.113.0/24 via 10.1.0.253 metric 20");
            seen.soon("a longer prefix", |seen| seen.lookup(FAR) == by([10, 1, 0, 253])).await;
            ip("route add 203.0.113.0/24 via 10.1.0.252 metric 10");
            seen.soon("a lower metric", |seen| seen.lookup(FAR) == by([10, 1, 0, 252])).await;
            ip("route replace 203.0.113.0/24 via 10.1.0.251 metric 10");
            seen.soon("a replacement", |seen| seen.lookup(FAR) == by([10, 1, 0, 251])).await;
            ip("route del 203.0.113.0/24 metric 10");
            seen.soon("the other metric again", |seen| seen.lookup(FAR) == by([10, 1, 0, 253])).await;
            ip("link set dev lo up");
            ip("route replace 203.0.113.0/24 dev lo metric 20");
            seen.soon("one that leaves the twin", |seen| seen.lookup(FAR) == by([10, 1, 0, 254])).await;
            ip("route add 203.0.113.0/24 via 10.1.0.250 table 99");
            ip("route add 203.0.113.9 nexthop via 10.1.0.249 nexthop via 10.1.0.248");
            seen.soon("the first of several", |seen| seen.lookup(FAR) == by([10, 1, 0, 249])).await;
        });
    });
}

/// Each time as `ip route get` has it.
#[test]
fn the_source_of_a_way_is_the_kernels() {
    in_namespace(|| {
        with_mirror(fixed(), Vec::new(), |seen, _ask| async move {
            let kernel = || {
                let output =
                    Command::new("ip").args(["-o", "route", "get", "203.0.113.9"]).output().expect("ip");
                let text = String::from_utf8(output.stdout).expect("text");
                let source =
                    text.split(" src ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a source");
                source.parse::<Ipv4Addr>().expect("an address")
            };
            let far = |source: Ipv4Addr| {
                move |seen: &Seen| seen.fib.borrow().source(FAR.to_bits()) == Some(source.to_bits())
            };
            let mut chosen = Vec::new();
            assert_eq!(seen.fib.borrow().source(FAR.to_bits()), None);
            for change in [
                "addr add 10.9.0.1/24 dev sl-wan",
                "route add default via 10.9.0.254",
                "route add 203.0.113.0/24 via 10.1.0.254",
                "addr add 10.1.0.7/32 dev sl-wan",
                "route add 203.0.113.0/25 dev sl-wan",
                "route add 203.0.113.0/26 via 10.1.0.254 src 10.1.0.7",
                "route add 203.0.113.9 src 10.1.0.7 nexthop via 10.9.0.249 nexthop via 10.1.0.248",
                "route del 203.0.113.9",
                "addr del 10.1.0.7/32 dev sl-wan",
            ] {
                ip(change);
                if change.contains("10.9.0.1/24") {
                    continue;
                }
                seen.soon(change, far(kernel())).await;
                chosen.push(kernel().octets()[1..].to_vec());
            }
            let [near, other, extra] = [[1, 0, 1], [9, 0, 1], [1, 0, 7]].map(Vec::from);
            let expected = [&other, &near, &near, &near, &extra, &extra, &extra, &near];
            assert_eq!(chosen.iter().collect::<Vec<_>>(), expected);
        });
    });
}

#[test]
fn routes_that_vanish_without_a_word_are_noticed() {
    in_namespace(|| {
        with_mirror(fixed(), Vec::new(), |seen, _ask| async move {
            ip("addr add 10.9.0.1/24 dev sl-wan");
            ip("route add 198.51.100.0/24 via 10.1.0.254 src 10.9.0.1");
            ip("route add default via 10.1.0.254");
            let preferred = Ipv4Addr::new(198, 51, 100, 1);
            seen.soon("routes", |seen| seen.lookup(FAR) != Lookup::None).await;
            ip("route del default");
            seen.soon("one gone", |seen| seen.lookup(FAR) == Lookup::None).await;
            assert_ne!(seen.lookup(preferred), Lookup::None);
            ip("addr del 10.9.0.1/24 dev sl-wan");
            seen.soon("a route whose source is gone", |seen| seen.lookup(preferred) == Lookup::None).await;
            assert_ne!(seen.lookup(CLIENT), Lookup::None);
            ip("link set dev sl-wan down");
            seen.soon("routes of a link that is down", |seen| seen.lookup(CLIENT) == Lookup::None).await;
            ip("link set dev sl-wan up");
            seen.soon("and up again", |seen| seen.lookup(CLIENT) != Lookup::None).await;
        });
    });
}

#[test]
fn neighbours_are_followed_and_keep_their_slot() {
    in_namespace(|| {
        with_mirror(fixed(), Vec::new(), |seen, _ask| async move {
            ip("neigh replace 10.1.0.2 lladdr 02:00:00:00:00:02 dev sl-wan nud permanent");
            seen.soon("a neighbour", |seen| seen.hop(CLIENT) == Some([2, 0, 0, 0, 0, 2])).await;
            let (slot, version) = (seen.lookup(CLIENT), seen.fib.borrow().version());
            ip("neigh replace 10.1.0.2 lladdr 02:00:00:00:00:03 dev sl-wan nud permanent");
            seen.soon("its move", |seen| seen.hop(CLIENT) == Some([2, 0, 0, 0, 0, 3])).await;
            ip("neigh del 10.1.0.2 dev sl-wan");
            seen.soon("its end", |seen| seen.hop(CLIENT).is_none()).await;
            assert_eq!((seen.lookup(CLIENT), seen.fib.borrow().version()), (slot, version));
        });
    });
}

/// A host that answers ARP at the other end of the wire, in a namespace that lives as long as its thread.
struct Host {
    end: std::sync::mpsc::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Host {
    fn new() -> Self {
        let (end, wait) = channel();
        let (ready, is_ready) = channel();
        let thread = std::thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace: run the tests as root");
            ready.send(nix::unistd::gettid()).expect("someone waits");
            let _ = wait.recv();
        });
        let tid = is_ready.recv().expect("a namespace");
        ip(&format!("link set dev peer netns {tid}"));
        // As `ip -n`, for a namespace that has no name.
        for line in [
            "link set dev peer up",
            "addr add 10.1.0.2/24 dev peer",
            "link set dev peer address 02:00:00:00:00:aa",
        ] {
            let enter = format!("--net=/proc/{tid}/ns/net");
            let status = Command::new("nsenter").arg(enter).arg("ip").args(line.split_whitespace()).status();
            assert!(status.expect("util-linux is installed").success(), "{line}");
        }
        Self { end, thread }
    }

    fn end(self) {
        drop(self.end);
        self.thread.join().expect("ended");
    }
}

#[test]
fn a_neighbour_that_frames_wait_for_is_resolved_by_the_kernel() {
    in_namespace(|| {
        let host = Host::new();
        with_mirror(fixed(), Vec::new(), |seen, ask| async move {
            let wanted = Wanted { port: 0, address: CLIENT };
            let answer = Resolved { port: 0, address: CLIENT, mac: [2, 0, 0, 0, 0, 0xaa] };
            ask.send(wanted).await.expect("the mirror listens");
            seen.soon("an answer", |seen| *seen.resolved.borrow() == [answer]).await;
            ask.send(wanted).await.expect("the mirror listens");
            seen.soon("an answer at once", |seen| *seen.resolved.borrow() == [answer, answer]).await;
            ask.send(Wanted { port: 0, address: Ipv4Addr::new(10, 1, 0, 77) })
                .await
                .expect("the mirror listens");
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert_eq!(seen.resolved.borrow().len(), 2, "nobody there");
        });
        host.end();
    });
}

#[test]
fn next_hops_of_reals_are_resolved_before_traffic_needs_them() {
    in_namespace(|| {
        let host = Host::new();
        with_mirror(fixed(), vec![CLIENT, FAR], |seen, _ask| async move {
            seen.until("a resolved real", |seen| seen.hop(CLIENT) == Some([2, 0, 0, 0, 0, 0xaa])).await;
        });
        host.end();
    });
}

#[test]
fn static_entries_win_over_the_kernels() {
    in_namespace(|| {
        let fixed = Static {
            routes: vec![(Ipv4Addr::UNSPECIFIED, 0, Route { port: 0, gateway: Some(CLIENT), source: None })],
            neighbours: vec![(0, CLIENT, [6; 6])],
            ..fixed()
        };
        with_mirror(fixed, Vec::new(), |seen, _ask| async move {
            seen.until("the static entries", |seen| seen.hop(FAR) == Some([6; 6])).await;
            ip("route add default via 10.1.0.254");
            ip("neigh replace 10.1.0.2 lladdr 02:00:00:00:00:02 dev sl-wan nud permanent");
            ip("addr add 10.1.0.100/32 dev sl-wan");
            let vip = Ipv4Addr::new(10, 1, 0, 100);
            seen.soon("what came after", |seen| seen.lookup(vip) == Lookup::Local).await;
            assert_eq!(seen.hop(FAR), Some([6; 6]));
        });
    });
}

#[test]
fn lost_notifications_are_made_good() {
    in_namespace(|| {
        let neighbours = 4000u32;
        with_mirror(fixed(), Vec::new(), |seen, _ask| async move {
            let line = |n: u32, mac: &str| {
                let address = Ipv4Addr::from_bits(0x0a02_0000 + n);
                format!("neigh replace {address} lladdr 02:00:00:00:00:{mac} dev sl-wan nud permanent\n")
            };
            let all = |mac| (1..=neighbours).map(|n| line(n, mac)).collect::<String>();
            let folder = tempfile::tempdir().expect("folder");
            let file = folder.path().join("batch");
            std::fs::write(&file, format!("route add 10.2.0.0/16 dev sl-wan\n{}{}", all("01"), all("02")))
                .expect("written");
            let before = *seen.publications.borrow();
            // The runtime stands still meanwhile: far more notifications than the socket holds.
            ip(&format!("-batch {}", file.display()));
            let first = Ipv4Addr::from_bits(0x0a02_0001);
            let last = Ipv4Addr::from_bits(0x0a02_0000 + neighbours);
            let mac = Some([2, 0, 0, 0, 0, 2]);
            seen.until("the last state", |seen| seen.hop(first) == mac && seen.hop(last) == mac).await;
            let missing = (1..=neighbours).find(|n| seen.hop(Ipv4Addr::from_bits(0x0a02_0000 + n)) != mac);
            assert_eq!(missing, None);
            let publications = *seen.publications.borrow() - before;
            assert!(publications < 200, "{publications} publications for {} changes", 2 * neighbours);
        });
    });
}
