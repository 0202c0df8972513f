//! The owner's API asked by schemathesis, which makes requests of the document, right and wrong ones, and holds answers to it.

use std::process::Command;
use wmlicense_testkit::daemon::Data;
use wmlicense_testkit::{root, run};

/// What is not asked for: that every request is taken whose fields are right each for itself. Some contradict each other, and a key
/// of another request is refused. Which methods there are HTTP says in its own way.
const OTHERS: &str = "positive_data_acceptance,unsupported_method";

#[test]
fn whatever_is_asked_the_api_answers_as_its_document_says() {
    let tool = root().join(".venv/bin/schemathesis");
    if !tool.is_file() && !run::has_tool(tool.to_str().unwrap()) {
        return;
    }
    let data = Data::new();
    data.fill();
    data.account("alice", &["gold"]);
    let token = data.admin(&["admin", "add", "ada", "--role", "owner"]);
    let serving = data.serve(&[]);
    let mut command = Command::new(tool);
    command.arg("run").arg(format!("{}/admin/v1/openapi.json", serving.management));
    command.args(["--header", &format!("Authorization: Bearer {}", token.strip_prefix("token: ").unwrap().trim())]);
    command.args(["--phases", "coverage,fuzzing", "--max-examples", "10", "--seed", "1", "--max-time", "20"]);
    command.args(["--exclude-checks", OTHERS, "--no-color"]);
    // What it notes down goes with the folder.
    run::succeed(command.current_dir(data.path()));
    let log = { serving }.kill();
    assert!(!log.contains("panicked") && !log.contains("ended early"), "{log}");
}
