/**
 * Tables of text: aligned columns, numbers to the right.
 *
 * @since 0.1.0
 */

/** A cell: numbers go to the right of their column. @category models @since 0.1.0 */
export type Cell = string | number

/**
 * A table: a header, a rule, and the rows. Columns whose cells are all numbers are aligned to the right.
 *
 * @category tables
 * @since 0.1.0
 */
export const table = (header: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<Cell>>): string => {
  const isNumeric = header.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === "number"))
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => String(row[i]).length)))
  const line = (cells: ReadonlyArray<Cell>): string =>
    cells.map((cell, i) => isNumeric[i] ? String(cell).padStart(widths[i]!) : String(cell).padEnd(widths[i]!)).join(
      "  "
    ).trimEnd()
  return [line(header), widths.map((width) => "-".repeat(width)).join("  "), ...rows.map(line)].join("\n")
}

/**
 * A bar of `#`, so long that the largest count fills `width` characters; what is not nothing has at least one.
 *
 * @category tables
 * @since 0.1.0
 */
export const bar = (count: number, largest: number, width: number): string =>
  "#".repeat(count === 0 ? 0 : Math.max(1, Math.round(count / largest * width)))

/** A duration with a unit that keeps it short: `950 ns`, `1.2 us`, `53.5 ms`, `2.1 s`. @category text @since 0.1.0 */
export const duration = (ns: number): string => {
  if (ns < 1e3) return `${Math.round(ns)} ns`
  if (ns < 1e6) return `${(ns / 1e3).toFixed(1)} us`
  return ns < 1e9 ? `${(ns / 1e6).toFixed(1)} ms` : `${(ns / 1e9).toFixed(2)} s`
}

/** A share in percent. @category text @since 0.1.0 */
export const percent = (part: number, whole: number): string =>
  whole === 0 ? "-" : `${Math.round(part / whole * 100)} %`

/** `1 lap`, `2 laps`. @category text @since 0.1.0 */
export const counted = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`

/** What every verdict is worth, once. @category text @since 0.1.0 */
export const CAVEAT = "Steps are sequentially consistent: weak memory and the contents of pages are not modelled."
