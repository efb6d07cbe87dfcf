//! Memory of the process's own, outside the EAL's: large tables on huge pages.
use std::ffi::c_void;
use std::ptr::NonNull;

use nix::sys::mman::{MmapAdvise, madvise};
use nix::unistd::{SysconfVar, sysconf};

use crate::error::Error;

/// Asks the kernel to back a table with transparent huge pages, so that random access misses the TLB less.
///
/// Call it on a fresh zeroed table, before the first write: pages are chosen when they are first touched. The parts of a
/// page at either end are left out; a table smaller than a page is left as it is.
///
/// # Errors
/// [`Error::Advise`] where the kernel has no transparent huge pages.
pub fn advise_huge_pages<T>(table: &mut [T]) -> Result<(), Error> {
    advise_range(table.as_mut_ptr().cast(), size_of_val(table))
}

/// As [`advise_huge_pages`], for the `bytes` bytes at `start`. Safe for whatever lies there: the advice changes no
/// content, and of a range that is not mapped the kernel only says so.
///
/// # Errors
/// [`Error::Advise`] where the kernel has no transparent huge pages, or the range is not mapped.
pub fn advise_range(start: *mut u8, bytes: usize) -> Result<(), Error> {
    let Some(start) = NonNull::new(start) else { return Ok(()) };
    let page = match sysconf(SysconfVar::PAGE_SIZE) {
        Ok(Some(size)) => usize::try_from(size).unwrap_or(4096),
        _ => 4096,
    };
    let skipped = start.align_offset(page);
    let Some(whole) = bytes.checked_sub(skipped).map(|left| left - left % page).filter(|&whole| whole > 0)
    else {
        return Ok(());
    };
    let Some(first_page) = NonNull::new(start.as_ptr().wrapping_add(skipped).cast::<c_void>()) else {
        return Ok(());
    };
    // SAFETY: MADV_HUGEPAGE leaves content and mapping as they are, whoever owns the pages; an unmapped range is ENOMEM.
    let advised = unsafe { madvise(first_page, whole, MmapAdvise::MADV_HUGEPAGE) };
    advised.map_err(|errno| Error::Advise { bytes, errno })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_table_is_marked_for_huge_pages() {
        let mut table = vec![0u64; 2 << 20]; // 16 MB
        let middle = table.as_ptr().addr() + (8 << 20);
        assert!(!flags_at(middle).contains(&"hg".into()));
        advise_huge_pages(&mut table).expect("transparent huge pages");
        assert!(flags_at(middle).contains(&"hg".into()), "{:?}", flags_at(middle));
        assert!(table.iter().all(|&word| word == 0));
    }

    #[test]
    fn a_small_table_is_left_alone() {
        let mut table = [7u8; 100];
        assert_eq!(advise_huge_pages(&mut table), Ok(()));
        assert_eq!(advise_huge_pages::<u64>(&mut []), Ok(()));
        assert_eq!(table, [7; 100]);
    }

    /// The kernel's flags of the mapping that holds `address`; see proc_pid_smaps(5).
    fn flags_at(address: usize) -> Vec<String> {
        let smaps = std::fs::read_to_string("/proc/self/smaps").expect("procfs");
        let holds = |line: &&str| {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let parse = |hex| usize::from_str_radix(hex, 16).ok();
            let range = range.and_then(|(start, end)| Some(parse(start)?..parse(end)?));
            range.is_some_and(|range| range.contains(&address))
        };
        let rest = smaps.lines().skip_while(|line| !holds(line));
        let flags = rest.into_iter().find_map(|line| line.strip_prefix("VmFlags:")).expect("a mapping");
        flags.split_whitespace().map(str::to_owned).collect()
    }
}
