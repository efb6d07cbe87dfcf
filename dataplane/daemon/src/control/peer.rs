//! Who may speak on the control socket: root, the daemon's own user, and members of one group.

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

/// The rule, fixed at start.
#[derive(Clone, Debug)]
pub struct Admission {
    owner: Uid,
    group: Option<Gid>,
}

impl Admission {
    /// Admits root, the calling process's user, and members of `group` where it is given and exists.
    #[must_use]
    pub fn new(group: Option<&str>) -> Self {
        let group = group.and_then(|name| Group::from_name(name).ok().flatten()).map(|group| group.gid);
        Self { owner: nix::unistd::geteuid(), group }
    }

    /// Whether a peer with these credentials (SO_PEERCRED) may speak.
    #[must_use]
    pub fn admits(&self, uid: u32, gid: u32) -> bool {
        let uid = Uid::from_raw(uid);
        uid.is_root() || uid == self.owner || self.group.is_some_and(|group| is_member(uid, gid, group))
    }
}

/// SO_PEERCRED tells the primary group only; the others are looked up.
fn is_member(uid: Uid, gid: u32, group: Gid) -> bool {
    let gid = Gid::from_raw(gid);
    if gid == group {
        return true;
    }
    let Ok(Some(user)) = User::from_uid(uid) else { return false };
    let Ok(name) = std::ffi::CString::new(user.name) else { return false };
    getgrouplist(&name, gid).is_ok_and(|groups| groups.contains(&group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_owner_and_group_are_admitted() {
        let rule = Admission { owner: Uid::from_raw(1000), group: Some(Gid::from_raw(65533)) };
        assert!(rule.admits(0, 0));
        assert!(rule.admits(1000, 1000));
        assert!(rule.admits(4_000_000, 65533));
        assert!(!rule.admits(4_000_000, 4_000_000));
        assert!(!Admission { group: None, ..rule }.admits(4_000_000, 65533));
    }
}
