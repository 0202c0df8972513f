//! Builds the library with all of its mutants inside and asks the tests which of them they notice. Run by `ci/mutants.sh` from the
//! root of the repository; which files are measured stands in `modules.txt`, what cannot be noticed in `equivalent.txt`.

mod bodies;
mod compile;
mod edits;
mod equivalent;
mod find;
mod hunt;
mod plan;
mod point;
mod process;
mod report;
mod suite;
mod tree;

use hunt::{Mutant, Outcome};
use plan::{Plan, Wish};
use point::Name;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use suite::Suite;
use tree::Tree;

fn main() -> ExitCode {
    let ended = Wish::read(std::env::args().skip(1)).map_err(Into::into).and_then(|wish| measured(&wish));
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// True if enough is noticed and the list of equivalents is right.
fn measured(wish: &Wish) -> Result<bool, Box<dyn Error>> {
    let begin = Instant::now();
    let root = std::env::current_dir()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let work = target.join("mutants");
    let plan = Plan::read(&std::fs::read_to_string("ci/mutants/modules.txt")?)?;
    let listed = equivalent::read(&std::fs::read_to_string("ci/mutants/equivalent.txt")?)?;

    eprintln!("== building with all mutants");
    let mut tree = Tree::copied(&root, &work, |file| plan.module_of(file).is_some())?;
    let refused = work.join("refused.txt");
    tree.refused = std::fs::read_to_string(&refused).unwrap_or_default().lines().map(str::to_owned).collect();
    tree.mutate()?;
    let files: Vec<&str> = tree.rewritten.keys().map(String::as_str).collect();
    if let [missing, ..] = plan.missing(&files).as_slice() {
        return Err(format!("modules.txt: nothing is at {missing}").into());
    }
    let results = work.join("results.tsv");
    let known = report::last(&results);
    if wish.list {
        wished(wish, &plan, &tree, &known).iter().for_each(|mutant| println!("{}", mutant.name));
        return Ok(equivalent::told_dead(&listed, &tree.names()));
    }
    let targets = match (wish.unit, wish.tests.as_slice()) {
        (false, []) => compile::targets(&tree.copy, &plan.without)?,
        (_, tests) => [vec!["--lib".to_owned()], tests.iter().map(|test| format!("--test={test}")).collect()].concat(),
    };
    compile::seeded(&target, &work.join("build"))?;
    let mut binaries = compile::built(&mut tree, &work.join("build"), &refused, &targets)?;
    binaries.retain(|binary| !plan.without.contains(&binary.name));
    eprintln!("== {} mutants in {} files, {} s", tree.points().len(), tree.rewritten.len(), begin.elapsed().as_secs());

    process::bounded()?;
    let suite = Suite::recorded(binaries, &plan.without, &work, wish.workers)?;
    suite.left_out.iter().for_each(|(_, said)| println!("left out: {said}"));
    eprintln!("== {} tests, {} s", suite.tests.len(), begin.elapsed().as_secs());

    let mutants = wished(wish, &plan, &tree, &known);
    let note = |mutant: &Mutant, outcome: &Outcome| report::note(&results, mutant, outcome);
    let outcomes = hunt::hunted(&suite, &mutants, wish.budget, wish.workers, &note)?;
    let unreliable = hunt::unreliable(&suite, &outcomes)?;
    let found: Vec<(Mutant, Outcome)> = mutants.into_iter().zip(outcomes).collect();
    report::keep(&results, known, &found)?;
    let is_right = told(&found, &listed, &tree.names(), &unreliable, plan.least);
    println!("{} mutants shown in {} s; results are in {}", found.len(), begin.elapsed().as_secs(), results.display());
    Ok(is_right)
}

/// The mutants that this run shows.
fn wished(
    wish: &Wish,
    plan: &Plan,
    tree: &Tree,
    known: &std::collections::HashMap<String, (String, String)>,
) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for point in tree.points() {
        let Some(module) = plan.module_of(&point.name.file) else { continue };
        let last = known.get(&point.name.to_string());
        let is_module = wish.modules.is_empty() || wish.modules.iter().any(|name| name == module);
        let is_file = wish.file.as_ref().is_none_or(|part| point.name.file.contains(part));
        let survived = last.is_some_and(|(word, _)| word != "noticed" && word != "hung");
        if is_module && is_file && (survived || !wish.survivors) && (last.is_none() || !wish.rest) {
            mutants.push(Mutant {
                number: point.number,
                name: point.name.clone(),
                line: point.line,
                module: module.to_owned(),
                noticed_by: last.map(|(_, by)| by.clone()),
            });
        }
    }
    if let Some(sample) = wish.sample.filter(|sample| *sample < mutants.len()) {
        let all = mutants.len();
        let chosen: std::collections::BTreeSet<usize> = (0..sample).map(|index| index * all / sample).collect();
        mutants = mutants.into_iter().enumerate().filter(|(index, _)| chosen.contains(index)).map(|(_, m)| m).collect();
    }
    mutants
}

/// Tells what was found; true if enough is noticed and the list of equivalents is right.
fn told(
    found: &[(Mutant, Outcome)],
    listed: &BTreeMap<String, String>,
    all: &[&Name],
    unreliable: &[String],
    least: usize,
) -> bool {
    let is_listed = |mutant: &Mutant| listed.contains_key(&mutant.name.to_string());
    for (mutant, outcome) in found.iter().filter(|(mutant, outcome)| outcome.by().is_none() && !is_listed(mutant)) {
        println!("{}", report::line(mutant, outcome));
    }
    let mut is_right = unreliable.is_empty();
    unreliable.iter().for_each(|test| println!("fails without a mutant too: {test}"));
    for (mutant, outcome) in found.iter().filter(|(mutant, _)| is_listed(mutant)) {
        if let Some(by) = outcome.by() {
            println!("listed as equivalent, but {by} notices it: {}", mutant.name);
            is_right = false;
        }
    }
    is_right &= equivalent::told_dead(listed, all);
    let modules = report::counted(found, listed);
    print!("{}", report::table(&modules));
    for (name, counts) in modules.iter().filter(|(_, counts)| !counts.is_enough(least)) {
        println!("{name}: less than {least} % are noticed ({} of {})", counts.noticed, counts.mutants);
        is_right = false;
    }
    is_right
}
