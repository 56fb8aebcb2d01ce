//! The syntax tree of a condition: what was written, not yet what it means.

use bstr::BString;

use crate::source::Span;

/// A condition or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Macro { name: String, span: Span },
    Check(Box<Check>),
}

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Check {
    pub(crate) left: Term,
    pub(crate) operator: Operator,
    pub(crate) operator_span: Span,
    pub(crate) right: Right,
}

/// The right-hand side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Right {
    /// `exists` has none.
    None,
    /// One constant.
    One(Constant),
    /// A list in parentheses, or the name behind a list operator.
    Many(Vec<Constant>),
    /// A bare word behind a list operator: one value, unless it names a list.
    Word(Constant),
    /// A list behind a string operator, as in `startswith anyof (a, b)`.
    Quantified(Quantifier, Vec<Constant>),
    /// `val(field)` or a transformer.
    Term(Term),
}

/// How many of several values must match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Quantifier {
    /// At least one.
    Any,
    /// Every one.
    All,
    /// Exactly one.
    One,
}

/// Something that yields a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Term {
    pub(crate) kind: TermKind,
    pub(crate) span: Span,
}

/// What yields a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TermKind {
    Field {
        name: String,
        argument: Option<BString>,
    },
    Call {
        transformer: Transformer,
        arguments: Vec<Term>,
        selector: Option<BString>,
    },
    List(Vec<Term>),
    Constant(BString),
}

/// A constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Constant {
    /// Its bytes, with quotes and escapes resolved.
    pub(crate) value: BString,
    /// Whether quotes stood around it; a quoted one never names a list.
    pub(crate) quoted: bool,
    pub(crate) span: Span,
}

macro_rules! words {
    ($(#[$meta:meta])* $enum:ident { $( $variant:ident = $word:literal )* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum $enum { $( $variant ),* }

        impl $enum {
            /// All of them.
            pub(crate) const ALL: &'static [Self] = &[ $( Self::$variant ),* ];

            /// How it is written.
            pub(crate) const fn word(self) -> &'static str {
                match self { $( Self::$variant => $word ),* }
            }
        }
    };
}

words! {
    /// A comparison operator; `==` is `=`.
    Operator {
        Exists = "exists"
        Equal = "="
        NotEqual = "!="
        LessOrEqual = "<="
        Less = "<"
        GreaterOrEqual = ">="
        Greater = ">"
        Glob = "glob"
        GlobFolded = "iglob"
        Contains = "contains"
        ContainsFolded = "icontains"
        ContainsBytes = "bcontains"
        StartsWith = "startswith"
        StartsWithBytes = "bstartswith"
        EndsWith = "endswith"
        Regex = "regex"
        Intersects = "intersects"
        In = "in"
        PathMatch = "pmatch"
    }
}

words! {
    /// A function from values to a value.
    Transformer {
        ToLower = "tolower"
        ToUpper = "toupper"
        Base64 = "b64"
        Basename = "basename"
        Len = "len"
        Join = "join"
        Concat = "concat"
        GetOpt = "getopt"
    }
}

impl Operator {
    /// Whether it compares with a list.
    pub(crate) fn takes_list(self) -> bool {
        matches!(self, Self::In | Self::Intersects | Self::PathMatch)
    }

    /// Whether only a number may follow it.
    pub(crate) fn takes_number(self) -> bool {
        matches!(
            self,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual
        )
    }

    /// Whether `anyof`, `allof` or `oneof` may follow it.
    pub(crate) fn takes_quantifier(self) -> bool {
        !self.takes_list() && !self.takes_number() && self != Self::Exists
    }
}
