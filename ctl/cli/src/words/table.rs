//! Columns of text: the first to the left, numbers to the right.

use std::io::{self, Write};

use super::heading;

/// Prints rows under a heading, each column as wide as its widest cell.
pub(super) fn print<const N: usize>(
    out: &mut impl Write,
    titles: [&str; N],
    rows: &[[String; N]],
) -> io::Result<()> {
    let mut widths = titles.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    writeln!(out, "{}", heading(&aligned(&titles, &widths)))?;
    for row in rows {
        writeln!(out, "{}", aligned(&row.each_ref().map(String::as_str), &widths))?;
    }
    Ok(())
}

fn aligned(cells: &[&str], widths: &[usize]) -> String {
    let mut line = String::new();
    for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if index == 0 {
            line += &format!("{cell:<width$}");
        } else {
            line += &format!("  {cell:>width$}");
        }
    }
    line.trim_end().to_owned()
}
