const MAX_CHARACTERS = 64;

/** A name as somebody else wrote it: it must not speak to the terminal. */
export function printable(name: string): string {
  return name.replace(/\p{Cc}|\p{Cf}/gu, '·').slice(0, MAX_CHARACTERS);
}

/** Lines of a table for people: each column as wide as its widest cell. */
export function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
