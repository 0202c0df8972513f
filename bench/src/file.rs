//! A film of 250 MB from protected to clear, file to file: the library beside Bento4 and ffmpeg.

use crate::arguments::Arguments;
use crate::face::root;
use crate::meter::Times;
use crate::table::Table;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;
use wmlicense_core::decryptor::Decryptor;
use wmlicense_core::rights::Application;
use wmlicense_media::{ContentHeader, SampleReader};
use wmlicense_testkit::home::Home;
use wmlicense_testkit::packager::Tools;
use wmlicense_testkit::{World, content_key, kid};

const BYTES: u64 = 250_000_000;
/// Seconds of the picture that is repeated until there are enough bytes.
const LOOP: &str = "testsrc2=size=1280x720:rate=25:duration=4,noise=alls=40:allf=t";

pub(crate) fn measure(world: &World, arguments: &Arguments, table: &mut Table) {
    let Some(tools) = Tools::find() else {
        table.row("film", "a film, file to file");
        return table.unmeasured("Shaka Packager is missing (ci/install.sh)");
    };
    let (home, folder) = (Home::new(world), TempDir::new().unwrap());
    home.acquire(&[world.policy(kid(1))]).unwrap();
    let clear = film(&tools, folder.path());
    let bento4 = bento4();
    for scheme in ["cenc", "cbcs"] {
        let protected = protect(&tools, &clear, scheme);
        let out = folder.path().join("out.mp4");
        let [mut ours, mut bento, mut ffmpeg] = <[Times; 3]>::default();
        for _ in 0..arguments.rounds {
            ours.measure(|| decrypt(&home, &protected, &out));
            let key = hex(&content_key(kid(1)));
            bento.measure(|| run(Command::new(&bento4).args([&kid(1).to_hex(), &key]).arg(&protected).arg(&out)));
            let words = ["-v", "error", "-y", "-decryption_key", &key, "-i"];
            ffmpeg.measure(|| {
                run(Command::new(tools.ffmpeg()).args(words).arg(&protected).args(["-c", "copy"]).arg(&out));
            });
        }
        let size = fs::metadata(&protected).unwrap().len();
        table.row("film", &format!("a film of {} MB, {scheme}, file to file", size / 1_000_000));
        table.time("wmlicense", &ours, 1);
        table.time("Bento4", &bento, 1);
        table.time("ffmpeg -decryption_key -c copy", &ffmpeg, 1);
        table.at_least("Bento4 to wmlicense", bento.ratio_to(&ours), 5.0);
        table.at_least("ffmpeg to wmlicense", ffmpeg.ratio_to(&ours), 5.0);
    }
}

/// Reads the file, decrypts every sample of its track in place, writes the result. The boxes stay as they are: only the
/// time counts.
fn decrypt(home: &Home<'_>, from: &Path, to: &Path) {
    let track = ContentHeader::read(File::open(from).unwrap()).unwrap().tracks().first().unwrap().id;
    let reader = SampleReader::read(File::open(from).unwrap(), track).unwrap();
    let decryptor = Decryptor::create(&home.client, kid(1), "Play", &Application::default()).unwrap();
    let mut bytes = fs::read(from).unwrap();
    for sample in reader.samples() {
        let protection = sample.protection.expect("every sample is protected");
        let data = &mut bytes[sample.offset as usize..][..sample.size as usize];
        decryptor.decrypt(&protection.info, data).unwrap();
    }
    fs::write(to, &bytes).unwrap();
}

/// A clear film of at least [`BYTES`].
fn film(tools: &Tools, folder: &Path) -> PathBuf {
    let (once, film) = (folder.join("once.mp4"), folder.join("film.mp4"));
    let ffmpeg = || {
        let mut command = Command::new(tools.ffmpeg());
        command.args(["-v", "error", "-nostdin", "-y"]);
        command
    };
    let x264 = ["-f", "lavfi", "-i", LOOP, "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-qp", "12"];
    run(ffmpeg().args(x264).args(["-pix_fmt", "yuv420p"]).arg(&once));
    let times = BYTES / fs::metadata(&once).unwrap().len();
    run(ffmpeg().args(["-stream_loop", &times.to_string(), "-i"]).arg(&once).args(["-c", "copy"]).arg(&film));
    film
}

fn protect(tools: &Tools, clear: &Path, scheme: &str) -> PathBuf {
    let out = clear.with_file_name(format!("{scheme}.mp4"));
    let key = format!("label=:key_id={}:key={}", kid(1).to_hex(), hex(&content_key(kid(1))));
    let mut packager = Command::new(tools.packager());
    packager.arg(format!("in={},stream=video,output={}", clear.display(), out.display()));
    packager.args(["--quiet", "--enable_raw_key_encryption", "--clear_lead", "0", "--protection_scheme", scheme]);
    run(packager.args(["--keys", &key]));
    out
}

/// The program around Bento4, built now: nothing else of the project depends on it.
fn bento4() -> PathBuf {
    let folder = root().join("bench/peers");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--release", "--locked"]).current_dir(&folder);
    run(cargo.arg("--target-dir").arg(folder.join("target")));
    folder.join("target/release/bento4-peer")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn run(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "failed: {command:?}");
}
