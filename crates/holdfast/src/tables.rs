//! How tables look: at most 100 columns, plain characters when nobody watches.

use comfy_table::{ContentArrangement, Table, presets};
use std::io::IsTerminal;

/// What a table is at most wide, in columns.
const WIDTH_MAX: u16 = 100;

/// An empty table with this header.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    let preset =
        if std::io::stdout().is_terminal() { presets::UTF8_FULL_CONDENSED } else { presets::ASCII_FULL_CONDENSED };
    table.load_style(preset).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH_MAX);
    table.set_header(header.iter().copied());
    table
}

/// The table as lines that end without blanks.
pub(crate) fn plain(table: &Table) -> String {
    let mut text: String = table.lines().flat_map(|line| [line.trim_end().to_owned(), "\n".to_owned()]).collect();
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// A verdict in a sign and a word, so that neither colour nor signs alone carry it.
pub(crate) const fn verdict(fine: bool) -> &'static str {
    if fine { "✓ yes" } else { "✗ NO" }
}
