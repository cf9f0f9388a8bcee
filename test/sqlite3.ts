// `sqlite3 -header -column FILE SQL` for the transcripts, which must not depend on what a machine has installed: the same
// columns, but no spaces at the end of a line.
import { DatabaseSync } from "node:sqlite"

const [file, sql] = process.argv.slice(2).filter((argument) => !argument.startsWith("-"))
const db = new DatabaseSync(file!, { readOnly: true })
const query = db.prepare(sql!)
query.setReturnArrays(true)
const header = query.columns().map(({ name }) => name)
const rows = query.all() as unknown as ReadonlyArray<ReadonlyArray<string | number | null>>
const cells = rows.map((row) => row.map((cell) => String(cell ?? "")))
const widths = header.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]!.length)))
const line = (row: ReadonlyArray<string>) => row.map((cell, i) => cell.padEnd(widths[i]!)).join("  ").trimEnd()
const lines = rows.length === 0 ? [] : [header, widths.map((width) => "-".repeat(width)), ...cells].map(line)
process.stdout.write(lines.map((text) => `${text}\n`).join(""))
