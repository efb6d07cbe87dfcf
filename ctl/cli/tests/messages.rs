//! Validation: every message of ipvsadm with its exit status, byte for byte, from the real binary.

mod support;

use support::{Ran, run_alone};

const TRY_HELP: &str = "Try `ipvsadm -h' or 'ipvsadm --help' for more information.\n";

/// Words split at blanks; what standard error must say; the exit status.
fn check(cases: &[(&str, &str, i32)]) {
    for (line, stderr, exit) in cases {
        let words: Vec<&str> = line.split_whitespace().collect();
        let want = Ran::failed(&format!("{stderr}\n"), *exit);
        assert_eq!(run_alone("ipvsadm", &words), want, "ipvsadm {line}");
    }
}

#[test]
fn the_first_option_must_be_the_command() {
    for line in ["-n -L", "-nL", "--bogus", "-L=", "word", "-", "-mg -a", "-6", "--json -L", "-t"] {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(run_alone("ipvsadm", &words), Ran::failed(TRY_HELP, 255), "{line}");
    }
    let got = run_alone("/usr/sbin/ipvsadm", &["-n"]);
    let want = "Try `/usr/sbin/ipvsadm -h' or '/usr/sbin/ipvsadm --help' for more information.\n".to_owned();
    assert_eq!(got.stderr, want);
}

#[test]
fn popt() {
    check(&[
        ("-A -t", "-t: missing argument", 255),
        ("-Ant", "-Ant: missing argument", 255),
        ("-A --foo", "--foo: unknown option", 255),
        ("-A --foo=1", "--foo=1: unknown option", 255),
        ("-A --stats=1", "--stats=1: option does not take an argument", 255),
        ("-L -n=", "-n=: option does not take an argument", 255),
        ("-Ln4", "-Ln4: unknown option", 255),
        ("-L --numeri", "--numeri: unknown option", 255),
        ("-L --socket=x", "--socket=x: unknown option", 255),
        ("-L --json", "--json: unknown option", 255),
        ("--set -1 2 3", "-1: unknown option", 255),
        ("-D -A", "invalid option `-A'", 2),
        ("-AD", "invalid option `-AD'", 2),
        ("-A -h", "invalid option `-h'", 2),
        ("-A -v", "invalid option `-v'", 2),
        ("-A --start-daemon master", "invalid option `master'", 2),
        ("-L foo", "unexpected argument foo", 2),
        ("foo -L", "unexpected argument foo", 2),
        ("-A -- -t 1.2.3.4:80", "unexpected argument -t", 2),
        ("-A - -t 1.2.3.4:80", "unexpected argument -", 2),
        ("-C foo", "unexpected argument foo", 2),
    ]);
}

#[test]
fn values() {
    const VIRTUAL: &str = "illegal virtual server address[:port] specified";
    const REAL: &str = "illegal real server address[:port] specified";
    check(&[
        ("-A -t 80", VIRTUAL, 2),
        ("-A -t [2001:db8::1]", VIRTUAL, 2),
        ("-A -t 10.0.0.1:", VIRTUAL, 2),
        ("-A -t 10.0.0.1:65536", VIRTUAL, 2),
        ("-A -t 10.0.0.1:no-such-service", VIRTUAL, 2),
        ("-A -tcp-service=1:2", VIRTUAL, 2),
        ("-a -t 10.0.0.1:80 -r 80", REAL, 2),
        ("-a -r 10.0.0.2:http -t 10.0.0.1:80", REAL, 2),
        ("-A -f 0", "invalid fwmark value `0' specified", 2),
        ("-A -f -1", "invalid fwmark value `-1' specified", 2),
        ("-A -f 4294967296", "invalid fwmark value `4294967296' specified", 2),
        ("-A -f 0x10", "invalid fwmark value `0x10' specified", 2),
        ("-A -t 10.0.0.1:80 -p 0", "invalid timeout value `0' specified", 2),
        ("-A -t 10.0.0.1:80 -p2678401", "invalid timeout value `2678401' specified", 2),
        ("-A -t 10.0.0.1:80 --persistent=", "invalid timeout value `' specified", 2),
        ("--set 1 2 x", "invalid timeout value `x' specified", 2),
        ("--set 1 2 2678401", "invalid timeout value `2678401' specified", 2),
        ("--set 1 2", "--set option requires 3 timeout values", 2),
        ("--set 1 2 3 4", "unexpected argument 4", 2),
        ("-A -t 10.0.0.1:80 -M 256.0.0.0.0", "illegal virtual server persistent mask specified", 2),
        ("-A -t [::1]:80 -M 0", "illegal ipv6 netmask specified", 2),
        ("-A -t [::1]:80 -M 129", "illegal ipv6 netmask specified", 2),
        ("-A -t [::1]:80 -M x", "illegal ipv6 netmask specified", 2),
        ("-a -w -1", "illegal weight specified", 2),
        ("-a -w 2147483648", "illegal weight specified", 2),
        ("-a -w 4294967297", "illegal weight specified", 2),
        ("-a -w 6.5", "illegal weight specified", 2),
        ("-a -x 1x", "illegal u_threshold specified", 2),
        ("-a -y x", "illegal l_threshold specified", 2),
        ("-A -6 -f 3", "-6 used before -f\n", 2),
        ("-a --tun-type foo", "illegal tunnel type specified", 2),
        ("-a --tun-port 0", "illegal tunnel port specified", 2),
        ("-A -t 1.2.3.4:80 -b flag-9", "invalid scheduler flag `flag-9'", 2),
        ("-A -t 1.2.3.4:80 -b mh-port", "incompatible scheduler flag `mh-port'", 2),
        ("-A -t 1.2.3.4:80 -s mh -b sh-port", "incompatible scheduler flag `sh-port'", 2),
        ("--start-daemon foo", "illegal start-daemon parameter specified", 2),
        ("--stop-daemon foo", "illegal start_daemon specified", 2),
        ("--start-daemon master --syncid 256", "illegal syncid specified", 2),
        ("--start-daemon master --mcast-port 0", "illegal mcast-port specified", 2),
        ("--start-daemon master --mcast-ttl 0", "illegal mcast-ttl specified", 2),
        ("--start-daemon master --sync-maxlen 0", "illegal sync-maxlen specified", 2),
        ("--start-daemon master --mcast-group 1.2.3.4", "invalid IPv4 mcast-group `1.2.3.4'", 2),
        ("--start-daemon master --mcast-group ::1", "invalid IPv6 mcast-group `::1'", 2),
        ("--start-daemon master --mcast-group foo", "invalid IPv4 mcast-group `foo'", 2),
    ]);
}

#[test]
fn each_option_once() {
    check(&[
        ("-A -t 1.2.3.4:80 -u 1.2.3.4:80", "multiple 'service-address' options specified", 2),
        ("-A -f 1 -t 1.2.3.4:80", "multiple 'service-address' options specified", 2),
        ("-a -mg", "multiple 'forwarding-method' options specified", 2),
        ("-L -nn", "multiple 'numeric' options specified", 2),
        ("-A -s rr -s wrr", "multiple 'scheduler' options specified", 2),
        // A second service is counted before it is read.
        ("-A -t 1.2.3.4:80 -u 80", "multiple 'service-address' options specified", 2),
    ]);
}

/// One valid spelling of every option, in matrix order.
const OPTIONS: [(&str, &str); 34] = [
    ("numeric", "-n"),
    ("connection", "-c"),
    ("service-address", "-t 10.0.0.1:80"),
    ("scheduler", "-s rr"),
    ("persistent", "-p"),
    ("netmask", "-M 255.255.255.0"),
    ("real-server", "-r 10.0.0.2:80"),
    ("forwarding-method", "-m"),
    ("weight", "-w 1"),
    ("u-threshold", "-x 1"),
    ("l-threshold", "-y 1"),
    ("mcast-interface", "--mcast-interface eth1"),
    ("timeout", "--timeout"),
    ("daemon", "--daemon"),
    ("stats", "--stats"),
    ("rate", "--rate"),
    ("thresholds", "--thresholds"),
    ("persistent-conn", "--persistent-conn"),
    ("nosort", "--nosort"),
    ("syncid", "--syncid 1"),
    ("exact", "-X"),
    ("ops", "-o"),
    ("pe", "--pe sip"),
    ("sched-flags", "-b flag-1"),
    ("mcast-group", "--mcast-group 224.0.0.81"),
    ("mcast-port", "--mcast-port 1"),
    ("mcast-ttl", "--mcast-ttl 1"),
    ("sync-maxlen", "--sync-maxlen 1"),
    ("tun-info", "--tun-info"),
    ("tun-type", "--tun-type gre"),
    ("tun-port", "--tun-port 1"),
    ("tun-nocsum", "--tun-nocsum"),
    ("tun-csum", "--tun-csum"),
    ("tun-remcsum", "--tun-remcsum"),
];

/// For each command what is not illegal, required first; `+` marks the required.
const LEGAL: [(&str, &str, &str); 15] = [
    ("-A", "add-service", "+service-address scheduler persistent netmask ops pe sched-flags"),
    ("-E", "edit-service", "+service-address scheduler persistent netmask ops pe sched-flags"),
    ("-D", "delete-service", "+service-address"),
    ("-C", "flush", ""),
    ("--set 1 2 3", "set", ""),
    ("-R", "restore", ""),
    (
        "-L",
        "list",
        "connection service-address timeout daemon numeric stats rate thresholds persistent-conn nosort syncid exact tun-info",
    ),
    (
        "-a",
        "add-server",
        "+service-address +real-server forwarding-method weight u-threshold l-threshold tun-type tun-port tun-nocsum tun-csum tun-remcsum",
    ),
    (
        "-e",
        "edit-server",
        "+service-address +real-server forwarding-method weight u-threshold l-threshold tun-type tun-port tun-nocsum tun-csum tun-remcsum",
    ),
    ("-d", "delete-server", "+service-address +real-server"),
    (
        "--start-daemon master",
        "start-daemon",
        "mcast-interface syncid mcast-group mcast-port mcast-ttl sync-maxlen",
    ),
    ("--stop-daemon backup", "stop-daemon", "syncid"),
    ("-S", "save", "numeric"),
    ("-Z", "zero", "service-address"),
    (
        "-l",
        "list",
        "connection service-address timeout daemon numeric stats rate thresholds persistent-conn nosort syncid exact tun-info",
    ),
];

#[test]
fn the_matrix_command_by_command() {
    for (command, name, legal) in LEGAL {
        let required: Vec<&str> = legal.split(' ').filter_map(|opt| opt.strip_prefix('+')).collect();
        let is_legal = |opt: &str| legal.split(' ').any(|l| l.trim_start_matches('+') == opt);
        let spelling = |opt: &str| OPTIONS.iter().find(|row| row.0 == opt).unwrap().1;
        for (opt, words) in OPTIONS {
            // All that is required, and this one.
            let mut line = command.to_owned();
            for needed in required.iter().filter(|needed| **needed != opt) {
                line += &format!(" {}", spelling(needed));
            }
            line += &format!(" {words}");
            let got = run_alone("ipvsadm", &line.split_whitespace().collect::<Vec<_>>());
            let illegal = format!("Illegal '{opt}' option with the '{name}' command\n");
            if is_legal(opt) {
                assert_ne!(got.stderr, illegal, "{line}");
            } else {
                assert_eq!(got, Ran::failed(&illegal, 2), "{line}");
            }
        }
        for missing in &required {
            let mut line = command.to_owned();
            for needed in required.iter().filter(|needed| *needed != missing) {
                line += &format!(" {}", spelling(needed));
            }
            check(&[(
                &line,
                &format!("You need to supply the '{missing}' option for the '{name}' command"),
                2,
            )]);
        }
    }
}

#[test]
fn rules_between_options() {
    const TUNNEL: &str = "Tunnel options conflict with forward method";
    const LISTS: &str = "options conflicts in the list command";
    const FAMILY: &str = "Different address family is allowed only for tunneling servers";
    check(&[
        ("-A -t 10.0.0.1", "Zero port specified for non-persistent service", 2),
        ("-E -t 10.0.0.1:0", "Zero port specified for non-persistent service", 2),
        ("-A -t 1.2.3.4:80 -o", "One-Packet Scheduling is only for UDP virtual services", 2),
        ("-A -t 1.2.3.4 -o", "Zero port specified for non-persistent service", 2),
        ("-a -t 1.2.3.4:80 -r [::1]:8 -g", FAMILY, 2),
        ("-a -t [2001:db8::1]:80 -r 1.2.3.4:80 -m", FAMILY, 2),
        ("-a -f 1 -r [::1]:8 -m", FAMILY, 2),
        ("-a -t 1.2.3.4:80 -r 1.2.3.5 -m --tun-type gue", TUNNEL, 2),
        ("-a -t 1.2.3.4:80 -r 1.2.3.5 --tun-csum", TUNNEL, 2),
        (
            "-a -t 1.2.3.4:80 -r 1.2.3.5 -i --tun-csum",
            "Illegal 'tun-csum' option with the 'ipip' tunnel type",
            2,
        ),
        (
            "-a -t 1.2.3.4:80 -r 1.2.3.5 -i --tun-type gue",
            "You need to supply the 'tun-port' option for the 'gue' tunnel type",
            2,
        ),
        (
            "-a -t 1.2.3.4:80 -r 1.2.3.5 -i --tun-type gue --tun-port 4 --tun-csum --tun-remcsum",
            "The option 'tun-remcsum' conflicts with the 'tun-csum' option in the 'gue' tunnel type",
            2,
        ),
        (
            "-a -t 1.2.3.4:80 -r 1.2.3.5 -i --tun-type gre --tun-port 4",
            "Illegal 'tun-port' option with the 'gre' tunnel type",
            2,
        ),
        (
            "-a -t 1.2.3.4:80 -r 1.2.3.5 -i --tun-type gre --tun-remcsum",
            "Illegal 'tun-remcsum' option with the 'gre' tunnel type",
            2,
        ),
        (
            "-a -t 1.2.3.4:80 -r 1.2.3.5 -i --tun-type gre --tun-nocsum --tun-csum",
            "The option 'tun-csum' conflicts with the 'tun-nocsum' option in the 'gre' tunnel type",
            2,
        ),
        (
            "-L -c --timeout",
            "The option 'timeout' conflicts with the 'connection' option in the 'list' command",
            2,
        ),
        (
            "-L -t 1.2.3.4:80 -c",
            "The option 'service-address' conflicts with the 'connection' option in the 'list' command",
            2,
        ),
        (
            "-L --daemon --timeout",
            "The option 'daemon' conflicts with the 'timeout' option in the 'list' command",
            2,
        ),
        ("-L -c --stats", LISTS, 2),
        ("-L --timeout --rate", LISTS, 2),
        ("-L --daemon --thresholds", LISTS, 2),
        ("-L --timeout --persistent-conn", LISTS, 2),
    ]);
}

#[test]
fn help_and_version_need_no_daemon_and_ignore_the_rest() {
    const VERSION: &str = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n";
    assert_eq!(run_alone("ipvsadm", &["-v", "--bogus"]), Ran::ok(VERSION));
    let help = run_alone("ipvsadm", &["--help", "-A"]);
    assert_eq!((help.exit, help.stderr.as_str()), (0, ""));
    assert!(help.stdout.starts_with(VERSION));
    for word in ["--tun-remcsum", "-A, --add-service", "--start-daemon master|backup", "[SECONDS]"] {
        assert!(help.stdout.contains(word), "{word}");
    }
    assert!(!help.stdout.contains("--json"), "ipvsadm has no such option");
    assert!(run_alone("sluicectl", &["-h"]).stdout.contains("--json"));
}

#[test]
fn without_a_daemon() {
    let what = "sluiced is not running at /nonexistent/sluice.sock: start it (systemctl start sluiced), \
                or name its socket with --socket or SLUICE_SOCKET\n";
    let want = Ran::failed(&format!("Can't initialize ipvs: {what}"), 2);
    assert_eq!(run_alone("ipvsadm", &["-C"]), want);
    assert_eq!(run_alone("ipvsadm", &["-L"]), want);
    assert_eq!(run_alone("sluicectl", &[]), Ran::failed(&format!("sluicectl: {what}"), 2));
    assert_eq!(run_alone("sluicectl", &["status"]), Ran::failed(&format!("sluicectl: {what}"), 2));
}
