//! What processes and the machine used, read from `/proc` (Linux).

use anyhow::Context as _;
use std::{fs, process::Command, time::Duration};

/// CPU time of the watched processes, and of everything on the two cores.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clocks {
    server: u64,
    ours: u64,
    cores: u64,
}

/// What passed between two readings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    /// CPU time of the server.
    pub(crate) server: Duration,
    /// CPU time on the two cores that is neither the server's nor the load's, what the hypervisor took included.
    pub(crate) others: Duration,
}

impl Clocks {
    /// # Errors
    /// When a process is gone.
    pub(crate) fn read(server: u32, ours: &[u32], cores: [usize; 2]) -> anyhow::Result<Self> {
        let ours = ours.iter().map(|pid| ticks_of(*pid)).sum::<anyhow::Result<u64>>()?;
        Ok(Self { server: ticks_of(server)?, ours, cores: busy_ticks(cores)? })
    }

    pub(crate) fn until(self, later: Self) -> Used {
        let server = later.server.saturating_sub(self.server);
        let known = server.saturating_add(later.ours.saturating_sub(self.ours));
        let all = later.cores.saturating_sub(self.cores);
        Used { server: ticks(server), others: ticks(all.saturating_sub(known)) }
    }
}

/// Memory of a process in bytes: resident now, and the most it ever was.
///
/// # Errors
/// When the process is gone.
pub(crate) fn memory_of(pid: u32) -> anyhow::Result<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).context("the server is gone")?;
    let kib = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().ok()
    };
    let of = |name| kib(name).map(|kib| kib.saturating_mul(1_024)).with_context(|| format!("no {name}"));
    Ok((of("VmRSS")?, of("VmHWM")?))
}

/// Keeps this process, all its threads, on one core.
///
/// # Errors
/// When there is no such core, or no `taskset`.
pub(crate) fn stay_on(core: usize) -> anyhow::Result<()> {
    let mut taskset = Command::new("taskset");
    taskset.args(["-a", "-p", "-c", &core.to_string(), &std::process::id().to_string()]);
    let done = taskset.output().context("`taskset` (util-linux) is needed")?;
    anyhow::ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr).trim());
    Ok(())
}

/// A command that stays on one core.
pub(crate) fn on_core(core: usize, program: &std::path::Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(program);
    command
}

/// User and system time of a process and its threads, in ticks.
fn ticks_of(pid: u32) -> anyhow::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).context("a measured process is gone")?;
    // The name in parentheses may hold anything; numbers come after the last one (proc(5)).
    let (_name, rest) = text.rsplit_once(')').context("/proc/PID/stat has another form")?;
    // State is the first word here; user and system time are the twelfth and thirteenth.
    let words: Vec<&str> = rest.split_whitespace().collect();
    let at = |index: usize| words.get(index).and_then(|word| word.parse::<u64>().ok());
    at(11).zip(at(12)).map(|(user, system)| user.saturating_add(system)).context("/proc/PID/stat is short")
}

/// Everything but idling on these cores, steal included.
fn busy_ticks(cores: [usize; 2]) -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/stat").context("/proc/stat cannot be read")?;
    let busy = |core: usize| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("cpu{core} ")))?;
        let numbers = line.split_whitespace().map_while(|word| word.parse::<u64>().ok());
        // user nice system idle iowait irq softirq steal (proc(5)); guest times are in user already.
        Some(numbers.take(8).enumerate().filter(|(at, _)| !matches!(at, 3 | 4)).map(|(_, ticks)| ticks).sum())
    };
    cores.into_iter().map(|core| busy(core).with_context(|| format!("there is no core {core}"))).sum()
}

fn ticks(count: u64) -> Duration {
    Duration::from_millis(count.saturating_mul(TICK_MS))
}

/// Linux counts in hundredths of a second for programs (`USER_HZ`).
const TICK_MS: u64 = 10;
