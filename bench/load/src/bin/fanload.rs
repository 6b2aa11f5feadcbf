// fanload: WebSocket fan-out receiver. Single thread, raw epoll.
// Counts frames and messages (occurrences of `"t":` in data payloads), reads the
// ns timestamp after `"t":` (or the time after `--stamp`) for a latency histogram, keeps a count per connection.
// With `--arrival` there is a second one, up to when the kernel had the data: the rest is this client's own wait.
use memchr::memmem::Finder;
use std::collections::HashMap;
use std::io::Write;
use touchline_load::{address, allow_files, arrived, frame, now_ns, switch_on, watch};

struct Hist {
    b: Vec<u64>,
    n: u64,
    max: u64,
    sum: u64,
}
impl Hist {
    fn new() -> Self {
        Hist {
            b: vec![0; 64 * 128],
            n: 0,
            max: 0,
            sum: 0,
        }
    }
    fn idx(us: u64) -> usize {
        if us < 128 {
            us as usize
        } else {
            let e = 63 - us.leading_zeros() as usize; // >= 7
            (e - 6) * 128 + ((us >> (e - 7)) as usize - 128)
        }
    }
    fn val(i: usize) -> u64 {
        if i < 128 {
            i as u64
        } else {
            let e = i / 128 + 6;
            ((i % 128 + 128) as u64) << (e - 7)
        }
    }
    #[inline]
    fn add(&mut self, ns: i64) {
        let us = if ns < 0 { 0 } else { ns as u64 / 1000 };
        self.b[Self::idx(us)] += 1;
        self.n += 1;
        self.sum += us;
        if us > self.max {
            self.max = us
        }
    }
    fn q(&self, q: f64) -> f64 {
        let want = (self.n as f64 * q).ceil() as u64;
        let mut c = 0;
        for (i, v) in self.b.iter().enumerate() {
            c += v;
            if c >= want && *v > 0 {
                return Self::val(i) as f64 / 1000.0;
            }
        }
        0.0
    }
}

#[derive(PartialEq, Clone, Copy)]
enum St {
    Connecting,
    Handshake,
    Open,
    Dead,
}
struct Conn {
    fd: i32,
    st: St,
    ready: bool,
    msgs: u64,
    carry: Vec<u8>,
    infl: Option<Box<flate2::Decompress>>,
    defl: bool,
}

fn proc_cpu(pid: i32) -> f64 {
    let s = std::fs::read_to_string(format!("/proc/{}/stat", pid)).unwrap_or_default();
    let r = match s.rfind(')') {
        Some(i) => &s[i + 2..],
        None => return 0.0,
    };
    let f: Vec<&str> = r.split(' ').collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap())
        / unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64
}
fn proc_rss(pid: i32) -> u64 {
    let s = std::fs::read_to_string(format!("/proc/{}/statm", pid)).unwrap_or_default();
    s.split(' ')
        .nth(1)
        .and_then(|x| x.parse::<u64>().ok())
        .unwrap_or(0)
        * 4096
}

struct G {
    frames: u64,
    msgs: u64,
    bytes: u64,
    reads: u64,
    other: u64,
    t_first: i64,
    t_last: i64,
    hist: Hist,
    /// The same up to when it was in the socket.
    came: Hist,
    sample: u64,
    sctr: u64,
    t_reset: i64,
    cpu0: Vec<f64>,
    self0: f64,
    deflated: u64,
}

/// Nanoseconds since 1970 of a time like 2026-07-19T19:00:00.000Z.
fn rfc3339_ns(p: &[u8]) -> Option<i64> {
    let number = |at: usize, len: usize| {
        p.get(at..at + len)?.iter().try_fold(0i64, |v, c| {
            c.is_ascii_digit().then(|| v * 10 + (c - b'0') as i64)
        })
    };
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let seconds = number(11, 2)? * 3600 + number(14, 2)? * 60 + number(17, 2)?;
    let ms = if p.get(19) == Some(&b'.') { number(20, 3)? } else { 0 };
    // The year begins in March, so that the day that is added now and then is its last one.
    let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Some(((days * 86_400 + seconds) * 1000 + ms) * 1_000_000)
}

#[inline]
fn scan(p: &[u8], fnd: &Finder, now: i64, came: i64, g: &mut G) -> u64 {
    let mut o = 0;
    let mut n = 0;
    while let Some(i) = fnd.find(&p[o..]) {
        o += i + fnd.needle().len();
        n += 1;
        g.sctr += 1;
        if g.sctr >= g.sample {
            g.sctr = 0;
            if p.get(o).is_some_and(|c| *c == b'2') && p.get(o + 4) == Some(&b'-') {
                if let Some(at) = rfc3339_ns(&p[o..]) {
                    g.hist.add(now - at);
                    g.came.add(came - at)
                }
                continue;
            }
            let mut j = o;
            while j < p.len() && p[j] == b' ' {
                j += 1
            }
            let mut v: i64 = 0;
            let mut d = 0;
            while j < p.len() && p[j].is_ascii_digit() {
                v = v * 10 + (p[j] - b'0') as i64;
                j += 1;
                d += 1;
                if d == 19 {
                    break;
                }
            }
            if d == 19 {
                g.hist.add(now - v);
                g.came.add(came - v)
            }
        }
    }
    n
}

fn main() {
    let mut o: HashMap<String, Vec<String>> = HashMap::new();
    let a: Vec<String> = std::env::args().skip(1).collect();
    let mut i = 0;
    while i < a.len() {
        let k = a[i].trim_start_matches("--").to_string();
        if ["interactive", "spin", "deflate", "arrival"].contains(&k.as_str()) {
            o.entry(k).or_default().push("1".into());
            i += 1
        } else {
            o.entry(k).or_default().push(a[i + 1].clone());
            i += 2
        }
    }
    let get = |k: &str, d: &str| o.get(k).map(|v| v[0].clone()).unwrap_or(d.to_string());
    let url = get("url", "ws://127.0.0.1:9001/");
    let conns: usize = get("conns", "1000").parse().unwrap();
    let crate_: f64 = get("connect-rate", "2000").parse().unwrap();
    let dur: f64 = get("duration", "10").parse().unwrap();
    let channels: usize = get("channels", "1").parse().unwrap();
    let first = o.get("first-frame").cloned().unwrap_or_default();
    let ready_match = get("ready-match", "");
    let pids: Vec<i32> = get("pid", "")
        .split(',')
        .filter(|s| !s.is_empty())
        .map(|s| s.parse().unwrap())
        .collect();
    let mut poll_ms: f64 = get("poll-ms", "0").parse().unwrap();
    let inter = o.contains_key("interactive");
    let spin = o.contains_key("spin");
    let defl = o.contains_key("deflate");
    let arrival = o.contains_key("arrival");
    let rest = url.strip_prefix("ws://").expect("ws:// url");
    let (hp, path) = match rest.find('/') {
        Some(i) => (&rest[..i], rest[i..].to_string()),
        None => (rest, "/".to_string()),
    };
    let (host, port) = hp.split_once(':').unwrap();
    let port: u16 = port.parse().unwrap();
    let ip: std::net::Ipv4Addr = host.parse().unwrap();
    assert!(ip.is_loopback(), "loopback only");
    allow_files();

    let mut g = G {
        frames: 0,
        msgs: 0,
        bytes: 0,
        reads: 0,
        other: 0,
        t_first: 0,
        t_last: 0,
        hist: Hist::new(),
        came: Hist::new(),
        sample: get("sample", "1").parse().unwrap(),
        sctr: 0,
        t_reset: now_ns(),
        cpu0: vec![0.0; pids.len()],
        self0: 0.0,
        deflated: 0,
    };
    let me = std::process::id() as i32;
    // A stamp is nanoseconds behind "t":, or a time behind what is named here.
    let stamp = get("stamp", "\"t\":");
    let fnd = Finder::new(stamp.as_bytes());
    let rfnd = Finder::new(ready_match.as_bytes());
    let ep = unsafe { libc::epoll_create1(0) };
    let add = |fd: i32, id: u64, ev: u32| watch(ep, libc::EPOLL_CTL_ADD, fd, id, ev);
    let md = |fd: i32, id: u64, ev: u32| watch(ep, libc::EPOLL_CTL_MOD, fd, id, ev);
    const STDIN: u64 = u64::MAX;
    if inter {
        unsafe {
            libc::fcntl(0, libc::F_SETFL, libc::O_NONBLOCK);
        }
        add(0, STDIN, libc::EPOLLIN as u32);
    }
    let mut cs: Vec<Conn> = Vec::with_capacity(conns);
    let t0 = now_ns();
    let mut opened = 0usize;
    let mut ready = 0usize;
    let mut dead = 0usize;
    let mut announced = false;
    let mut buf = vec![0u8; 1 << 22];
    let rd = 1usize << 16;
    let mut evs: Vec<libc::epoll_event> = vec![libc::epoll_event { events: 0, u64: 0 }; 1024];
    let mut t_end = i64::MAX;
    let mut sin = Vec::<u8>::new();
    let mut last_n = 0i32;
    let infl_lock = std::io::stdout();

    macro_rules! reset {
        () => {{
            for c in cs.iter_mut() {
                c.msgs = 0
            }
            g.frames = 0;
            g.msgs = 0;
            g.bytes = 0;
            g.reads = 0;
            g.other = 0;
            g.deflated = 0;
            g.t_first = 0;
            g.t_last = 0;
            g.hist = Hist::new();
            g.came = Hist::new();
            g.t_reset = now_ns();
            for (i, p) in pids.iter().enumerate() {
                g.cpu0[i] = proc_cpu(*p)
            }
            g.self0 = proc_cpu(me);
        }};
    }
    macro_rules! report { () => {{
        let mn = cs.iter().map(|c| c.msgs).min().unwrap_or(0); let mx = cs.iter().map(|c| c.msgs).max().unwrap_or(0);
        let cpu: f64 = pids.iter().enumerate().map(|(i, p)| proc_cpu(*p) - g.cpu0[i]).sum();
        let rss: u64 = pids.iter().map(|p| proc_rss(*p)).sum();
        let el = (now_ns() - g.t_reset) as f64 / 1e9; let span = (g.t_last - g.t_first) as f64 / 1e9;
        format!("{{\"conns\":{},\"open\":{},\"ready\":{},\"dead\":{},\"elapsed\":{:.3},\"frames\":{},\"msgs\":{},\"bytes\":{},\"reads\":{},\"deflated\":{},\"span\":{:.3},\"min\":{},\"max\":{},\"p50\":{:.3},\"p99\":{:.3},\"p999\":{:.3},\"maxlat\":{:.3},\"mean\":{:.3},\"samples\":{},\"srv_cpu\":{:.3},\"srv_rss\":{},\"load_cpu\":{:.3},\"came_p50\":{:.3},\"came_p99\":{:.3}}}",
            conns, opened, ready, dead, el, g.frames, g.msgs, g.bytes, g.reads, g.deflated, span, mn, mx, g.hist.q(0.5), g.hist.q(0.99), g.hist.q(0.999), g.hist.max as f64 / 1000.0,
            if g.hist.n > 0 { g.hist.sum as f64 / g.hist.n as f64 / 1000.0 } else { 0.0 }, g.hist.n, cpu, rss, proc_cpu(me) - g.self0, g.came.q(0.5), g.came.q(0.99))
    }}}
    'main: loop {
        let mut to = if spin { 0 } else { 200 };
        if cs.len() < conns {
            let due = (((now_ns() - t0) as f64 / 1e9) * crate_) as usize + 1;
            while cs.len() < due.min(conns) {
                unsafe {
                    let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0);
                    assert!(fd >= 0, "socket: out of fds");
                    switch_on(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY);
                    if arrival {
                        switch_on(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS)
                    }
                    let sa = address(ip, port);
                    libc::connect(fd, &sa as *const _ as _, 16);
                    add(fd, cs.len() as u64, libc::EPOLLOUT as u32);
                    cs.push(Conn {
                        fd,
                        st: St::Connecting,
                        ready: false,
                        msgs: 0,
                        carry: Vec::new(),
                        infl: None,
                        defl: false,
                    });
                }
            }
            to = 1;
        } else if !announced && ready + dead >= conns {
            announced = true;
            let mut so = infl_lock.lock();
            writeln!(
                so,
                "READY {} {} {:.3}",
                opened,
                dead,
                (now_ns() - t0) as f64 / 1e9
            )
            .unwrap();
            so.flush().unwrap();
            if !inter {
                reset!();
                t_end = now_ns() + (dur * 1e9) as i64;
            }
        }
        if now_ns() >= t_end {
            break;
        }
        if t_end != i64::MAX && !spin {
            to = 20
        }
        if poll_ms > 0.0 && announced && last_n < 1024 {
            let ts = libc::timespec {
                tv_sec: 0,
                tv_nsec: (poll_ms * 1e6) as i64,
            };
            unsafe { libc::nanosleep(&ts, std::ptr::null_mut()) };
            to = 0;
        }
        let n = unsafe { libc::epoll_wait(ep, evs.as_mut_ptr(), 1024, to) };
        last_n = n;
        for k in 0..n.max(0) as usize {
            let id = evs[k].u64;
            let e = evs[k].events;
            if id == STDIN {
                let mut b = [0u8; 512];
                let r = unsafe { libc::read(0, b.as_mut_ptr() as _, 512) };
                if r == 0 {
                    break 'main;
                }
                if r > 0 {
                    sin.extend(&b[..r as usize])
                }
                while let Some(p) = sin.iter().position(|c| *c == b'\n') {
                    let l: Vec<u8> = sin.drain(..=p).collect();
                    let mut so = infl_lock.lock();
                    match &l[..p] {
                        b"reset" => {
                            reset!();
                            writeln!(so, "ok").unwrap()
                        }
                        b"report" => writeln!(so, "{}", report!()).unwrap(),
                        b"quit" => break 'main,
                        x if x.starts_with(b"poll ") => {
                            poll_ms = String::from_utf8_lossy(&x[5..]).parse().unwrap_or(0.0);
                            writeln!(so, "ok").unwrap()
                        }
                        _ => writeln!(so, "?").unwrap(),
                    }
                    so.flush().unwrap();
                }
                continue;
            }
            let ci = id as usize;
            let fd = cs[ci].fd;
            if cs[ci].st == St::Connecting {
                if e & (libc::EPOLLERR | libc::EPOLLHUP) as u32 != 0 {
                    cs[ci].st = St::Dead;
                    dead += 1;
                    unsafe { libc::close(fd) };
                    continue;
                }
                let p = path
                    .replace("{i}", &ci.to_string())
                    .replace("{k}", &(ci % channels).to_string());
                let ext = if defl {
                    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
                } else {
                    ""
                };
                let rq = format!("GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{}\r\n", p, hp, ext);
                unsafe { libc::send(fd, rq.as_ptr() as _, rq.len(), libc::MSG_NOSIGNAL) };
                cs[ci].st = St::Handshake;
                md(fd, id, libc::EPOLLIN as u32);
                continue;
            }
            let c = &mut cs[ci];
            let pre = c.carry.len();
            if pre > 0 {
                buf[..pre].copy_from_slice(&c.carry);
                c.carry.clear()
            }
            let (r, at) = if arrival {
                arrived(fd, &mut buf[pre..pre + rd])
            } else {
                (unsafe { libc::recv(fd, buf.as_mut_ptr().add(pre) as _, rd, 0) }, None)
            };
            if r <= 0 {
                if r < 0 && std::io::Error::last_os_error().kind() == std::io::ErrorKind::WouldBlock {
                    if pre > 0 {
                        c.carry.extend_from_slice(&buf[..pre])
                    }
                    continue;
                }
                if c.st != St::Dead {
                    if c.st == St::Open && c.ready && !announced {
                        ready -= 1
                    }
                    c.st = St::Dead;
                    dead += 1
                }
                unsafe { libc::close(fd) };
                continue;
            }
            let now = now_ns();
            let came = at.unwrap_or(now);
            g.reads += 1;
            g.bytes += r as u64;
            let end = pre + r as usize;
            let mut p = 0usize;
            if c.st == St::Handshake {
                match memchr::memmem::find(&buf[..end], b"\r\n\r\n") {
                    None => {
                        c.carry.extend_from_slice(&buf[..end]);
                        continue;
                    }
                    Some(h) => {
                        if !buf[..end].starts_with(b"HTTP/1.1 101") {
                            eprintln!("handshake: {}", String::from_utf8_lossy(&buf[..h]));
                            c.st = St::Dead;
                            dead += 1;
                            unsafe { libc::close(fd) };
                            continue;
                        }
                        let hs = String::from_utf8_lossy(&buf[..h]).to_ascii_lowercase();
                        c.defl = hs.contains("permessage-deflate");
                        if c.defl && ci % 50 == 0 {
                            c.infl = Some(Box::new(flate2::Decompress::new(false)))
                        }
                        c.st = St::Open;
                        opened += 1;
                        p = h + 4;
                        if ready_match.is_empty() {
                            c.ready = true;
                            ready += 1
                        }
                        for f in &first {
                            let t = f
                                .replace("{i}", &ci.to_string())
                                .replace("{k}", &(ci % channels).to_string());
                            let b = frame(1, t.as_bytes(), true);
                            unsafe { libc::send(fd, b.as_ptr() as _, b.len(), libc::MSG_NOSIGNAL) };
                        }
                    }
                }
            }
            loop {
                let av = end - p;
                if av < 2 {
                    break;
                }
                let l = buf[p + 1] & 0x7f;
                let (h, len) = match l {
                    126 => {
                        if av < 4 {
                            break;
                        }
                        (4, u16::from_be_bytes([buf[p + 2], buf[p + 3]]) as usize)
                    }
                    127 => {
                        if av < 10 {
                            break;
                        }
                        (
                            10,
                            u64::from_be_bytes(buf[p + 2..p + 10].try_into().unwrap()) as usize,
                        )
                    }
                    _ => (2, l as usize),
                };
                if av < h + len {
                    break;
                }
                let op = buf[p] & 0xf;
                let rsv1 = buf[p] & 0x40 != 0;
                let pl = &buf[p + h..p + h + len];
                p += h + len;
                if op <= 2 {
                    if rsv1 {
                        g.frames += 1;
                        g.deflated += 1;
                        let mut cnt = 1;
                        if let Some(d) = c.infl.as_mut() {
                            let mut out = Vec::with_capacity(1 << 20);
                            let mut inb = pl.to_vec();
                            inb.extend([0, 0, 255, 255]);
                            let _ = d.decompress_vec(&inb, &mut out, flate2::FlushDecompress::Sync);
                            cnt = scan(&out, &fnd, now, came, &mut g);
                        }
                        c.msgs += cnt;
                        g.msgs += cnt;
                        if g.t_first == 0 {
                            g.t_first = now
                        }
                        g.t_last = now;
                    } else {
                        let cnt = scan(pl, &fnd, now, came, &mut g);
                        if cnt > 0 {
                            g.frames += 1;
                            c.msgs += cnt;
                            g.msgs += cnt;
                            if g.t_first == 0 {
                                g.t_first = now
                            }
                            g.t_last = now;
                        } else {
                            g.other += 1;
                            if !c.ready && rfnd.find(pl).is_some() {
                                c.ready = true;
                                ready += 1
                            } else if !c.ready
                                && !ready_match.is_empty()
                                && std::env::var("FANLOAD_DEBUG").is_ok()
                            {
                                eprintln!("{}", String::from_utf8_lossy(pl))
                            }
                        }
                    }
                } else if op == 9 {
                    let b = frame(10, pl, true);
                    unsafe { libc::send(fd, b.as_ptr() as _, b.len(), libc::MSG_NOSIGNAL) };
                } else if op == 8 {
                    if std::env::var("FANLOAD_DEBUG").is_ok() {
                        eprintln!("close {:?}", String::from_utf8_lossy(pl))
                    }
                }
            }
            if p < end {
                c.carry.extend_from_slice(&buf[p..end])
            }
        }
    }
    let r = report!();
    match o.get("out") {
        Some(f) => std::fs::write(&f[0], &r).unwrap(),
        None => {
            if !inter {
                println!("{}", r)
            }
        }
    }
}
