//! A control side for tests: the real socket, dispatch, director and flow tables; the lcores run on plain threads and
//! get no packets.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_core::{
    BURST, Director, Ingress, Jiffies, Lcore, LcoreConfig, LcoreStats, Limits, RealTable, Templates, Verdict,
};
use sluice_packet::build::ArrayBuf;
use sluiced::control::{
    Admission, Claim, ControlPlane, FlowServer, PlaneConfig, ServeLimits, Shared, WorkerView, flow_link,
    serve,
};
use sluiced::counters::SharedDrops;
use sluiced::publish::{Subscriber, publication};
use sluiced::state::SavedState;
use sluiced::switches::Settings;
use tokio::task::LocalSet;

/// The address of the port that frames arrive at.
pub(crate) const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// How a bed is made.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) lcores: usize,
    pub(crate) twins: Vec<String>,
    pub(crate) limits: ServeLimits,
    /// How long an lcore takes over a new snapshot.
    pub(crate) lag: Duration,
    pub(crate) restored: Option<SavedState>,
    pub(crate) services: usize,
    /// What the configuration file says of switches.
    pub(crate) settings: Settings,
    /// What arrives at each lcore in every loop.
    pub(crate) frames: Vec<Vec<u8>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lcores: 1,
            twins: Vec::new(),
            limits: ServeLimits::default(),
            lag: Duration::ZERO,
            restored: None,
            services: 64,
            settings: Settings::default(),
            frames: Vec::new(),
        }
    }
}

pub(crate) struct Bed {
    folder: tempfile::TempDir,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    control: Option<JoinHandle<SavedState>>,
}

impl Bed {
    pub(crate) fn new(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let stop = Arc::new(AtomicBool::new(false));
        let table = Arc::new(RealTable::new(64));
        let templates = Arc::new(Templates::new(1024, [1, 2], Arc::clone(&table)));
        let director = Director::new(Limits { services: options.services }, Arc::clone(&table)).with_marks(8);
        let (publisher, subscribers) = publication(&director.snapshot(), options.lcores);
        let (mut threads, mut workers, mut links) = (Vec::new(), Vec::new(), Vec::new());
        let mut parts = Vec::new();
        for (id, subscriber) in (0u16..).zip(subscribers) {
            let stats = Arc::new(LcoreStats::new(64).with_marks(director.mark_slots()));
            let (link, flows) = flow_link(1_000_000);
            links.push(link);
            parts.push((u32::from(id), Arc::clone(&stats)));
            let config = LcoreConfig {
                id,
                lcores: u16::try_from(options.lcores).expect("few"),
                flows: 4096,
                seed: [1, 2],
                now: Jiffies(0),
            };
            let lcore = Lcore::new(config, director.snapshot(), Arc::clone(&table), stats, &|_, _| {})
                .with_templates(Arc::clone(&templates));
            let (lag, frames, stop) = (options.lag, options.frames.clone(), Arc::clone(&stop));
            threads
                .push(std::thread::spawn(move || run_lcore(lcore, subscriber, flows, lag, &frames, &stop)));
        }
        let path = folder.path().join("control.sock");
        let ended = Arc::clone(&stop);
        let (ready, wait) = std::sync::mpsc::channel();
        let control = std::thread::spawn(move || {
            let claim = Claim::new(&path, None).expect("claimed");
            for (cpu, stats) in parts {
                workers.push(WorkerView::new(cpu, 4096, stats, Arc::default()));
            }
            let mut plane = ControlPlane::new(PlaneConfig {
                director,
                settings: options.settings,
                reals: table,
                templates,
                time: Box::new(|| Jiffies(0)),
                publisher,
                workers,
                ports: Vec::new(),
                port_names: vec!["wan".to_owned(), "lan".to_owned()],
                twins: Vec::new(),
                twin_names: options.twins,
                slow_drops: Arc::new(SharedDrops::default()),
            });
            if let Some(state) = options.restored {
                plane.restore(state).expect("restored");
                plane.publish();
            }
            let shared = Shared::new(plane, links);
            ready.send(()).expect("someone waits");
            run_control(&claim, &shared, options.limits, &ended);
            shared.plane.borrow().saved_state()
        });
        wait.recv().expect("control runs");
        Self { folder, stop, threads, control: Some(control) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("control.sock")
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(UnixStream::connect(self.path()).expect("connected"))
    }

    /// Stops everything; what would have been saved.
    pub(crate) fn end(mut self) -> SavedState {
        self.stop.store(true, Ordering::Relaxed);
        self.control.take().expect("running").join().expect("ended")
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().expect("lcore ended");
        }
        if let Some(control) = self.control.take() {
            control.join().expect("control ended");
        }
    }
}

fn run_control(claim: &Claim, shared: &Rc<Shared>, limits: ServeLimits, stop: &AtomicBool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    LocalSet::new().block_on(&runtime, async {
        let listener =
            tokio::net::UnixListener::from_std(claim.listener().expect("listener")).expect("listener");
        tokio::task::spawn_local(serve(listener, Rc::clone(shared), Admission::new(None), limits));
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
}

fn run_lcore(
    mut lcore: Lcore,
    mut subscriber: Subscriber,
    mut flows: FlowServer,
    lag: Duration,
    frames: &[Vec<u8>],
    stop: &AtomicBool,
) {
    let ingress = Ingress { port: 0, mac: MAC, from_kernel: false, steered: true };
    while !stop.load(Ordering::Relaxed) {
        if let Some(next) = subscriber.poll() {
            std::thread::sleep(lag);
            let version = next.version;
            let old = lcore.load(next);
            subscriber.acknowledge(version, old);
        }
        for frame in frames {
            let mut verdicts = [Verdict::ToKernel; BURST];
            lcore.process_burst(Jiffies(0), &ingress, &mut [ArrayBuf::new(frame)], &mut verdicts);
        }
        if let Some(mut visit) = flows.poll(0, false) {
            visit.pay(&mut lcore, Jiffies(0));
            flows.answer(visit, 0, 0);
        }
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// A client that speaks in raw lines, so that it can also speak wrongly.
pub(crate) struct Client {
    pub(crate) writer: UnixStream,
    reader: BufReader<UnixStream>,
}

impl Client {
    pub(crate) fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("timeout set");
        Self { reader: BufReader::new(stream.try_clone().expect("cloned")), writer: stream }
    }

    pub(crate) fn send(&mut self, line: &str) {
        self.writer.write_all(line.as_bytes()).expect("written");
        self.writer.write_all(b"\n").expect("written");
    }

    /// The next line; `Null` at the end of the stream.
    pub(crate) fn receive(&mut self) -> Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("a line in time");
        if line.is_empty() { Value::Null } else { serde_json::from_str(&line).expect("JSON") }
    }

    pub(crate) fn ask(&mut self, line: &str) -> Value {
        self.send(line);
        self.receive()
    }

    /// Calls a method; its result.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        let reply = self.ask(&request(method, params).to_string());
        assert!(reply.get("error").is_none(), "{method}: {reply}");
        reply["result"].clone()
    }

    /// Calls a method that must fail; errno name or code, and message.
    pub(crate) fn refused(&mut self, method: &str, params: Value) -> (String, String) {
        let reply = self.ask(&request(method, params).to_string());
        let error = &reply["error"];
        let name = error["data"]["errno"].as_str().map_or_else(|| error["code"].to_string(), str::to_owned);
        (name, error["message"].as_str().unwrap_or_else(|| panic!("refused: {reply}")).to_owned())
    }
}

pub(crate) fn request(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

pub(crate) fn service() -> Value {
    json!({"protocol": "tcp", "address": "10.0.0.1", "port": 80})
}

pub(crate) fn real(last: u8) -> Value {
    json!({"id": {"address": format!("192.0.2.{last}"), "port": 80}, "forward": "masq", "weight": 1})
}
