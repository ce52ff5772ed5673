//! Detects network file systems.

use std::path::Path;

/// Numbers of network and user-space file systems, from `linux/magic.h` and the sources of the file systems.
#[cfg(target_os = "linux")]
const NETWORK: [u32; 19] = [
    0x6969,      // NFS
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB 2
    0x0102_1997, // 9p, which WSL and some virtual machines also use to share folders
    0x6573_5546, // FUSE: sshfs, rclone, s3fs, virtiofs
    0x00c3_6400, // Ceph
    0x5346_414f, // AFS
    0x6b41_4653, // AFS, in the kernel
    0x7375_7245, // Coda
    0x564c,      // NCP
    0x0bd0_0bd0, // Lustre
    0x4750_4653, // GPFS
    0x0116_1970, // GFS2
    0x7461_636f, // OCFS2
    0x1983_0326, // BeeGFS
    0x7c7c_6673, // Parallels shared folders
    0x786f_4256, // VirtualBox shared folders
    0xbacb_acbc, // VMware shared folders
];

/// True on file systems with unreliable locks, shared memory or file events. A path that does not exist yet is taken to
/// be where its folder is.
#[cfg(target_os = "linux")]
pub(crate) fn is_network(path: &Path) -> bool {
    let folder = || path.parent().map(rustix::fs::statfs);
    let found = rustix::fs::statfs(path).ok().or_else(|| folder()?.ok());
    found.is_some_and(|found| is_listed(&found.f_type.to_le_bytes()))
}

/// Whether the number of a file system is listed. Its type has 32 or 64 bits, and a sign on some architectures, but all
/// numbers have 32 bits.
#[cfg(target_os = "linux")]
fn is_listed(number: &[u8]) -> bool {
    number.first_chunk().is_some_and(|number| NETWORK.contains(&u32::from_le_bytes(*number)))
}

/// True on file systems with unreliable locks, shared memory or file events. Never detected on this operating system.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_network(_path: &Path) -> bool {
    false
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_whatever_its_type_on_this_architecture() {
        for (number, expected) in [(0xff53_4d42_u32, true), (0xbacb_acbc, true), (0x6969, true), (0xef53, false)] {
            let signed = number.cast_signed();
            assert_eq!(is_listed(&number.to_le_bytes()), expected, "{number:x}");
            assert_eq!(is_listed(&u64::from(number).to_le_bytes()), expected, "{number:x}");
            assert_eq!(is_listed(&i64::from(signed).to_le_bytes()), expected, "{number:x}");
        }
        assert!(!is_listed(&[]));
        let here = tempfile::tempdir().unwrap();
        assert_eq!(is_network(here.path()), is_network(&here.path().join("not-there-yet")));
    }
}
