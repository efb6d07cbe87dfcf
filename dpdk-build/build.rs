//! Finds libdpdk, compiles the shim with DPDK's own flags and generates the bindings.
use std::path::PathBuf;
use std::process::{Command, exit};

/// The LTS release whose ABI the bindings and the mbuf layout are checked against.
const DPDK: std::ops::Range<&str> = "22.11".."22.12";

/// The libraries whose symbols are bound. Drivers are no part of it: the EAL loads them from its plugin folder.
const LIBRARIES: [&str; 4] = ["rte_eal", "rte_mempool", "rte_mbuf", "rte_ethdev"];

const FUNCTIONS: &[&str] = &[
    "sluice_.*",
    "rte_dev_(probe|remove)",
    "rte_eal_(init|cleanup|remote_launch|wait_lcore)",
    "rte_eth_dev_(adjust_nb_rx_tx_desc|close|configure|get_name_by_port|get_port_by_name|info_get)",
    "rte_eth_dev_(get_mtu|set_mtu|socket_id|start|stop)",
    "rte_eth_dev_rss_(hash_conf_get|hash_update|reta_query|reta_update)",
    "rte_eth_(find_next_owned_by|link_get_nowait|macaddr_get|promiscuous_enable)",
    "rte_eth_(rx_queue_setup|tx_queue_setup|tx_done_cleanup|stats_get|stats_reset)",
    "rte_flow_(create|destroy|validate)",
    "rte_get_tsc_hz",
    "rte_lcore_to_socket_id",
    "rte_log_cur_msg_loglevel",
    "rte_mempool_avail_count",
    "rte_pktmbuf_(free_bulk|pool_create_by_ops)",
    "rte_thread_(register|unregister)",
];

/// Types that the functions above take by `void *`.
const TYPES: &[&str] = &["rte_flow_(action_rss|item_ipv4)"];

const CONSTANTS: &[&str] = &[
    "SLUICE_.*",
    "RTE_ETH_HASH_FUNCTION_TOEPLITZ",
    "RTE_ETH_RETA_GROUP_SIZE",
    "RTE_FLOW_ACTION_TYPE_(END|RSS)",
    "RTE_FLOW_ITEM_TYPE_(END|ETH|IPV4)",
    "RTE_ETH_DEV_NO_OWNER",
    "RTE_ETH_LINK_UP",
    "RTE_ETH_NAME_MAX_LEN",
    "RTE_LOG_(ALERT|CRIT|DEBUG|EMERG|ERR|INFO|NOTICE|WARNING)",
    "RTE_MAX_ETHPORTS",
    "RTE_MAX_LCORE",
    "RTE_PKTMBUF_HEADROOM",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    println!("cargo:rerun-if-changed=csrc/shim.c");
    println!("cargo:rerun-if-changed=csrc/shim.h");
    let cflags = find_dpdk();
    for library in LIBRARIES {
        println!("cargo:rustc-link-lib=dylib={library}");
    }
    compile_shim(&cflags);
    generate_bindings(&cflags);
}

/// Checks the version, tells cargo where the libraries lie, and returns the compiler flags DPDK asks for.
///
/// The flags come from pkg-config itself: the crate drops `-include rte_config.h` and `-march`, and without them the
/// inlines would be compiled for another configuration than the library's.
fn find_dpdk() -> Vec<String> {
    let found = pkg_config::Config::new().range_version(DPDK).cargo_metadata(false).probe("libdpdk");
    let library = found.unwrap_or_else(|error| {
        eprintln!("error: DPDK 22.11 was not found: install libdpdk-dev (`make setup` does it)\n\n{error}");
        exit(1);
    });
    for path in &library.link_paths {
        println!("cargo:rustc-link-search=native={}", path.display());
    }
    let pkg_config = std::env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".into());
    let output = Command::new(&pkg_config).args(["--cflags", "libdpdk"]).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {pkg_config}: {error}"));
    assert!(output.status.success(), "{pkg_config} --cflags libdpdk failed");
    String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect()
}

/// Always optimised: these few functions run for every burst and packet, in a debug build too.
fn compile_shim(cflags: &[String]) {
    let mut build = cc::Build::new();
    build
        .file("csrc/shim.c")
        .opt_level(3)
        .warnings(true)
        .extra_warnings(true)
        .warnings_into_errors(true)
        .flag_if_supported("-Wno-unused-const-variable");
    // DPDK's headers do not pass -Wextra; the shim itself has to.
    for flag in cflags {
        build.flag(flag.replace("-I", "-isystem"));
    }
    build.compile("sluice_dpdk_shim");
}

fn generate_bindings(cflags: &[String]) {
    let mut builder = bindgen::Builder::default()
        .header("csrc/shim.h")
        .clang_args(cflags)
        .prepend_enum_name(false)
        .generate_comments(false)
        .derive_default(true)
        .allowlist_recursively(true);
    for function in FUNCTIONS {
        builder = builder.allowlist_function(function);
    }
    for name in TYPES {
        builder = builder.allowlist_type(name);
    }
    for constant in CONSTANTS {
        builder = builder.allowlist_var(constant);
    }
    // An operation table of function pointers, reached by nobody here, whose types would pull in half of ethdev.
    let bindings = builder.opaque_type("rte_mempool").generate();
    let bindings = bindings.unwrap_or_else(|error| panic!("bindgen: {error}"));
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    bindings.write_to_file(out.join("bindings.rs")).expect("OUT_DIR is writable");
}
