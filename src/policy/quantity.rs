//! Quantities as Kubernetes writes them (`500m`, `1.5Gi`, `20`), read and compared exactly.
//!
//! Amounts are whole numbers of billionths in an `i128`, so that nothing is rounded. What
//! doesn't fit, or can't be said exactly in billionths, isn't a quantity.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// How many decimal digits of a unit are kept: a billionth, the smallest that Kubernetes knows.
const DIGITS: i32 = 9;

/// An exact amount.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Amount(i128);

impl Amount {
    /// The amount that `text` says; `None` where it isn't a quantity that can be held exactly.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        let end =
            unsigned.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at_checked(end)?;
        let (digits, decimals) = mantissa(number)?;
        let Unit { factor, power } = unit(suffix)?;
        let scaled = scale(digits.checked_mul(factor)?, power.checked_add(DIGITS)?.checked_sub(decimals)?)?;
        Some(Self(if negative { -scaled } else { scaled }))
    }

    /// Whether it is a whole number.
    pub fn is_whole(self) -> bool {
        scale(self.0, -DIGITS).is_some()
    }

    /// So many times as much; `None` where that doesn't fit.
    pub fn times(self, times: i128) -> Option<Self> {
        self.0.checked_mul(times).map(Self)
    }

    /// A whole number as Kubernetes writes it; `None` where it has a fraction.
    pub fn whole(self) -> Option<Quantity> {
        scale(self.0, -DIGITS).map(|number| Quantity(number.to_string()))
    }

    /// The amount that a Kubernetes quantity says.
    pub fn of(quantity: &Quantity) -> Option<Self> {
        Self::parse(&quantity.0)
    }
}

/// Whether two quantities are the same amount, however they are written (`1000m` is `1`).
pub fn same(one: &Quantity, other: &Quantity) -> bool {
    one == other || Amount::of(one).is_some_and(|amount| Some(amount) == Amount::of(other))
}

/// What a suffix multiplies by: `factor` times ten to the `power`.
struct Unit {
    factor: i128,
    power: i32,
}

/// The digits of a decimal number, without its point, and how many stand after the point.
fn mantissa(number: &str) -> Option<(i128, i32)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let all_digits = |part: &str| part.bytes().all(|letter| letter.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let digits = format!("0{whole}{fraction}").parse().ok()?;
    Some((digits, i32::try_from(fraction.len()).ok()?))
}

/// What `suffix` stands for.
fn unit(suffix: &str) -> Option<Unit> {
    let decimal = |power| Some(Unit { factor: 1, power });
    let binary = |exponent: u32| Some(Unit { factor: 1_i128.checked_shl(exponent)?, power: 0 });
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => decimal(suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    }
}

/// `digits` times ten to the `power`, where that is a whole number that fits.
fn scale(digits: i128, power: i32) -> Option<i128> {
    if digits == 0 {
        return Some(0);
    }
    let ten = 10_i128.checked_pow(power.unsigned_abs())?;
    if power >= 0 { digits.checked_mul(ten) } else { (digits % ten == 0).then_some(digits / ten) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap_or_else(|| panic!("{text} is a quantity"))
    }

    #[test]
    fn one_amount_can_be_written_in_many_ways() {
        for (one, other) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1.5Ki", "1536"),
            ("1Gi", "1024Mi"),
            ("1G", "1000M"),
            ("2e3", "2k"),
            ("2E3", "2k"),
            ("1E", "1000P"),
            ("1Ei", "1024Pi"),
            ("0001.500", "1500m"),
            ("+5", "5"),
            (".5", "500m"),
            ("5.", "5"),
            ("1000n", "1u"),
            ("0.000000000001k", "1n"),
            ("0e999999", "0"),
        ] {
            assert_eq!(amount(one), amount(other), "{one} and {other}");
            assert!(same(&Quantity(one.to_owned()), &Quantity(other.to_owned())));
        }
    }

    #[test]
    fn amounts_are_ordered_exactly() {
        for (less, more) in [
            ("8G", "8Gi"),
            ("999m", "1"),
            ("1023Mi", "1Gi"),
            ("-1", "0"),
            ("9007199254740992", "9007199254740993"),
            ("999999999999P", "1000000000000P"),
        ] {
            assert!(amount(less) < amount(more), "{less} is less than {more}");
        }
    }

    #[test]
    fn what_is_no_quantity_or_does_not_fit_is_refused() {
        for wrong in [
            "",
            "Gi",
            "-",
            "+",
            ".",
            "1.2.3",
            "1 Gi",
            "1gi",
            "1KI",
            "--1",
            "0x10",
            "1e",
            "1e1.5",
            "1e99",
            "0.1n",
            "1e-99",
            "1Gi ",
            "one",
            "99999999999999999999999999999P",
            "1e2147483647",
            "1e-2147483648",
        ] {
            assert_eq!(Amount::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn two_quantities_that_cannot_be_read_are_the_same_only_if_they_are_written_the_same() {
        let quantity = |text: &str| Quantity(text.to_owned());
        assert!(same(&quantity("odd"), &quantity("odd")));
        assert!(!same(&quantity("odd"), &quantity("even")));
    }

    proptest! {
        #[test]
        fn comparing_agrees_with_whole_numbers(one in 0_i64.., other in 0_i64.., binary in any::<bool>()) {
            let (suffix, factor) = if binary { ("Ki", 1024_i128) } else { ("k", 1000) };
            let scaled = amount(&format!("{one}{suffix}"));
            prop_assert_eq!(
                scaled.cmp(&amount(&other.to_string())),
                (i128::from(one) * factor).cmp(&i128::from(other))
            );
        }

        #[test]
        fn thousandths_agree_with_whole_numbers(whole in 0_u32.., thousandths in 0_u32..1000) {
            let written = amount(&format!("{whole}.{thousandths:03}"));
            let counted = i128::from(whole) * 1000 + i128::from(thousandths);
            prop_assert_eq!(written, amount(&format!("{counted}m")));
        }

        #[test]
        fn nothing_that_is_written_makes_it_panic(text in "[-+]?[0-9.]{0,40}[eEnumkMGTPKi+-]{0,3}[0-9]{0,12}") {
            let _ = Amount::parse(&text);
        }
    }
}
