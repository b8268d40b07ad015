//! Does with files, clocks and chance what Rust programs do, by std and no other way, in
//! the directory /w that calls.c describes. It prints what came of each step, and removes
//! what it made.
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, thread};

/// The same for every engine, system and call.
fn said<T: std::fmt::Debug>(r: io::Result<T>) -> String {
    match r {
        Ok(v) => format!("{:?}", v),
        Err(e) => format!("errno {}", e.raw_os_error().unwrap_or(-1)),
    }
}

fn names(dir: &Path, seen: &mut Vec<String>) -> io::Result<()> {
    for e in fs::read_dir(dir)? {
        let e = e?;
        let kind = e.file_type()?;
        seen.push(format!("{} {} {}", e.path().display(), kind.is_dir(), kind.is_symlink()));
        if kind.is_dir() {
            names(&e.path(), seen)?;
        }
    }
    Ok(())
}

fn main() {
    println!("args {:?} {:?}", env::args().collect::<Vec<_>>(), env::vars().collect::<Vec<_>>());
    let mut input = String::new();
    println!("stdin {}", said(io::stdin().read_to_string(&mut input)));
    for dir in ["/w/n/a/b", "/w/f", "/r/n", "/w/no/n/\0", "/nowhere"] {
        println!("create {:?} {}", dir, said(fs::create_dir_all(dir)));
    }
    println!("write {} {} {}", said(fs::write("/w/n/x", "0123456789")), said(fs::write("/w/n", "")), said(fs::write("/r/f", "")));
    let mut f = OpenOptions::new().read(true).append(true).open("/w/n/x").unwrap();
    let mut b = [0; 8];
    println!("append {} {}", said(f.write(b"ab")), said(f.seek(SeekFrom::End(-4))));
    println!("read {} {:?} {}", said(f.read(&mut b)), b, said(f.stream_position()));
    println!("seek {} {}", said(f.seek(SeekFrom::Current(-100))), said(f.seek(SeekFrom::Start(1 << 63))));
    println!("size {} {} {}", said(f.set_len(3)), said(f.sync_all()), said(f.sync_data()));
    println!("exclusive {}", said(OpenOptions::new().write(true).create_new(true).open("/w/n/x").map(|_| ())));
    println!("text {}", said(fs::read_to_string("/w/n/x")));
    println!("link {} {}", said(fs::hard_link("/w/n/x", "/w/n/h")), said(fs::hard_link("/w/n/x", "/o/x")));
    println!("copy {} {}", said(fs::copy("/w/n/x", "/w/n/c")), said(fs::copy("/w/fifo", "/w/n/d")));
    let m = fs::metadata("/w/n/h").unwrap();
    println!("stat {} {} {}", m.len(), m.is_file(), m.modified().unwrap() > UNIX_EPOCH);
    for name in ["/w/out", "/w/up/secret", "/w/../secret", "/secret", "/w/loop", "/w/f/x", "/w/l", "/w/dl/g"] {
        println!("read {} {}", name, said(fs::read_to_string(name)));
    }
    println!("readlink {} {}", said(fs::read_link("/w/l")), said(fs::read_link("/w/f")));
    println!("rename {} {} {}", said(fs::rename("/w/n/x", "/w/n/a/b/y")), said(fs::rename("/w/n/a", "/w/n/h")), said(fs::rename("/w/f", "/r/g")));
    let mut seen = Vec::new();
    println!("walk {}", said(names(Path::new("/w/n"), &mut seen)));
    seen.sort();
    println!("{:?}", seen);
    println!("remove {} {} {}", said(fs::remove_dir("/w/n")), said(fs::remove_file("/w/n")), said(fs::remove_dir_all("/w/n")));
    println!("gone {} {}", said(fs::metadata("/w/n").map(|_| ())), said(File::open("/w/n").map(|_| ())));

    let (a, b): (HashMap<u8, u8>, HashMap<u8, u8>) = (HashMap::new(), HashMap::new()); // seeded by chance
    println!("maps {}", a == b);
    let start = Instant::now();
    thread::sleep(Duration::from_millis(5));
    println!("slept {} {}", start.elapsed() >= Duration::from_millis(5), SystemTime::now() > UNIX_EPOCH + Duration::from_secs(1_700_000_000));
}
