//! Ids between two others, and how they are cut into slices.

/// Ids between two others, both left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub above: i64,
    pub below: i64,
    /// Oldest first.
    pub upwards: bool,
}

impl Range {
    pub fn len(&self) -> i64 {
        (self.below.saturating_sub(self.above) - 1).max(0)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Cuts the next `count` ids off.
    pub fn take(&mut self, count: i64) -> Self {
        let count = count.min(self.len());
        let mut part = *self;
        if self.upwards {
            part.below = self.above + count + 1;
            self.above = part.below - 1;
        } else {
            part.above = self.below - count - 1;
            self.below = part.above + 1;
        }
        part
    }
}

#[cfg(test)]
mod tests {
    use super::Range;

    #[test]
    fn slices_cover_a_range_once() {
        for upwards in [false, true] {
            let mut left = Range { above: 3, below: 20, upwards };
            let mut seen = Vec::new();
            while !left.is_empty() {
                let part = left.take(5);
                let mut ids: Vec<i64> = (part.above + 1..part.below).collect();
                if !upwards {
                    ids.reverse();
                }
                seen.extend(ids);
            }
            let mut all: Vec<i64> = (4..20).collect();
            if !upwards {
                all.reverse();
            }
            assert_eq!(seen, all);
        }
    }
}
