//! How many connections there is room for.

/// Counts connections against a limit.
#[derive(Debug)]
pub(super) struct Admission {
    limit: usize,
    served: usize,
    refused: usize,
    closing: usize,
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is served, and does not count.
    Free,
    /// It is served.
    Served,
    /// It is told that there is no room.
    Refused,
    /// It is closed without a word.
    Outside,
    /// It was served, and is only being closed.
    Closing,
}

impl Admission {
    pub(super) fn new(limit: Option<usize>) -> Self {
        Self { limit: limit.unwrap_or(usize::MAX), served: 0, refused: 0, closing: 0 }
    }

    /// The place of one that comes.
    pub(super) fn enter(&mut self) -> Place {
        if self.served < self.limit {
            self.served += 1;
            Place::Served
        } else if self.refused < self.limit.max(1) {
            self.refused += 1;
            Place::Refused
        } else {
            Place::Outside
        }
    }

    /// One that was served has ended; closing it may take a while, in which its place is another's. But only as many
    /// are closing as may be served: whoever comes and goes all the time must not use up files.
    pub(super) fn retire(&mut self, place: Place) -> Place {
        if place != Place::Served || self.closing >= self.limit {
            return place;
        }
        self.served -= 1;
        self.closing += 1;
        Place::Closing
    }

    /// One that had this place is gone.
    pub(super) fn leave(&mut self, place: Place) {
        match place {
            Place::Free | Place::Outside => {}
            Place::Served => self.served -= 1,
            Place::Refused => self.refused -= 1,
            Place::Closing => self.closing -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let mut room = Admission::new(Some(2));
        let places = [(); 6].map(|()| room.enter());
        let expected =
            [Place::Served, Place::Served, Place::Refused, Place::Refused, Place::Outside, Place::Outside];
        assert_eq!(places, expected);
        room.leave(Place::Outside);
        assert_eq!(room.enter(), Place::Outside);
        room.leave(Place::Refused);
        assert_eq!(room.enter(), Place::Refused);
        room.leave(Place::Served);
        assert_eq!([room.enter(), room.enter()], [Place::Served, Place::Outside]);
        // The two that are served end, and two others take their places; then one more ends before the first is closed.
        let mut room = Admission::new(Some(2));
        let mut served = || (room.enter(), room.enter());
        assert_eq!(served(), (Place::Served, Place::Served));
        assert_eq!([room.retire(Place::Served), room.retire(Place::Served)], [Place::Closing; 2]);
        assert_eq!([room.enter(), room.enter()], [Place::Served; 2]);
        assert_eq!(room.retire(Place::Served), Place::Served);
        assert_eq!(room.enter(), Place::Refused);
        room.leave(Place::Closing);
        assert_eq!(room.retire(Place::Served), Place::Closing);
        assert_eq!(room.enter(), Place::Served);
        let mut none = Admission::new(Some(0));
        assert_eq!([none.enter(), none.enter()], [Place::Refused, Place::Outside]);
        assert_eq!(Admission::new(None).enter(), Place::Served);
    }
}
