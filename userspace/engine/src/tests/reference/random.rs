//! Random conditions and values: few words, so that they meet.

/// A generator of numbers (splitmix64), good enough to choose with, and the same everywhere.
pub(in crate::tests) struct Random(u64);

/// What a path may be.
pub(super) const PATHS: &[Option<&str>] = &[
    None,
    Some("/a"),
    Some("/a/b"),
    Some("/ab"),
    Some("/b/a"),
    Some("a"),
];

const WORDS: &[&str] = &[
    "a", "ab", "abc", "b", "ba", "A", "aB", "/a", "/a/b", "/ab", "/b", "/", "5", "10", "YQ", "YWI",
];

const QUOTED: &[&str] = &["''", "'a b'", "'\\xff'", "\"a\\\\b\"", "'caf\\xc3\\xa9'"];

const GLOBS: &[&str] = &[
    "*", "?", "a*", "*b", "/*/b", "[ab]*", "[!a]?", "a\\*", "*a*b*", "''",
];

const REGEXES: &[&str] = &[
    "a",
    "'.*'",
    "'a+b?c?'",
    "'(a|b)+'",
    "'/a(/.*)?'",
    "'[[:alpha:]]*'",
    "'[^/]+'",
    "''",
    "'.'",
    "'a{1,2}b'",
];

const SINGLE: &[&str] = &[
    "t.text",
    "t.other",
    "t.path",
    "t.spelled",
    "t.volatile",
    "t.ancestor[0]",
    "t.ancestor[1]",
];

const SEVERAL: &[&str] = &["t.any", "t.alias", "t.ancestor"];

const NUMBERS: &[&str] = &["t.int", "t.uint", "t.port", "t.ports", "t.time", "t.span"];

const ADDRESSES: &[&str] = &[
    "10.0.0.1",
    "10.0.0.2",
    "10.1.0.1",
    "192.168.0.1",
    "fd00::1",
    "::1",
];

const NETWORKS: &[&str] = &[
    "10.0.0.0/8",
    "10.0.0.0/24",
    "0.0.0.0/0",
    "10.0.0.1/32",
    "fd00::/8",
    "::1/128",
];

impl Random {
    pub(in crate::tests) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1))
    }

    pub(in crate::tests) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    pub(in crate::tests) fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    pub(in crate::tests) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let index = usize::try_from(self.below(from.len() as u64)).unwrap_or(0);
        from[index]
    }

    /// A condition that nests at most so deeply.
    pub(in crate::tests) fn condition(&mut self, depth: u32) -> String {
        if depth == 0 || self.one_in(3) {
            return self.check();
        }
        match self.below(5) {
            0 | 1 => self.joined("and", depth),
            2 | 3 => self.joined("or", depth),
            _ => format!("not ({})", self.condition(depth - 1)),
        }
    }

    fn joined(&mut self, word: &str, depth: u32) -> String {
        let parts: Vec<String> = (0..2 + self.below(3))
            .map(|_| format!("({})", self.condition(depth - 1)))
            .collect();
        parts.join(&format!(" {word} "))
    }

    fn check(&mut self) -> String {
        match self.below(20) {
            0..7 => self.text_check(),
            7 => self.transformed_check(),
            8 => self.operand_check(),
            9 => self.bytes_check(),
            10 | 11 => self.number_check(),
            12 => {
                let operator = self.pick(&["=", "!="]);
                let value = self.pick(&["true", "false"]);
                format!("t.bool {operator} {value}")
            }
            13 => self.address_check(&["t.ip", "t.ends"], ADDRESSES),
            14 => self.address_check(&["t.net", "t.nets"], NETWORKS),
            15 => self.list_check(),
            16 | 17 => self.event_check(),
            18 => self
                .pick(&["starts", "opens", "never", "not never"])
                .to_owned(),
            _ => {
                let field = match self.below(4) {
                    0 => self.pick(SINGLE),
                    1 => self.pick(SEVERAL),
                    2 => self.pick(NUMBERS),
                    _ => self.pick(&["t.list", "t.bool", "t.ip", "t.ints", "t.net", "len(t.text)"]),
                };
                format!("{field} exists")
            }
        }
    }

    fn word(&mut self) -> &'static str {
        if self.one_in(8) {
            self.pick(QUOTED)
        } else {
            self.pick(WORDS)
        }
    }

    /// Words in parentheses: some, none, or a list.
    fn words(&mut self) -> String {
        if self.one_in(10) {
            return self
                .pick(&["(letters)", "(nothing)", "(letters, b)"])
                .to_owned();
        }
        let words: Vec<&str> = (0..self.below(5)).map(|_| self.word()).collect();
        format!("({})", words.join(", "))
    }

    fn text_field(&mut self) -> &'static str {
        if self.one_in(4) {
            self.pick(SEVERAL)
        } else {
            self.pick(SINGLE)
        }
    }

    fn text_check(&mut self) -> String {
        let field = self.text_field();
        self.text_check_of(field)
    }

    fn text_check_of(&mut self, field: &str) -> String {
        let operator = self.pick(&[
            "=",
            "=",
            "!=",
            "contains",
            "icontains",
            "startswith",
            "startswith",
            "endswith",
            "glob",
            "iglob",
            "regex",
            "in",
            "in",
            "in",
            "intersects",
            "pmatch",
            "pmatch",
            "<",
            ">=",
        ]);
        match operator {
            "in" | "intersects" | "pmatch" => format!("{field} {operator} {}", self.words()),
            "<" | ">=" => format!("{field} {operator} {}", self.pick(&["5", "10", "1.5"])),
            _ if self.one_in(5) => {
                let quantifier = self.pick(&["anyof", "allof", "oneof"]);
                let constants: Vec<&str> = (0..self.below(4))
                    .map(|_| self.constant_for(operator))
                    .collect();
                format!("{field} {operator} {quantifier} ({})", constants.join(", "))
            }
            _ => format!("{field} {operator} {}", self.constant_for(operator)),
        }
    }

    fn constant_for(&mut self, operator: &str) -> &'static str {
        match operator {
            "glob" | "iglob" => self.pick(GLOBS),
            "regex" => self.pick(REGEXES),
            "icontains" => self.pick(&["a", "A", "B", "aB", "Ab", "/A", "''"]),
            _ => self.word(),
        }
    }

    /// A transformer that yields one text.
    fn text_term(&mut self) -> String {
        let field = self.pick(SINGLE);
        let other = self.pick(SINGLE);
        match self.below(8) {
            0 => format!("tolower({field})"),
            1 => format!("toupper({field})"),
            2 => format!("basename({field})"),
            3 => format!("b64({field})"),
            4 => format!("concat({field}, '/', {other})"),
            5 => format!("join('', ({field}, {other}))"),
            6 => "join('/', t.list)".to_owned(),
            _ => "getopt(t.list, 'ab:')[b]".to_owned(),
        }
    }

    fn transformed_check(&mut self) -> String {
        match self.below(4) {
            0 => {
                let field =
                    self.pick(&["len(t.text)", "len(t.list)", "len(t.alias)", "len(t.path)"]);
                let operator = self.pick(&["=", "!=", "<", ">="]);
                let number = self.below(4);
                format!("{field} {operator} {number}")
            }
            1 => self.text_check_of("tolower(t.alias)"),
            _ => {
                let term = self.text_term();
                self.text_check_of(&term)
            }
        }
    }

    fn operand_check(&mut self) -> String {
        let left = self.text_field();
        let operator = self.pick(&[
            "=",
            "!=",
            "contains",
            "startswith",
            "endswith",
            "glob",
            "<",
            "in",
        ]);
        let right = match self.below(3) {
            0 => self.text_term(),
            1 => "val(t.alias)".to_owned(),
            _ => format!("val({})", self.pick(SINGLE)),
        };
        match self.below(6) {
            0 => {
                let operator = self.pick(&["=", "!=", "<", ">="]);
                format!("t.uint {operator} len(t.list)")
            }
            1 => {
                let operator = self.pick(&["in", "intersects"]);
                format!("t.list {operator} tolower(t.list)")
            }
            _ => format!("{left} {operator} {right}"),
        }
    }

    fn bytes_check(&mut self) -> String {
        let operator = self.pick(&[
            "=",
            "!=",
            "contains",
            "startswith",
            "endswith",
            "bcontains",
            "bstartswith",
            "in",
        ]);
        match operator {
            "in" => format!("t.bytes in {}", self.words()),
            "bcontains" | "bstartswith" => {
                format!(
                    "t.bytes {operator} {}",
                    self.pick(&["61", "6162", "ff", "00", "2f61"])
                )
            }
            _ => format!("t.bytes {operator} {}", self.word()),
        }
    }

    fn number(&mut self, field: &str) -> &'static str {
        match field {
            "t.int" => self.pick(&["-1", "0", "1", "0x10", "22"]),
            "t.port" | "t.ports" => self.pick(&["0", "1", "22", "ssh", "80"]),
            _ => self.pick(&["-1", "0", "1", "0x10", "22"]),
        }
    }

    fn number_check(&mut self) -> String {
        let field = self.pick(NUMBERS);
        let operator = self.pick(&["=", "!=", "<", "<=", ">", ">=", "in", "intersects"]);
        match operator {
            "in" | "intersects" => {
                let numbers: Vec<&str> = (0..self.below(4)).map(|_| self.number(field)).collect();
                format!("{field} {operator} ({})", numbers.join(", "))
            }
            "=" | "!=" if self.one_in(4) => {
                let quantifier = self.pick(&["anyof", "allof", "oneof"]);
                let (a, b) = (self.number(field), self.number(field));
                format!("{field} {operator} {quantifier} ({a}, {b})")
            }
            "=" | "!=" => format!("{field} {operator} {}", self.number(field)),
            _ => format!("{field} {operator} {}", self.pick(&["0", "1", "16", "22"])),
        }
    }

    fn address_check(&mut self, fields: &[&'static str], constants: &[&'static str]) -> String {
        let field = self.pick(fields);
        let (a, b) = (self.pick(constants), self.pick(constants));
        match self.below(4) {
            0 => format!("{field} = {a}"),
            1 => format!("{field} != {a}"),
            2 => format!("{field} in ({a}, {b})"),
            _ => format!("{field} != allof ({a}, {b})"),
        }
    }

    fn list_check(&mut self) -> String {
        let operator = self.pick(&["in", "intersects"]);
        match self.below(4) {
            0 => {
                let numbers: Vec<&str> = (0..self.below(3)).map(|_| self.number("t.int")).collect();
                format!("t.ints {operator} ({})", numbers.join(", "))
            }
            1 => {
                let field = self.pick(&[
                    "tolower(t.list)",
                    "basename(t.list)",
                    "getopt(t.list, 'ab:')",
                ]);
                format!("{field} {operator} {}", self.words())
            }
            _ => format!("t.list {operator} {}", self.words()),
        }
    }

    fn event_check(&mut self) -> String {
        self.pick(&[
            "evt.type = open",
            "evt.type != open",
            "evt.type in (open, openat)",
            "evt.type in (close, execve)",
            "not evt.type = openat",
            "evt.type contains open",
            "evt.type startswith anyof (open, ex)",
            "evt.type exists",
            "evt.num = 0",
            "evt.num > 1",
            "evt.num >= 1",
            "evt.num in (0, 2)",
            "evt.failed = true",
            "evt.rawres < 0",
        ])
        .to_owned()
    }

    /// Values of the fields of the tests.
    pub(in crate::tests) fn values(&mut self) -> String {
        const TEXTS: &[&str] = &[
            "a",
            "ab",
            "abc",
            "b",
            "A",
            "aB",
            "/a",
            "/a/b",
            "/ab/c",
            "5",
            "10",
            "YQ",
            "",
            "",
            "?",
            "?",
            "a b",
            "caf\u{e9}",
        ];
        const LISTS: &[&str] = &["a|ab", "a", "", "/a|b", "-a|-bab", "-b|a", "?", "A|b|5"];
        const INTS: &[&str] = &["-1", "0", "1", "16", "22", "?"];
        const UINTS: &[&str] = &["0", "1", "2", "16", "22", "18446744073709551615", "?"];
        const PORTS: &[&str] = &["0", "1", "22", "80", "?"];
        const PAIRS: &[&str] = &["22|80", "1|22", "0|0", "?"];
        const ENDS: &[&str] = &[
            "10.0.0.1|10.0.0.2",
            "10.1.0.1|192.168.0.1",
            "fd00::1|::1",
            "?",
        ];
        let fields: &[(&str, &[&str])] = &[
            ("text", TEXTS),
            ("other", TEXTS),
            ("path", TEXTS),
            ("volatile", TEXTS),
            ("bytes", TEXTS),
            ("any", LISTS),
            ("alias", LISTS),
            ("ancestor", LISTS),
            ("list", LISTS),
            ("ints", &["-1|0", "1", "", "22|16", "?"]),
            ("int", INTS),
            ("uint", UINTS),
            ("time", UINTS),
            ("span", UINTS),
            ("port", PORTS),
            ("ports", PAIRS),
            ("bool", &["true", "false", "?"]),
            (
                "ip",
                &["10.0.0.1", "10.1.0.1", "192.168.0.1", "fd00::1", "?"],
            ),
            (
                "net",
                &["10.0.0.1", "10.1.0.1", "192.168.0.1", "fd00::1", "?"],
            ),
            ("ends", ENDS),
            ("nets", ENDS),
        ];
        let mut values = Vec::new();
        for (name, choices) in fields {
            if !self.one_in(5) {
                values.push(format!("t.{name}={}", self.pick(choices)));
            }
        }
        values.join(";")
    }
}
