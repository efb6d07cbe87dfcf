//! Command lines: what they print, what they refuse and with which words.

use super::super::scenario::Scenario;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![everything_listed(), saved_and_restored(), refused(), mistyped(), thresholds_edited()]
}

/// Services of every kind that there is.
const EVERYTHING: &str = "
    -A -t 203.0.113.1:80 -s rr
    -a -t 203.0.113.1:80 -r 10.0.0.10:80 -g -w 9
    -a -t 203.0.113.1:80 -r 10.0.0.11:8080 -m -w 3
    -a -t 203.0.113.1:80 -r 10.0.0.12:80 -m -w 0 -x 20 -y 10
    -a -t 203.0.113.1:80 -r 10.0.0.13:0 -m -w 2147483647
    -A -t 203.0.113.1:81 -s wlc -p 600 -M 255.255.255.0
    -A -t 203.0.113.2:0 -s wrr -p 60
    -a -t 203.0.113.2:0 -r 10.0.0.10:0 -g
    -A -t 203.0.113.2:82 -s sh -b sh-fallback,sh-port
    -A -u 203.0.113.1:53 -s wrr -o
    -a -u 203.0.113.1:53 -r 10.0.0.10 -m
    -A -u 203.0.113.1:54 -s mh -b mh-port -p 360
    -A --sctp-service 203.0.113.1:9899 -s mh -b mh-fallback,mh-port
    -A -f 7 -s lblc -p 300
    -a -f 7 -r 10.0.0.10:0 -g
    -a -f 7 -r 10.0.0.11:8080 -m
    -A -f 8 -s lc
    -A -f 9 -s rr -b flag-3
";

fn everything_listed() -> Scenario {
    let mut scenario = Scenario::with("every listing", EVERYTHING).ipvsadm("-Ln --nosort").differs(
        "`--nosort`: the kernel lists services in the order of its hash table, which has no meaning; Sluice lists them by address",
    );
    for words in [
        "-Ln",
        "-L -n --sort",
        "-Ln --thresholds",
        "-Ln --persistent-conn",
        "-Ln --tun-info",
        "-Ln --stats",
        "-Ln --rate --exact",
        "-Ln -t 203.0.113.1:80",
        "-Ln -f 7",
        "-Lnc",
        "-Lnc --persistent-conn",
        "-L --timeout",
        "-L --daemon",
    ] {
        scenario = scenario.ipvsadm(words);
    }
    scenario
}

fn saved_and_restored() -> Scenario {
    Scenario::with("saved, cleared and restored", EVERYTHING)
        .ipvsadm("-Sn")
        .ipvsadm("-C")
        .ipvsadm("-Sn")
        .restore("-A -t 203.0.113.1:80 -s rr\nipvsadm -a -t 203.0.113.1:80 -r 10.0.0.10:80 -m\n-D -t 203.0.113.9:1")
        .ipvsadm("-Sn")
        .restore("-A -t 203.0.113.1:81\n-A -t 203.0.113.1:bad")
        .ipvsadm("-Sn")
}

/// Refused by what the tables hold.
fn refused() -> Scenario {
    let mut scenario = Scenario::with(
        "refused by what there is",
        "-A -t 203.0.113.1:80 -s rr\n-a -t 203.0.113.1:80 -r 10.0.0.10:80 -m",
    );
    for words in [
        "-A -t 203.0.113.1:80 -s rr",
        "-A -t 203.0.113.1:81 -s nonesuch",
        "-E -t 203.0.113.1:81 -s rr",
        "-E -t 203.0.113.1:80 -s nonesuch",
        "-D -t 203.0.113.1:81",
        "-a -t 203.0.113.1:80 -r 10.0.0.10:80 -m",
        "-a -t 203.0.113.1:81 -r 10.0.0.10:80 -m",
        "-a -t 203.0.113.1:80 -r 224.0.0.1:80 -m",
        "-a -t 203.0.113.1:80 -r 10.0.0.11:80 -m -x 1 -y 2",
        "-e -t 203.0.113.1:80 -r 10.0.0.11:80 -m",
        "-e -t 203.0.113.1:80 -r 10.0.0.10:80 -m -y 2",
        "-d -t 203.0.113.1:80 -r 10.0.0.11:80",
        "-d -t 203.0.113.1:81 -r 10.0.0.11:80",
        "-Ln -t 203.0.113.1:81",
        "-Z -t 203.0.113.1:81",
        "--stop-daemon master",
    ] {
        scenario = scenario.ipvsadm(words);
    }
    scenario.ipvsadm("-Sn")
}

/// Refused before the tables are looked at.
fn mistyped() -> Scenario {
    let mut scenario = Scenario::new("mistyped");
    for words in [
        "-A",
        "-A -t",
        "-A -t 80",
        "-A -t 203.0.113.1",
        "-A -t 203.0.113.1:0 -s rr",
        "-A -t 203.0.113.1:80 -u 203.0.113.1:80",
        "-A -t 203.0.113.1:80 -o",
        "-A -t 203.0.113.1:80 -s rr -b sh-port",
        "-A -t 203.0.113.1:80 -s rr -b nonsense",
        "-A -t 203.0.113.1:80 -p 0",
        "-A -t 203.0.113.1:80 -M 300.0.0.0",
        "-A -f 0",
        "-A -f -1",
        "-A -t 203.0.113.1:80 -r 10.0.0.1",
        "-A -t 203.0.113.1:80 word",
        "-a -t 203.0.113.1:80 -r 10.0.0.10 -w -1",
        "-a -t 203.0.113.1:80 -r 10.0.0.10 -w x",
        "-a -t 203.0.113.1:80 -r 10.0.0.10 -m -g",
        "-a -t 203.0.113.1:80 -r 10.0.0.10 -m --tun-type gue",
        "-a -t 203.0.113.1:80 -r 10.0.0.10 -i --tun-type gue",
        "-a -t 203.0.113.1:80",
        "-d -t 203.0.113.1:80",
        "-L -c --stats",
        "-L -c -t 203.0.113.1:80",
        "-L --timeout --daemon",
        "-n -L",
        "-A -D",
        "-C -n",
        "-Z -n",
        "--set 1 2",
        "--set 1 2 x",
        "--start-daemon",
        "--start-daemon nobody",
        "--start-daemon master --syncid 256",
        "--stop-daemon nobody",
        "--bogus",
        "-R -n",
        "word",
    ] {
        scenario = scenario.ipvsadm(words);
    }
    scenario.ipvsadm("-Sn")
}

fn thresholds_edited() -> Scenario {
    let edit = |words: &str| format!("-e -t 203.0.113.1:80 -r 10.0.0.10:80 {words}");
    let rules = "-A -t 203.0.113.1:80 -s rr\n-a -t 203.0.113.1:80 -r 10.0.0.10:80 -m -w 7 -x 5 -y 2";
    Scenario::with("an edit is a replacement", rules)
        .ipvsadm(&edit("-m -w 3"))
        .ipvsadm("-Ln --thresholds")
        .ipvsadm("-Ln")
        .ipvsadm(&edit(""))
        .ipvsadm("-Ln")
        .ipvsadm("-E -t 203.0.113.1:80 -p 100")
        .ipvsadm("-Ln")
        .ipvsadm("-E -t 203.0.113.1:80")
        .ipvsadm("-Ln")
}
