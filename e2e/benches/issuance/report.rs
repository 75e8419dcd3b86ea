//! What was measured, as a table for people and as JSON.

use serde_json::{Value, json};

use super::{floor::Floor, live::Live, wave::Wave};

/// One way to a certificate.
#[derive(Clone, Debug)]
pub struct Way {
    /// What asks for one.
    pub name: &'static str,
    /// With so many outstanding.
    pub waves: Vec<Wave>,
    /// The bare writes that there have to be, one after the other, and as many at once as are answered at once. What
    /// comes after that is told and not compared.
    pub floors: Vec<Floor>,
    /// How much of the rate of bare writes is wanted of the most that are outstanding, if so.
    pub goal: Option<&'static str>,
}

impl Way {
    /// The bare writes that a wave compares with.
    fn floor(&self, wave: &Wave) -> Option<&Floor> {
        let is_meant = |floor: &&Floor| (floor.at_once == 1) == (wave.outstanding == 1);
        self.floors.iter().take(2).find(is_meant)
    }

    /// How much of the rate of bare writes a wave came to.
    fn ratio(&self, wave: &Wave) -> Option<f64> {
        self.floor(wave).map(|floor| wave.rate() / floor.rate())
    }

    fn json(&self) -> Value {
        let wave = |wave: &Wave| {
            let mut value = wave.json();
            value["of_bare_writes"] = json!(self.ratio(wave));
            value
        };
        json!({
            "issued": self.waves.iter().map(wave).collect::<Value>(),
            "bare": self.floors.iter().map(Floor::json).collect::<Value>(),
        })
    }

    fn rows(&self) -> Vec<String> {
        let most = self.waves.iter().map(|wave| wave.outstanding).max();
        let wave = |wave: &Wave| {
            let what = format!("{}, {} outstanding", self.name, wave.outstanding);
            let rate = format!("{:.0}", wave.rate());
            let took = format!("{:.0}, {:.0} ms", wave.milliseconds(50), wave.milliseconds(99));
            let ratio = self.ratio(wave).map_or(String::new(), |ratio| format!("{ratio:.2}"));
            let goal = self.goal.filter(|_| Some(wave.outstanding) == most).unwrap_or_default();
            row([&what, &rate, &took, &ratio, goal])
        };
        let floor = |floor: &Floor| {
            let what = format!("· bare: {}, {} at once", floor.what, floor.at_once);
            row([&what, &format!("{:.0}", floor.rate()), "", "", ""])
        };
        self.waves.iter().map(wave).chain(self.floors.iter().map(floor)).collect()
    }
}

/// Everything that was measured.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Microseconds of one signature.
    pub signature: f64,
    /// The ways to a certificate.
    pub ways: Vec<Way>,
    /// As many live certificates as there was time for.
    pub live: Live,
}

impl Report {
    /// For programs.
    pub fn json(&self) -> Value {
        let ways = self.ways.iter().map(|way| (way.name.to_owned(), way.json()));
        json!({
            "signature_us": self.signature,
            "ways": ways.collect::<serde_json::Map<_, _>>(),
            "live": self.live.json(),
        })
    }

    /// For people, in Markdown.
    pub fn table(&self) -> String {
        let head = row(["", "a second", "p50, p99", "of bare writes", "goal"]) + "|---|--:|--:|--:|---|\n";
        let signatures = format!("{:.0}", 1e6 / self.signature);
        let signature = row(["· one ECDSA P-256 signature after the other", &signatures, "", "", ""]);
        let Live { certificates, memory, busiest, mean, .. } = &self.live;
        let resident = format!("{:.1} MiB", *memory as f64 / 1024.0);
        let ratio = format!("{busiest} / {mean:.1} = {:.2}", self.live.ratio());
        let live = [
            row([&format!("memory of sign, {certificates} Secrets live"), &resident, "", "", "≤ 60 MiB"]),
            row(["their renewals: busiest second / mean", &ratio, "", "", "≤ 3"]),
        ];
        let ways = self.ways.iter().flat_map(Way::rows);
        [head].into_iter().chain(ways).chain([signature]).chain(live).collect()
    }
}

fn row([what, rate, took, ratio, goal]: [&str; 5]) -> String {
    format!("| {what:<64} | {rate:>18} | {took:>16} | {ratio:>14} | {goal:<8} |\n")
}
