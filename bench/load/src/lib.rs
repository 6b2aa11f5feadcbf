//! What the load generator and the bare server share: the clock, frames, and a few calls of the system.

use std::net::Ipv4Addr;

/// Nanoseconds since 1970, as every process of a run reads them.
pub fn now_ns() -> i64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut now) };
    now.tv_sec as i64 * 1_000_000_000 + now.tv_nsec as i64
}

/// A whole WebSocket frame. A client's is masked, with zeros: the payload stays as it is.
pub fn frame(opcode: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let bit = if masked { 0x80 } else { 0 };
    let mut made = vec![0x80 | opcode];
    if payload.len() < 126 {
        made.push(bit | payload.len() as u8)
    } else if payload.len() < 65536 {
        made.push(bit | 126);
        made.extend((payload.len() as u16).to_be_bytes())
    } else {
        made.push(bit | 127);
        made.extend((payload.len() as u64).to_be_bytes())
    }
    if masked {
        made.extend([0u8; 4]);
    }
    made.extend(payload);
    made
}

/// As many open files as this process may have.
pub fn allow_files() {
    unsafe {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
}

/// Turn a switch of a socket on.
pub fn switch_on(fd: i32, level: i32, option: i32) {
    let one = 1i32;
    unsafe { libc::setsockopt(fd, level, option, &one as *const _ as _, 4) };
}

/// An address as the system wants it.
pub fn address(ip: Ipv4Addr, port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(ip.octets()),
        },
        sin_zero: [0; 8],
    }
}

/// Tell epoll about a file: `operation` is one of EPOLL_CTL_…, `id` comes back with its events.
pub fn watch(epoll: i32, operation: i32, fd: i32, id: u64, events: u32) {
    let mut event = libc::epoll_event { events, u64: id };
    unsafe { libc::epoll_ctl(epoll, operation, fd, &mut event) };
}

/// Reads like `recv`, and says when the last of it was in the socket, in nanoseconds since 1970.
pub fn arrived(fd: i32, into: &mut [u8]) -> (isize, Option<i64>) {
    let mut part = libc::iovec { iov_base: into.as_mut_ptr() as _, iov_len: into.len() };
    let mut said = [0u64; 16];
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        message.msg_control = said.as_mut_ptr() as _;
        message.msg_controllen = std::mem::size_of_val(&said) as _;
        let size = libc::recvmsg(fd, &mut message, 0);
        if size <= 0 {
            return (size, None);
        }
        let mut one = libc::CMSG_FIRSTHDR(&message);
        while !one.is_null() {
            if (*one).cmsg_level == libc::SOL_SOCKET && (*one).cmsg_type == libc::SO_TIMESTAMPNS {
                let at = std::ptr::read_unaligned(libc::CMSG_DATA(one) as *const libc::timespec);
                return (size, Some(at.tv_sec * 1_000_000_000 + at.tv_nsec));
            }
            one = libc::CMSG_NXTHDR(&message, one);
        }
        (size, None)
    }
}
