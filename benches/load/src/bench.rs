//! Rounds, their medians, and which of them the machine spoilt.

use crate::{
    load::{Work, drive, float},
    machine::Clocks,
};
use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

/// Who is watched during a round.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    /// The process whose CPU time counts.
    pub(crate) server: u32,
    /// Processes that are part of the load, this one included.
    pub(crate) ours: Vec<u32>,
    /// The core of the server and the core of the load.
    pub(crate) cores: [usize; 2],
}

/// One round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Microseconds that half of the answers took at most.
    pub(crate) p50: f64,
    /// Microseconds that 99 of 100 took at most.
    pub(crate) p99: f64,
    /// Microseconds of the server's CPU time for each answer.
    pub(crate) cpu: f64,
    /// Cores that others had meanwhile, of the two that were measured on.
    pub(crate) others: f64,
}

impl Watched {
    /// # Errors
    /// As [`drive`].
    pub(crate) async fn round(
        &self,
        addr: SocketAddr,
        lanes: usize,
        duration: Duration,
        work: &Arc<impl Work>,
    ) -> anyhow::Result<Round> {
        let read = || Clocks::read(self.server, &self.ours, self.cores);
        let before = read()?;
        let sample = drive(addr, lanes, duration, work).await?;
        let used = before.until(read()?);
        let round = Round {
            rate: sample.rate(),
            p50: sample.percentile(50),
            p99: sample.percentile(99),
            cpu: used.server.as_secs_f64() * 1e6 / float(sample.answers.max(1)),
            others: used.others.as_secs_f64() / sample.elapsed.as_secs_f64(),
        };
        eprintln!("    {round}");
        Ok(round)
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>8.0}/s  p50 {:>7.0} µs  p99 {:>7.0} µs  server {:>6.1} µs/req  others {:.2} cores",
            self.rate, self.p50, self.p99, self.cpu, self.others
        )
    }
}

/// Each figure's median over the quiet rounds; over all of them when fewer than a third were quiet.
pub(crate) fn report(what: &str, rounds: &[Round]) -> Option<Round> {
    let quiet: Vec<Round> = rounds.iter().filter(|round| round.others <= OTHERS_MAX).copied().collect();
    let (used, note) = match quiet.len().saturating_mul(3) >= rounds.len() {
        true => (quiet.as_slice(), ""),
        false => (rounds, ", the machine was BUSY"),
    };
    let of = |figure: fn(&Round) -> f64| median(used.iter().map(figure).collect());
    let round = Round {
        rate: of(|round| round.rate)?,
        p50: of(|round| round.p50)?,
        p99: of(|round| round.p99)?,
        cpu: of(|round| round.cpu)?,
        others: of(|round| round.others)?,
    };
    println!("{what:<34} {round}  ({} of {} rounds quiet{note})", quiet.len(), rounds.len());
    Some(round)
}

/// The middle one.
pub(crate) fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

/// A round in which others had more of the two cores than this says little.
const OTHERS_MAX: f64 = 0.15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_that_others_spoilt_does_not_count() {
        let round = |rate, others| Round { rate, p50: 1.0, p99: 2.0, cpu: 3.0, others };
        let rounds = [round(100.0, 0.0), round(10.0, 0.9), round(120.0, 0.01), round(110.0, 0.02)];
        assert_eq!(report("test", &rounds).unwrap().rate, 110.0);
        assert!(report("nothing", &[]).is_none());
    }
}
