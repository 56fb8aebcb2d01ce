//! Rule files to compiled rules to matches
