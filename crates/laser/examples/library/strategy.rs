//! A strategy of one's own: it tries one candidate in each layer, and then all of the layer in which that was best. It sees
//! results alone, so that a killed search resumes without its help.

use laser::edit::Candidate;
use laser::search::{self, History, Job, Strategy};
use laser::{DemoFiles, OwnStrategy, SearchPlan, Session, StrategyChoice};
use std::path::Path;

struct BestLayer {
    space: Vec<Candidate>,
    /// One candidate in each layer, once they were asked for.
    probes: Vec<Candidate>,
    has_ended: bool,
}

fn layer(candidate: &Candidate) -> usize {
    candidate.first_edited_layer(0)
}

impl Strategy for BestLayer {
    fn propose(&mut self, history: &History) -> search::Result<Vec<Job>> {
        if self.has_ended {
            return Ok(Vec::new());
        }
        if self.probes.is_empty() {
            self.probes = self.space.clone();
            self.probes.dedup_by_key(|candidate| layer(candidate));
            return Ok(vec![Job::score("probes", self.probes.clone())]);
        }
        self.has_ended = true;
        let mut best: Option<(f64, usize)> = None;
        for probe in &self.probes {
            let accuracy = history.scored(probe)?.score.accuracy;
            if best.is_none_or(|(most, _)| accuracy > most) {
                best = Some((accuracy, layer(probe)));
            }
        }
        let of_best = self.space.iter().filter(|it| best.is_some_and(|(_, best)| layer(it) == best));
        Ok(vec![Job::score("best layer", of_best.cloned().collect())])
    }
}

pub fn run(demo: &DemoFiles, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let session = Session::open(demo.model.as_path())?;
    let task = session.task(&demo.task.display().to_string().into())?;
    let own = OwnStrategy {
        name: "best-layer",
        begin: |space| Box::new(BestLayer { space, probes: Vec::new(), has_ended: false }),
    };
    let plan = SearchPlan { strategy: StrategyChoice::Own(own), ..SearchPlan::default() };
    let found = session.search(&task, &plan, folder.join("strategy"))?;
    println!("{} of {} candidates were tried", found.entries.candidates().len(), found.trace.space);
    println!("{}", found.text());
    Ok(())
}
