//! The C program `tests/c/hostile/player.c` beside a service of the test's own, one command and one answer at a time.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use wmlicense_testkit::World;
use wmlicense_testkit::c::compile::{Form, compile};
use wmlicense_testkit::service::{Post, Service, Shared, Step};
use wmlicense_testkit::{library_dir, root, run};
use wmlicense_wire::id::Kid;

/// A running application.
pub(crate) struct Player {
    pub(crate) service: Service,
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// What the store holds as far as the test knows.
    stored: String,
    pub(crate) folder: TempDir,
}

/// The program, compiled.
pub(crate) fn compiled(form: Form, out: &std::path::Path) -> std::path::PathBuf {
    compile("gcc", form, &root().join("tests/c/hostile/player.c"), out)
}

/// A command that finds its service.
pub(crate) fn environment(command: &mut Command, service: &Service) {
    let pin = service.world.pin().to_base64();
    command.env("WM_TEST_URL", &service.base).env("WM_TEST_AUTHORITY", pin).env("WM_TEST_TOKEN", "the-token");
    command.env("WM_TEST_LIBRARY", library_dir().join("libwmlicense.so"));
}

/// A service whose certificates hold by the clock of this machine, since a month ago.
pub(crate) fn service() -> Service {
    service_apart(0)
}

/// As [`service`], for people who live `seconds` ahead of this machine.
pub(crate) fn service_apart(seconds: i64) -> Service {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64 + seconds;
    let certified = if seconds == 0 { now - 30 * 86_400 } else { now };
    let service = Service::start(&Arc::new(World::at(certified)));
    service.now.store(now, Ordering::SeqCst);
    service
}

impl Player {
    /// A device that is individualized, holds one license, and repeats nothing.
    pub(crate) fn start(form: Form) -> Self {
        let mut player = Self::new(form, service());
        player.prepare();
        let kid = player.offer(1);
        assert!(player.ask(&format!("acquire {}", kid.to_base64())).starts_with("WM_S_LICENSE_ACQUIRED "));
        player.remember();
        player
    }

    /// The device is individualized, and repeats nothing.
    pub(crate) fn prepare(&mut self) {
        assert!(self.ask("individualize").starts_with("WM_S_INDIVIDUALIZED "));
        assert_eq!(self.ask("set RetryLimit 0"), "WM_S_OK");
        self.remember();
    }

    /// A device that knows nothing yet.
    pub(crate) fn new(form: Form, service: Service) -> Self {
        Self::with(form, service, &[])
    }

    /// As [`Self::new`], with these variables, and no proxy of the machine that runs the test.
    pub(crate) fn with(form: Form, service: Service, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = compiled(form, folder.path());
        let mut command = run::limited([program.to_str().unwrap(), folder.path().to_str().unwrap()]);
        environment(&mut command, &service);
        for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            command.env_remove(name).env_remove(name.to_ascii_uppercase());
        }
        command.envs(variables.iter().copied());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (commands, answers) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut player = Self { service, child, commands, answers, stored: String::new(), folder };
        player.remember();
        player
    }

    /// Puts a key ID into the catalogue.
    pub(crate) fn offer(&self, number: u64) -> Kid {
        let kid = wmlicense_testkit::kid(number);
        self.service.offer(kid);
        kid
    }

    pub(crate) fn ask(&mut self, command: &str) -> String {
        writeln!(self.commands.as_mut().unwrap(), "{command}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the program ended at `{command}`: {line}");
        line.trim_end().to_owned()
    }

    /// What the store holds is what it should hold from here on.
    pub(crate) fn remember(&mut self) {
        self.stored = self.ask("list");
    }

    /// The command ends with this result and remedy, and the store is as it was.
    pub(crate) fn fails(&mut self, trouble: &str, command: &str, result: &str, remedy: u32) -> Vec<u64> {
        let answer = self.ask(command);
        let words: Vec<&str> = answer.split(' ').collect();
        assert_eq!(words[0], result, "{trouble}: {answer}");
        let numbers: Vec<u64> = words[1..].iter().map(|word| word.parse().unwrap()).collect();
        assert_eq!(numbers[1], u64::from(remedy), "{trouble}: {answer}");
        self.unchanged(trouble);
        numbers
    }

    /// The store holds what it held.
    pub(crate) fn unchanged(&mut self, trouble: &str) {
        let stored = self.ask("list");
        assert_eq!(stored, self.stored, "{trouble}");
    }

    /// The next POST gets these bytes, and then the connection ends.
    pub(crate) fn then_raw(&self, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        self.then_take(move |mut stream| {
            let _ = stream.write_all(&bytes);
        });
    }

    /// The connection of the next POST is the test's.
    pub(crate) fn then_take(&self, take: impl FnOnce(TcpStream) + Send + 'static) {
        self.service.then(Step::Take(Box::new(take)));
    }

    /// As [`Self::then_answer`], made by a service whose clock is this many seconds off.
    pub(crate) fn then_answer_off(&self, seconds: i64, make: impl FnOnce(&Shared, &Post) -> Vec<u8> + Send + 'static) {
        self.service.then_answer(move |service, post| {
            service.now.fetch_add(seconds, Ordering::SeqCst);
            let bytes = make(service, post);
            service.now.fetch_sub(seconds, Ordering::SeqCst);
            bytes
        });
    }

    pub(crate) fn then_answer(&self, make: impl FnOnce(&Shared, &Post) -> Vec<u8> + Send + 'static) {
        self.service.then_answer(make);
    }

    /// Nothing is left over of what went wrong: the program ends well, and memory as it should.
    pub(crate) fn end(mut self) {
        assert_eq!(self.ask("check"), "WM_S_OK");
        drop(self.commands.take());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}
