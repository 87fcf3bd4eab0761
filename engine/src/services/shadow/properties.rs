//! The properties that a program watches, and whose turn it is when a delta comes (shadow.md section 6).

/// A place in the order of registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u64);

/// The properties of one shadow. `H` is who hears of a property.
///
/// A delta goes through them from [`newest`](Self::newest) by [`before`](Self::before), and may let go of them after each:
/// what is registered meanwhile waits for the next delta, what is unregistered meanwhile is left out.
#[derive(Debug)]
pub struct Properties<H> {
    /// In the order of their marks.
    known: Vec<Known<H>>,
    next: u64,
}

#[derive(Debug)]
struct Known<H> {
    id: usize,
    mark: Mark,
    hearer: H,
}

impl<H> Default for Properties<H> {
    fn default() -> Self {
        Properties { known: Vec::new(), next: 0 }
    }
}

impl<H> Properties<H> {
    /// Registers the property that `id` names. One that is registered keeps its place, with another hearer. False without
    /// memory.
    pub fn register(&mut self, id: usize, hearer: H) -> bool {
        if let Some(known) = self.known.iter_mut().find(|known| known.id == id) {
            known.hearer = hearer;
            return true;
        }
        if self.known.try_reserve(1).is_err() {
            return false;
        }
        self.known.push(Known { id, mark: Mark(self.next), hearer });
        self.next += 1;
        true
    }

    /// Takes a property away. False where it was not registered.
    pub fn unregister(&mut self, id: usize) -> bool {
        let index = self.known.iter().position(|known| known.id == id);
        index.map(|index| self.known.remove(index)).is_some()
    }

    /// Behind all that are registered now.
    #[must_use]
    pub fn newest(&self) -> Mark {
        Mark(self.next)
    }

    /// The newest property of those that were registered before `mark`, and its own mark.
    #[must_use]
    pub fn before(&self, mark: Mark) -> Option<(Mark, &H)> {
        let end = self.known.partition_point(|known| known.mark.0 < mark.0);
        let known = self.known[..end].last()?;
        Some((known.mark, &known.hearer))
    }

    /// Takes all of them away.
    pub fn clear(&mut self) {
        self.known = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(properties: &Properties<char>) -> String {
        let mut mark = properties.newest();
        std::iter::from_fn(|| {
            let (earlier, hearer) = properties.before(mark)?;
            mark = earlier;
            Some(*hearer)
        })
        .collect()
    }

    fn three() -> Properties<char> {
        let mut properties = Properties::default();
        for (id, hearer) in [(1, 'a'), (2, 'b'), (3, 'c')] {
            assert!(properties.register(id, hearer));
        }
        properties
    }

    /// shadow.md section 12, case 16.
    #[test]
    fn the_newest_comes_first_and_one_that_comes_again_keeps_its_place() {
        let mut properties = three();
        assert_eq!(order(&properties), "cba");
        assert!(properties.register(2, 'B'));
        assert_eq!(order(&properties), "cBa");
        assert!(properties.unregister(2) && !properties.unregister(2));
        assert_eq!(order(&properties), "ca");
        assert!(properties.register(2, 'b'));
        assert_eq!(order(&properties), "bca");
        properties.clear();
        assert_eq!(order(&properties), "");
    }

    #[test]
    fn what_changes_under_a_delta_counts_from_then_on() {
        let mut properties = three();
        let (mark, hearer) = properties.before(properties.newest()).unwrap();
        assert_eq!(*hearer, 'c');
        // One comes, the next one goes, and so does the one whose turn it was.
        properties.register(4, 'd');
        properties.unregister(2);
        properties.unregister(3);
        assert_eq!(properties.before(mark), Some((Mark(0), &'a')));
        assert_eq!(properties.before(Mark(0)), None);
        assert_eq!(order(&properties), "da");
    }
}
