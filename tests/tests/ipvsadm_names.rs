//! Under ipvsadm's names the CLI is ipvsadm: what one run saves another restores, and listings are as documented.

use sluice_tests::{Farm, Result, ensure};

const SAVED: &str = "\
-A -t 10.1.0.100:80 -s wlc
-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m -w 3
-a -t 10.1.0.100:80 -r 10.2.0.12:8080 -m -w 1
-A -t 10.1.0.100:81 -s wrr
-a -t 10.1.0.100:81 -r 10.2.0.11:81 -g -w 0
-A -u 10.1.0.100:53 -s rr
-a -u 10.1.0.100:53 -r 10.2.0.12:53 -m -w 1
";

const LISTED: &str = "\
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.1.0.100:80 wlc
  -> 10.2.0.11:80                 Masq    3      0          0         
  -> 10.2.0.12:8080               Masq    1      0          0         
TCP  10.1.0.100:81 wrr
  -> 10.2.0.11:81                 Route   0      0          0         
UDP  10.1.0.100:53 rr
  -> 10.2.0.12:53                 Masq    1      0          0         
";

#[test]
fn save_and_restore_are_a_round_trip() -> Result<()> {
    let farm = Farm::start()?;
    let directory = farm.lab.directory();
    let [ipvsadm, save, restore] =
        ["ipvsadm", "ipvsadm-save", "ipvsadm-restore"].map(|name| farm.sluiced.ctl.named(name, directory));
    let (ipvsadm, save, restore) = (ipvsadm?, save?, restore?);

    let answer = restore.answer_to("", &format!("# a comment\n{SAVED}"))?;
    ensure!(answer.code == 0 && answer.stderr.is_empty(), "{answer:?}");
    ensure!(save.run("-n")? == SAVED, "{}", farm.state());
    let listed = ipvsadm.run("-Ln")?;
    let (banner, table) = listed.split_once('\n').unwrap_or_default();
    ensure!(banner.starts_with("IP Virtual Server version 1.2.1 (size="), "{listed}");
    ensure!(table == LISTED, "{listed}");

    ipvsadm.run("-C")?;
    ensure!(save.run("-n")?.is_empty(), "{}", farm.state());
    restore.answer_to("", SAVED)?;
    ensure!(save.run("-n")? == SAVED, "{}", farm.state());

    let refused = ipvsadm.answer("-A -t 10.1.0.100:80 -s wlc")?;
    ensure!(refused.code == 255 && refused.stderr == "Service already exists\n", "{refused:?}");
    let refused = ipvsadm.answer("-D -t 10.1.0.100:90")?;
    ensure!(refused.code == 255 && refused.stderr == "No such service\n", "{refused:?}");
    farm.sluiced.stop()
}
