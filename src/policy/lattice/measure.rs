//! What can be measured, and so has a most and a least.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::show::Show;
use crate::api::value::{Duration, Ratio};
use crate::policy::quantity::Amount;

/// Something that is more or less.
pub(super) trait Measure: Show + Clone {
    /// What it is compared by.
    type Rank: Ord;

    /// How much it is; `None` where it can't be read.
    fn rank(&self) -> Option<Self::Rank>;
}

/// A rank, or what is below or above all of them.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Level<R> {
    /// Below all.
    Lowest,
    /// This one.
    At(R),
    /// Above all.
    Highest,
}

impl Measure for i32 {
    type Rank = Self;

    fn rank(&self) -> Option<Self> {
        Some(*self)
    }
}

impl Measure for Duration {
    type Rank = SignedDuration;

    fn rank(&self) -> Option<SignedDuration> {
        self.length()
    }
}

impl Measure for Quantity {
    type Rank = Amount;

    fn rank(&self) -> Option<Amount> {
        Amount::of(self)
    }
}

impl Measure for Time {
    type Rank = Timestamp;

    fn rank(&self) -> Option<Timestamp> {
        Some(self.0)
    }
}

impl Measure for Ratio {
    type Rank = u32;

    /// In millionths.
    fn rank(&self) -> Option<u32> {
        let (whole, fraction) = self.0.split_once('.').unwrap_or((&self.0, ""));
        let plain = |text: &str| text.bytes().all(|letter| letter.is_ascii_digit());
        let well_formed = matches!(whole, "0" | "1") && fraction.len() <= 6 && plain(fraction);
        let millionths: u32 = format!("{fraction:0<6}").parse().ok()?;
        let rank = whole.parse::<u32>().ok()?.checked_mul(1_000_000)?.checked_add(millionths)?;
        (well_formed && rank <= 1_000_000).then_some(rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_read_exactly() {
        let rank = |text: &str| Ratio::from(text).rank();
        assert_eq!(rank("0.55"), Some(550_000));
        assert_eq!(rank("0.550000"), rank("0.55"));
        assert_eq!((rank("0"), rank("1"), rank("1.000000")), (Some(0), Some(1_000_000), Some(1_000_000)));
        assert!(rank("0.1") > rank("0.099999"));
        for wrong in ["", "0.5x", "2", "1.1", "0.1234567", "-0.5", "0.+5", "0. 5"] {
            assert_eq!(rank(wrong), None, "{wrong}");
        }
    }
}
