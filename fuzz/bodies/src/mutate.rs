//! Inputs without coverage: seeds, changed at random, the same ones for the same number.

/// Bytes of an input; longer ones are cut.
const MAX_LEN: usize = 4096;

/// Pieces that parsers trip over.
const TOKENS: &[&[u8]] = &[
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"\"\"",
    b"\"\\u0000\"",
    b"\"\\u0000AA==\"",
    b"\"\\ud800\"",
    b"\"\\ud83d\\ude00\"",
    b"-0",
    b"1e999",
    b"1.5",
    b"-1",
    b"0",
    b"9007199254740992",
    b"9007199254740993",
    b"18446744073709551615",
    b"18446744073709551616",
    b"-9223372036854775808",
    b"-9223372036854775809",
    b" ",
    b",",
    b":",
    b"[",
    b"]",
    b"{",
    b"}",
    b"enc_algo",
    b"\"enc_algo\":\"x_\",",
    b"\"match\":\"prefix\",",
    b"\"progress\":true,",
    b"\"mode\":\"kill\",",
    b"\"acknowledge\":true,",
    b"\"exclude\":[1],",
    b"forward_for",
    b"\"\\/\"",
    b"\xc3\xa9",
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\x80",
    b"\x90",
    b"\xa0",
    b"\x91",
    b"\x81",
    b"\xc0",
    b"\xc1",
    b"\xc2",
    b"\xc4\0",
    b"\xc7\0\0",
    b"\xca\x7f\xc0\0\0",
    b"\xcb\x80\0\0\0\0\0\0\0",
    b"\xcc\x01",
    b"\xcd\0\x01",
    b"\xce\0\0\0\x01",
    b"\xcf\0\0\0\0\0\0\0\x01",
    b"\xd3\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xd4\0\0",
    b"\xd9\0",
    b"\xdc\0\0",
    b"\xdd\xff\xff\xff\xff",
    b"\xde\0\x01",
    b"\xdf\xff\xff\xff\xff",
    b"\x9f",
    b"\xbf",
    b"\x5f",
    b"\x7f",
    b"\xff",
    b"\xc1",
    b"\xc2\x41\x01",
    b"\xc3\x41\0",
    b"\xd8\x20",
    b"\xf4",
    b"\xf5",
    b"\xf6",
    b"\xf7",
    b"\xf8\x20",
    b"\xf9\x7e\0",
    b"\xf9\x7c\0",
    b"\xfa\x47\xc3\x50\0",
    b"\x1b\0\0\0\0\0\0\0\x01",
    b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x7f\xf1\0\0",
    b"\x01\0\0\0",
    b"\x02\0\0\0",
    b"\x08\0\0\0",
];

/// Numbers at the edges of what integers hold.
const EDGES: &[u64] = &[
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 53,
    (1 << 53) + 1,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

/// Numbers that look random: xorshift64*.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of case `case` under `seed`. Every case stands for itself: to repeat the thousandth
    /// none before it is needed.
    pub const fn new(seed: u64, case: u64) -> Self {
        // splitmix64, so that neighbours have nothing in common; xorshift must not begin at 0.
        let mut state = seed.wrapping_add(case.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        state = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((state ^ state >> 31) | 1)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `count`; 0 if there is none.
    pub fn below(&mut self, count: usize) -> usize {
        let count = u64::try_from(count.max(1)).unwrap_or(u64::MAX);
        usize::try_from((self.next() >> 16) % count).unwrap_or(0)
    }

    /// A number below 2^`bits`; small ones are likely.
    fn few(&mut self, bits: usize) -> usize {
        let count = 1 << self.below(bits);
        self.below(count)
    }

    fn byte(&mut self) -> u8 {
        (self.next() >> 32) as u8
    }

    fn choose<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

/// A new input: one of the seeds with a few changes, or now and then only random bytes.
pub fn mutate(random: &mut Random, seeds: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut input = match seeds.get(random.below(seeds.len() + seeds.len() / 8)) {
        Some((_, seed)) => seed.clone(),
        None => {
            let len = 1 << random.below(9);
            return (0..len).map(|_| random.byte()).collect();
        }
    };
    for _ in 0..1 + random.few(5) {
        change(random, &mut input, seeds);
    }
    input.truncate(MAX_LEN);
    input
}

fn change(random: &mut Random, input: &mut Vec<u8>, seeds: &[(String, Vec<u8>)]) {
    let at = random.below(input.len());
    let (start, end) = range(random, input.len());
    match random.below(14) {
        0 | 1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        2 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = random.byte();
            }
        }
        3 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = byte.wrapping_add(1 + random.byte() % 8).wrapping_sub(4);
            }
        }
        4 | 5 => {
            let token = random.choose(TOKENS);
            input.splice(at..at, token.iter().copied());
        }
        6 => {
            let token = random.choose(TOKENS);
            let end = at.saturating_add(token.len()).min(input.len());
            input.splice(at..end, token.iter().copied());
        }
        7 => {
            let edge = EDGES[random.below(EDGES.len())].to_be_bytes();
            let width = 1 << random.below(4);
            let end = at.saturating_add(width).min(input.len());
            input.splice(at..end, edge[8 - width..].iter().copied());
        }
        8 => {
            input.drain(start..end);
        }
        9 => {
            let copy = input[start..end].to_vec();
            let times = 1 + random.few(7);
            input.splice(at..at, copy.repeat(times));
        }
        10 => input.truncate(at),
        11 => {
            if let Some((_, other)) = seeds.get(random.below(seeds.len())) {
                let (from, to) = range(random, other.len());
                input.splice(start..end, other[from..to].iter().copied());
            }
        }
        12 => {
            if let Some((_, other)) = seeds.get(random.below(seeds.len())) {
                input.truncate(at);
                input.extend_from_slice(&other[random.below(other.len())..]);
            }
        }
        _ => input[start..end].reverse(),
    }
    input.truncate(MAX_LEN);
}

/// A range within `len`; short ones are likely.
fn range(random: &mut Random, len: usize) -> (usize, usize) {
    let start = random.below(len + 1);
    let most = (len - start).min(1 << random.below(10));
    (start, start + random.below(most + 1))
}

/// The same failure from fewer and smaller bytes, as far as `tries` runs lead.
pub fn shrink(input: &[u8], mut tries: usize, mut fails: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut best = input.to_vec();
    let mut attempt = |candidate: Vec<u8>, best: &mut Vec<u8>| {
        let is_better = tries > 0 && candidate != *best && fails(&candidate);
        tries = tries.saturating_sub(1);
        if is_better {
            *best = candidate;
        }
        is_better
    };
    loop {
        let before = best.clone();
        let mut len = best.len().next_power_of_two();
        while len > 0 {
            let mut at = 0;
            while at < best.len() {
                let end = (at + len).min(best.len());
                if !attempt([&best[..at], &best[end..]].concat(), &mut best) {
                    at += len;
                }
            }
            len /= 2;
        }
        for at in 0..best.len() {
            let mut simpler = best.clone();
            simpler[at] = 0;
            attempt(simpler, &mut best);
        }
        if best == before {
            return best;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_repeat_and_differ() {
        let seeds = vec![("one".to_owned(), b"[1,2,3]".to_vec()), ("two".to_owned(), vec![0; 40])];
        let all =
            |seed| (0..500).map(|case| mutate(&mut Random::new(seed, case), &seeds)).collect::<Vec<_>>();
        let first = all(7);
        assert_eq!(all(7), first);
        assert_ne!(all(8), first);
        assert!(first.iter().all(|input| input.len() <= MAX_LEN));
        let mut distinct = first.clone();
        distinct.sort();
        distinct.dedup();
        assert!(distinct.len() > 400, "only {} of 500 differ", distinct.len());
    }

    #[test]
    fn nothing_to_start_from_is_no_error() {
        for case in 0..200 {
            mutate(&mut Random::new(0, case), &[]);
            mutate(&mut Random::new(0, case), &[("empty".to_owned(), vec![])]);
        }
    }

    #[test]
    fn shrinking_keeps_what_matters() {
        let input: Vec<u8> = (0..=255).collect();
        let small = shrink(&input, 2000, |bytes| bytes.contains(&17) && bytes.contains(&200));
        assert_eq!(small, [17, 200]);
    }
}
