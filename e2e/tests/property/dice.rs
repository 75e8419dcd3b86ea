//! Numbers from a seed: the same seed gives the same numbers, everywhere and for good.

/// A source of numbers: `SplitMix64`, of which each seed is as good as any other.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall as this seed says.
    pub const fn of(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `least` to `most`.
    pub fn between(&mut self, least: u32, most: u32) -> u32 {
        let span = u64::from(most.saturating_sub(least)) + 1;
        least + u32::try_from(self.roll() % span).unwrap_or_default()
    }

    /// Whether something happens that happens so many times of a hundred.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.between(1, 100) <= percent
    }

    /// One of these.
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        let last = u32::try_from(of.len() - 1).unwrap_or_default();
        of[self.between(0, last) as usize]
    }

    /// One of these, each as often as its weight says.
    pub fn weighted<T: Copy>(&mut self, of: &[(u32, T)]) -> T {
        let all: u32 = of.iter().map(|(weight, _)| weight).sum();
        let mut left = self.between(1, all);
        for (weight, one) in of {
            if left <= *weight {
                return *one;
            }
            left -= weight;
        }
        of[0].1
    }
}

#[test]
fn a_seed_says_how_the_dice_fall() {
    let fall = |seed| {
        let mut dice = Dice::of(seed);
        (0..50).map(|_| dice.weighted(&[(1, 'a'), (0, 'b'), (9, 'c')])).collect::<String>()
    };
    assert_eq!(fall(7), fall(7));
    assert_ne!(fall(7), fall(8));
    assert!(fall(7).contains('a') && !fall(7).contains('b'), "{}", fall(7));
}
