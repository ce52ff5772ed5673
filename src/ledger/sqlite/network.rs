//! Detects network file systems.

use std::path::Path;

/// True on file systems with unreliable locks or shared memory.
#[cfg(target_os = "linux")]
pub(super) fn is_network(path: &Path) -> bool {
    // NFS, SMB, CIFS, SMB2, 9p, FUSE, Ceph, AFS (both), Coda, NCP, Lustre, GFS2, OCFS2: linux/magic.h
    // and their own headers.
    const NETWORK: [i64; 14] = [
        0x6969,
        0x517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x0102_1997,
        0x6573_5546,
        0x00c3_6400,
        0x5346_414f,
        0x6b41_4653,
        0x7375_7245,
        0x564c,
        0x0bd0_0bd0,
        0x0116_1970,
        0x7461_636f,
    ];
    let folder = path.parent().unwrap_or(path);
    rustix::fs::statfs(folder).is_ok_and(|found| NETWORK.contains(&found.f_type))
}

/// True on file systems with unreliable locks or shared memory. Never detected on this operating system.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_network(_path: &Path) -> bool {
    false
}
