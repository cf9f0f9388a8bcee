/**
 * A race as a table of two columns (or three), at most 72 characters wide, to be pasted in a mail.
 *
 * Kernel functions at their outermost steps, what they do indented below them; time runs downwards.
 *
 * @since 0.1.0
 */
import type { Race, RaceRow } from "@pfnscope/projections"
import { fieldText, hvaText } from "@pfnscope/projections"
import { TASK_SIZE } from "@pfnscope/protocol"
import type { Event, LOCKS } from "@pfnscope/protocol"
import { CAVEAT, counted, duration } from "./table.ts"

/** Characters of a line. @category constants @since 0.1.0 */
export const RACE_WIDTH = 72

/** Columns side by side at the most; with more threads each row names its own. */
const COLUMNS = 3

/** A page table entry: that of the cache's page is `PTE(U)`. */
const pte = (hva: number, page: number): string => hva === page ? "PTE(U)" : `PTE(${short(hva)})`

/** The short words for an event in a table about the cache whose page is at `page` (or -1). */
const wordsOf = (event: Event, page: number): ReadonlyArray<string> => {
  switch (event._tag) {
    case "Called":
      return [fieldText(event)]
    case "RangeStartCalled":
      return ["invalidate_range_start", `  [${short(event.start)}, ${short(event.end)}) ${event.event}`]
    case "CountIncremented":
      return [`  active_count => ${event.count}`]
    case "CountDecremented":
      return [`  active_count => ${event.count}`]
    case "StartReturned":
      return ["  range_start returns"]
    case "EndCalled":
      return ["invalidate_range_end"]
    case "EndReturned":
      return ["  range_end returns"]
    case "GpcVisited":
      return [event.hit ? "  walk: the cache is hit" : "  walk: nothing to invalidate"]
    case "GpcInvalidated":
      return event.flag ? ["  gpc->valid = false", "  needs_invalidation = false"] : ["  gpc->valid = false"]
    case "SeqBumped":
      return [`  mmu_invalidate_seq = ${event.seq}`]
    case "GpcSeqBumped":
      return [`  gpc_invalidate_seq = ${event.seq}`]
    case "MmuLockHeld":
      return [`  in_progress = ${event.inProgress}`]
    case "PteChanged":
      return [`${pte(event.hva, page)} = ${event.pfn === 0 ? "none" : frame(event.pfn)}${protection(event.protection)}`]
    case "PageFaulted":
      return [`fault: ${pte(event.hva, page)} = ${frame(event.pfn)}`]
    case "PageFreed":
      return [`${frame(event.pfn)} is freed`]
    case "RefreshEntered":
      return ["kvm_gpc_refresh"]
    case "ValidCleared":
      return ["  valid = false"]
    case "ValidSet":
      return ["  valid = true"]
    case "FlagSet":
      return ["  needs_invalidation = true"]
    case "Snapshotted":
      return [`  snapshot seq = ${event.seq}`]
    case "PfnResolved":
      return [`  hva_to_pfn(U) = ${event.pfn < 0 ? "error" : frame(event.pfn)}`]
    case "RetryTested":
      return [`  ${event.reason}: ${event.met ? "retry" : "go on"}`]
    case "RetryDecided":
      return [
        `  retry: ${event.reason}`,
        event.covering === 0 ? "         (no range over U)" : "         (a range over U)"
      ]
    case "Published":
      return [`  valid = true, pfn = ${event.pfn < 0 ? "error" : event.pfn.toString(16)}`]
    case "MappingStored":
      return [`  pfn = ${event.pfn < 0 ? "error" : event.pfn.toString(16)}`]
    case "RefreshReturned":
      return [`  refresh returns ${event.ret}`]
    case "ReaderEntered":
      return ["read_lock(&gpc->lock)"]
    case "Checked":
      return [`kvm_gpc_check() == ${event.ok}`]
    case "KhvaAccessed":
      return [`access *khva: ${event.pfn <= 0 ? "NULL" : frame(event.pfn)}`]
    case "ReaderLeft":
      return ["read_unlock(&gpc->lock)"]
    case "HullChanged":
      return [`  hull = ${event.start === event.end ? "empty" : `[${short(event.start)}, ${short(event.end)})`}`]
    case "Waited":
      return [event.pending ? "  waits for invalidations" : "  nothing to wait for"]
    case "Locked":
      return [LOCK_CALLS[event.lock][0]]
    case "Unlocked":
      return [LOCK_CALLS[event.lock][1]]
    case "Blocked":
      return ["  (waits)"]
    case "RefPut":
      return [`put ${frame(event.pfn)}${event.reference === "gather" ? " (mmu_gather)" : ""}`]
    case "Woken":
      return ["  wakes a sleeper"]
    case "SwapWaited":
      return ["  waits for active_count == 0"]
    case "Activated":
      return ["  gpc->active = true"]
    case "Deactivated":
      return ["  gpc->active = gpc->valid = false"]
    case "MappingKept":
      return ["  mapping kept"]
    case "RefreshFailed":
      return [`  refresh fails: ${event.ret}`]
    case "MemslotsSwapped":
      return [`swap memslots: slot ${event.slot} ${event.state}`]
    case "GenerationChanged":
      return [`  generation = ${event.generation}`]
    case "Returned":
      return [`returns ${event.ret}`]
    default:
      return [`${event._tag} ${fieldText(event)}`.trim()]
  }
}

/** How the kernel takes and releases each lock. */
const LOCK_CALLS: Readonly<Record<(typeof LOCKS)[number], readonly [taken: string, released: string]>> = {
  "mn_invalidate_lock": ["spin_lock(&kvm->mn_invalidate_lock)", "spin_unlock(&kvm->mn_invalidate_lock)"],
  "gpc_lock": ["spin_lock(&kvm->gpc_lock)", "spin_unlock(&kvm->gpc_lock)"],
  "slots_lock": ["mutex_lock(&kvm->slots_lock)", "mutex_unlock(&kvm->slots_lock)"],
  "gpc->lock": ["write_lock_irq(&gpc->lock)", "write_unlock_irq(&gpc->lock)"],
  "gpc->refresh_lock": ["mutex_lock(&gpc->refresh_lock)", "mutex_unlock(&gpc->refresh_lock)"],
  "mmap_lock(read)": ["mmap_read_lock(mm)", "mmap_read_unlock(mm)"],
  "mmap_lock(write)": ["mmap_write_lock(mm)", "mmap_write_unlock(mm)"]
}

/** What an entry allows, where that is worth a word. */
const protection = (name: string): string => name === "write" || name === "absent" ? "" : `, ${name}`

const frame = (pfn: number): string => `pfn ${pfn.toString(16)}`

/** An address by its last digits, as in kernel mails: `7e00..8000`. */
const short = (hva: number): string => {
  if (hva === TASK_SIZE) return "TASK_SIZE"
  const text = hvaText(hva)
  return text.length <= 10 ? text : `${text.slice(2, 6)}..${text.slice(-5)}`
}

/** Breaks a line at a width; what continues is indented by so many more. @category text @since 0.1.0 */
export const wrap = (text: string, width: number, more = 4): ReadonlyArray<string> => {
  if (text.length <= width) return [text]
  const indent = /^ */.exec(text)![0] + " ".repeat(more)
  const space = text.lastIndexOf(" ", width)
  const at = space > indent.length ? space : width
  return [text.slice(0, at), ...wrap(indent + text.slice(at).trimStart(), width, 0)]
}

/** Rows with the words for each, for the laps left out too: whether a lap of the thread has been shown before. */
const withWords = ({ page, rows }: Race): ReadonlyArray<readonly [row: RaceRow, words: ReadonlyArray<string>]> => {
  const shown = new Set<number>()
  return rows.map((row) => {
    if (row.kind === "fold") {
      const more = shown.has(row.column) ? "more" : "before"
      return [row, [`  ... ${counted(row.laps, "lap")} ${more}, ${duration(row.nanos)} ...`]]
    }
    if (row.envelope.data._tag === "RetryDecided") shown.add(row.column)
    return [row, wordsOf(row.envelope.data, page)]
  })
}

/** Words as lines of at most `width`. */
const linesOf = (words: ReadonlyArray<string>, width: number): ReadonlyArray<string> =>
  words.flatMap((word) => wrap(word, width))

/** Where a table has a line across it: before the first event from `seq` on. @category models @since 0.1.0 */
export interface Mark {
  readonly seq: number
  readonly text: string
}

/** A line across a table. @category text @since 0.1.0 */
export const across = (text: string): string => ` ${`--- ${text} `.padEnd(RACE_WIDTH - 1, "-")}`

/** Each row's lines, with the mark where it belongs. */
const marked = (
  race: Race,
  mark: Mark | undefined,
  linesOfRow: (row: RaceRow, words: ReadonlyArray<string>) => ReadonlyArray<string>
) => {
  const at = mark === undefined
    ? -1
    : race.rows.findIndex((row) => row.kind === "event" && row.envelope.seq >= mark.seq)
  return withWords(race).flatMap(([row, words], i) =>
    i === at ? [across(mark!.text), ...linesOfRow(row, words)] : linesOfRow(row, words)
  )
}

const sideBySide = (race: Race, mark: Mark | undefined): ReadonlyArray<string> => {
  const { threads } = race
  const columns = Math.max(1, threads.length)
  const width = Math.floor((RACE_WIDTH - 1 - 2 * (columns - 1)) / columns)
  const place = (column: number, text: string) => ` ${" ".repeat(column * (width + 2))}${text}`.trimEnd()
  const heads = threads.map((name, i) => `CPU${i} ${name}`.slice(0, width))
  const headed = (texts: ReadonlyArray<string>) => ` ${texts.map((text) => text.padEnd(width)).join("  ")}`.trimEnd()
  return [
    headed(heads),
    headed(heads.map((head) => "-".repeat(head.length))),
    ...marked(race, mark, (row, words) => linesOf(words, width).map((line) => place(row.column, line)))
  ]
}

/** More threads than columns: each row says whose it is. */
const rowByRow = (race: Race, mark: Mark | undefined): ReadonlyArray<string> => {
  const width = Math.min(16, Math.max(...race.threads.map((name) => name.length)))
  return marked(race, mark, (row, words) => {
    const name = (race.threads[row.column] ?? "").slice(0, width)
    return linesOf(words, RACE_WIDTH - width - 3).map((line, i) =>
      ` ${(i === 0 ? name : "").padEnd(width)}  ${line}`.trimEnd()
    )
  })
}

const endingOf = ({ ending }: Race): string => {
  switch (ending.kind) {
    case "violated":
      return `*** ${ending.property.id} ${ending.property.name} violated at #${ending.seq}: not so: ${ending.property.statement} ***`
    case "laps":
      return `*** no progress: ${counted(ending.laps, "lap")} thrown away in ${duration(ending.nanos)}, ` +
        `${ending.unrelated} of them for nothing over the page ***`
    case "position":
      return `(up to #${ending.seq})`
  }
}

/**
 * The table alone, without how it ends: no line is longer than 72 characters.
 *
 * @category text
 * @since 0.1.0
 */
export const raceLines = (race: Race, mark?: Mark): ReadonlyArray<string> => {
  const about = race.gpc < 0
    ? []
    : [`U = uhva of gpc/${race.gpc}${race.uhva < 0 ? "" : ` = ${hvaText(race.uhva)}`}`, ""]
  return [...about, ...race.threads.length > COLUMNS ? rowByRow(race, mark) : sideBySide(race, mark)]
}

/** A race as text: no line is longer than 72 characters. @category text @since 0.1.0 */
export const raceText = (race: Race): string =>
  [
    ...raceLines(race),
    "",
    ...wrap(` ${endingOf(race)}`, RACE_WIDTH),
    ...wrap(` ${CAVEAT}`, RACE_WIDTH, 0)
  ].join("\n")

/** A race as JSON: its rows with the positions of their events. @category json @since 0.1.0 */
export const raceJson = (race: Race): unknown => ({
  threads: race.threads,
  gpc: race.gpc,
  uhva: race.uhva < 0 ? null : hvaText(race.uhva),
  rows: race.rows.map((row) =>
    row.kind === "event"
      ? { thread: race.threads[row.column], seq: row.envelope.seq, type: row.envelope.type }
      : { thread: race.threads[row.column], laps: row.laps, events: row.events, nanos: row.nanos }
  ),
  ending: race.ending
})
