// rawfan: the ceiling. Single-thread epoll WebSocket server that writes one
// pre-encoded frame to every socket with one send() each.
// Control lines: `pub ...` makes messages itself; after `feed` (answered with a dot) the
// connection carries blocks, four bytes of length (big-endian) and frames that are ready
// to be sent: each goes to everybody in one send(), and is then answered with a dot.
use base64::Engine;
use sha1::{Digest, Sha1};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use touchline_load::{address, allow_files, frame, now_ns, switch_on, watch};

fn message(id: u64, k: usize, t: i64, size: usize) -> String {
    let s = format!(
        "{{\"id\":{},\"ch\":\"c{}\",\"t\":{},\"user\":\"viewer{}\",\"text\":\"",
        id,
        k,
        t,
        id % 1000
    );
    let pad = size.saturating_sub(s.len() + 2);
    s + &"x".repeat(pad) + "\"}"
}
struct C {
    fd: i32,
    open: bool,
    ch: usize,
    buf: Vec<u8>,
    pend: Vec<u8>,
}

/// One send() to each; what a socket doesn't take now waits until it does.
fn send_to(ep: i32, by: &mut [Option<C>], fds: &[i32], bytes: &[u8]) {
    for fd in fds {
        let c = by[*fd as usize].as_mut().unwrap();
        if !c.pend.is_empty() {
            c.pend.extend_from_slice(bytes);
            continue;
        }
        let r = unsafe {
            libc::send(
                *fd,
                bytes.as_ptr() as _,
                bytes.len(),
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        };
        let s = r.max(0) as usize;
        if s < bytes.len() {
            c.pend.extend_from_slice(&bytes[s..]);
            let events = (libc::EPOLLIN | libc::EPOLLOUT) as u32;
            watch(ep, libc::EPOLL_CTL_MOD, *fd, *fd as u64, events);
        }
    }
}

/// Where the first block ends, if all of it is there.
fn block_end(fed: &[u8]) -> Option<usize> {
    let end = 4 + u32::from_be_bytes(fed.get(..4)?.try_into().unwrap()) as usize;
    (fed.len() >= end).then_some(end)
}

fn main() {
    let a: Vec<String> = std::env::args().collect();
    let arg = |k: &str, d: &str| {
        a.iter()
            .position(|x| x == k)
            .map(|i| a[i + 1].clone())
            .unwrap_or(d.into())
    };
    let port: u16 = arg("--port", "9001").parse().unwrap();
    let ctl: u16 = arg("--ctl", "9101").parse().unwrap();
    allow_files();
    let ls = unsafe {
        let s = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0);
        switch_on(s, libc::SOL_SOCKET, libc::SO_REUSEADDR);
        switch_on(s, libc::SOL_SOCKET, libc::SO_REUSEPORT);
        let sa = address(std::net::Ipv4Addr::LOCALHOST, port);
        assert_eq!(libc::bind(s, &sa as *const _ as _, 16), 0);
        libc::listen(s, 4096);
        s
    };
    let cl = TcpListener::bind(("127.0.0.1", ctl)).unwrap();
    cl.set_nonblocking(true).unwrap();
    let ep = unsafe { libc::epoll_create1(0) };
    let ctlop = |op: i32, fd: i32, ev: u32| watch(ep, op, fd, fd as u64, ev);
    ctlop(libc::EPOLL_CTL_ADD, ls, libc::EPOLLIN as u32);
    ctlop(libc::EPOLL_CTL_ADD, cl.as_raw_fd(), libc::EPOLLIN as u32);
    let mut by: Vec<Option<C>> = (0..70000).map(|_| None).collect();
    let mut list: Vec<i32> = Vec::new();
    let mut dirty = true;
    let mut ctls: Vec<TcpStream> = Vec::new();
    let mut evs = vec![libc::epoll_event { events: 0, u64: 0 }; 1024];
    let mut rb = vec![0u8; 65536];
    // current job: rate, n, i, t0, batch_ns, size, k
    struct J {
        rate: f64,
        n: u64,
        i: u64,
        t0: i64,
        batch: i64,
        size: usize,
        k: usize,
        out: usize,
        maxlate: i64,
    }
    let mut job: Option<J> = None;
    let (mut feeder, mut fed): (Option<usize>, Vec<u8>) = (None, Vec::new());
    let mut chans: Vec<Vec<i32>> = Vec::new();
    loop {
        let mut to = 1000i32;
        if let Some(j) = job.as_mut() {
            if dirty || chans.len() != j.k {
                chans = vec![Vec::new(); j.k];
                for fd in &list {
                    if let Some(c) = &by[*fd as usize] {
                        if c.open {
                            chans[c.ch % j.k].push(*fd)
                        }
                    }
                }
                dirty = false
            }
            let now = now_ns();
            let mut outf: Option<(usize, Vec<u8>)> = None;
            if j.batch == 0 {
                let due = j.t0 + (j.i as f64 * 1e9 / j.rate) as i64;
                if now >= due {
                    let k = j.i as usize % j.k;
                    outf = Some((k, frame(1, message(j.i, k, due, j.size).as_bytes(), false)));
                    j.i += 1;
                    j.maxlate = j.maxlate.max(now - due);
                    to = 0
                } else {
                    to = (((due - now) / 1_000_000) as i32).max(0)
                }
            } else {
                let tick = j.t0 + ((j.i as f64 * 1e9 / j.rate) as i64 + j.batch.max(0));
                if now >= tick {
                    let mut b = String::new(); // single channel in batch mode
                    while j.i < j.n {
                        let due = j.t0 + (j.i as f64 * 1e9 / j.rate) as i64;
                        if due > now {
                            break;
                        }
                        if !b.is_empty() {
                            b.push('\n')
                        }
                        b += &message(j.i, 0, due, j.size);
                        j.i += 1
                    }
                    outf = Some((0, frame(1, b.as_bytes(), false)));
                    to = 0;
                } else {
                    to = (((tick - now) / 1_000_000) as i32).max(0)
                }
            }
            if let Some((k, f)) = outf {
                send_to(ep, &mut by, &chans[k], &f);
            }
            if j.i >= j.n {
                let m = format!("done {} {:.1}\n", j.n, j.maxlate as f64 / 1e6);
                let _ = ctls[j.out].write_all(m.as_bytes());
                job = None
            }
        }
        let n = unsafe { libc::epoll_wait(ep, evs.as_mut_ptr(), 1024, to) };
        for x in 0..n.max(0) as usize {
            let fd = evs[x].u64 as i32;
            let ev = evs[x].events;
            if fd == ls {
                loop {
                    let c = unsafe {
                        libc::accept4(
                            ls,
                            std::ptr::null_mut(),
                            std::ptr::null_mut(),
                            libc::SOCK_NONBLOCK,
                        )
                    };
                    if c < 0 {
                        break;
                    }
                    switch_on(c, libc::IPPROTO_TCP, libc::TCP_NODELAY);
                    by[c as usize] = Some(C {
                        fd: c,
                        open: false,
                        ch: 0,
                        buf: Vec::new(),
                        pend: Vec::new(),
                    });
                    ctlop(libc::EPOLL_CTL_ADD, c, libc::EPOLLIN as u32);
                }
                continue;
            }
            if fd == cl.as_raw_fd() {
                if let Ok((s, _)) = cl.accept() {
                    s.set_nonblocking(true).unwrap();
                    ctlop(libc::EPOLL_CTL_ADD, s.as_raw_fd(), libc::EPOLLIN as u32);
                    ctls.push(s)
                }
                continue;
            }
            if let Some(ci) = ctls.iter().position(|s| s.as_raw_fd() == fd) {
                let r = ctls[ci].read(&mut rb).unwrap_or(0);
                if r == 0 {
                    ctlop(libc::EPOLL_CTL_DEL, fd, 0);
                    continue;
                }
                if feeder == Some(ci) {
                    fed.extend_from_slice(&rb[..r]);
                    while let Some(end) = block_end(&fed) {
                        send_to(ep, &mut by, &list, &fed[4..end]);
                        fed.drain(..end);
                        let _ = ctls[ci].write_all(b".");
                    }
                    continue;
                }
                let l = String::from_utf8_lossy(&rb[..r]).to_string();
                let f: Vec<&str> = l.split_whitespace().collect();
                if f[0] == "pub" {
                    // pub rate dur batch_ms size k start_ns
                    let rate: f64 = f[1].parse().unwrap();
                    let d: f64 = f[2].parse().unwrap();
                    job = Some(J {
                        rate,
                        n: (rate * d) as u64,
                        i: 0,
                        t0: f[6].parse().unwrap(),
                        batch: (f[3].parse::<f64>().unwrap() * 1e6) as i64,
                        size: f[4].parse().unwrap(),
                        k: f[5].parse().unwrap(),
                        out: ci,
                        maxlate: 0,
                    });
                } else if f[0] == "feed" {
                    feeder = Some(ci);
                    let _ = ctls[ci].write_all(b".");
                }
                continue;
            }
            let mut close = false;
            if let Some(c) = by[fd as usize].as_mut() {
                if ev & libc::EPOLLOUT as u32 != 0 && !c.pend.is_empty() {
                    let r = unsafe {
                        libc::send(
                            fd,
                            c.pend.as_ptr() as _,
                            c.pend.len(),
                            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
                        )
                    };
                    if r > 0 {
                        c.pend.drain(..r as usize);
                    }
                    if c.pend.is_empty() {
                        ctlop(libc::EPOLL_CTL_MOD, fd, libc::EPOLLIN as u32);
                    }
                }
                if ev & !(libc::EPOLLOUT as u32) != 0 {
                    let r = unsafe { libc::recv(fd, rb.as_mut_ptr() as _, rb.len(), 0) };
                    if r <= 0 {
                        close =
                            r == 0 || std::io::Error::last_os_error().kind() != std::io::ErrorKind::WouldBlock
                    } else if !c.open {
                        c.buf.extend_from_slice(&rb[..r as usize]);
                        if c.buf.ends_with(b"\r\n\r\n") {
                            let h = String::from_utf8_lossy(&c.buf).to_string();
                            let path = h.split(' ').nth(1).unwrap_or("/");
                            c.ch = path.rsplit('/').next().unwrap_or("").parse().unwrap_or(0);
                            let key = h
                                .lines()
                                .find_map(|l| {
                                    l.to_ascii_lowercase()
                                        .starts_with("sec-websocket-key:")
                                        .then(|| l[18..].trim().to_string())
                                })
                                .unwrap_or_default();
                            let mut s = Sha1::new();
                            s.update(key.as_bytes());
                            s.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
                            let acc = base64::engine::general_purpose::STANDARD.encode(s.finalize());
                            let rs = format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n", acc);
                            unsafe { libc::send(c.fd, rs.as_ptr() as _, rs.len(), libc::MSG_NOSIGNAL) };
                            c.open = true;
                            c.buf = Vec::new();
                            list.push(fd);
                            dirty = true;
                        }
                    }
                }
            }
            if close {
                by[fd as usize] = None;
                list.retain(|x| *x != fd);
                dirty = true;
                for c in chans.iter_mut() {
                    c.retain(|x| *x != fd)
                }
                unsafe { libc::close(fd) };
            }
        }
    }
}
