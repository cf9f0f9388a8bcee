/**
 * An event in words: its fields as `name=value`, a thread's operation as the call it is.
 *
 * Addresses and frames are written in hex and found by the identifier of their Schema, so that a field that joins an
 * event is written right. Text that comes from a log (a command name, a marker) is made printable.
 *
 * @since 0.1.0
 */
import {
  fieldsOf,
  INVALID_GPA,
  KVM_HVA_ERR_BAD,
  KVM_PFN_ERR_FAULT,
  NO_PFN,
  ownerOf,
  PROTECTIONS,
  schemaOf
} from "@pfnscope/protocol"
import type { Event, EventOf, EventTag, Operation } from "@pfnscope/protocol"
import * as SchemaAST from "effect/SchemaAST"

/** Control characters (C0, DEL, C1), and what reorders or hides text: bidi marks, zero widths, line separators. */
// oxlint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]/gu

/**
 * Text that is safe to send to a terminal: what would move the cursor, change colours or hide text is written as
 * `\x1b` or `\u202e`. Everything else is left alone.
 *
 * @category text
 * @since 0.1.0
 */
export const printable = (text: string): string =>
  text.replace(UNPRINTABLE, (character) => {
    const code = character.charCodeAt(0)
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`
  })

/** Above this a number is written in two halves: written at once, an address takes three times as long. */
const HALF = 2 ** 24

const hexOf = (n: number): string =>
  n < HALF
    ? `0x${n.toString(16)}`
    : `0x${Math.floor(n / HALF).toString(16)}${(n % HALF).toString(16).padStart(6, "0")}`

/** A host virtual address as text. @category text @since 0.1.0 */
export const hvaText = (hva: number): string => hva === KVM_HVA_ERR_BAD ? "KVM_HVA_ERR_BAD" : hexOf(hva)

/** A guest physical address as text. @category text @since 0.1.0 */
export const gpaText = (gpa: number): string => gpa === INVALID_GPA ? "INVALID_GPA" : hexOf(gpa)

/** A page frame as text: `none` for an empty entry or register. @category text @since 0.1.0 */
export const pfnText = (pfn: number): string =>
  pfn === KVM_PFN_ERR_FAULT ? "KVM_PFN_ERR_FAULT" : pfn === NO_PFN ? "none" : hexOf(pfn)

/** A half-open range of host virtual memory as text. @category text @since 0.1.0 */
export const rangeText = (start: number, end: number): string => `[${hvaText(start)}, ${hvaText(end)})`

const gpcArgument = (n: number) => `gpc/${n}`
const slotArgument = (n: number) => `slot ${n}`
const span = [hvaText, hvaText]

/** How the arguments of an operation are written, in their order. */
const ARGUMENTS: Readonly<Partial<Record<Operation, ReadonlyArray<(n: number) => string>>>> = {
  pause: [(n: number) => `${n} ns`],
  touch: [hvaText],
  madvise: span,
  munmap: span,
  mmap: span,
  mremap: [...span, hvaText],
  mprotect: [...span, (n: number) => PROTECTIONS[n] ?? String(n)],
  fork: span,
  migrate: [hvaText],
  ksm_merge: [hvaText, hvaText],
  thp_collapse: span,
  thp_split: span,
  clear_soft_dirty: [],
  set_memslot: [slotArgument, hvaText],
  delete_memslot: [slotArgument],
  gpc_activate: [gpcArgument, gpaText],
  gpc_activate_hva: [gpcArgument, hvaText],
  gpc_deactivate: [gpcArgument],
  gpc_refresh: [gpcArgument],
  gpc_read: [gpcArgument],
  gpc_use: [gpcArgument],
  gpc_write_own: [gpcArgument, gpaText],
  guest_fault: [gpaText],
  unknown: [],
  brk: [hvaText]
}

/**
 * An operation as the call it is: `madvise(0x7f1000000000, 0x7f1000004000, DONTNEED)`.
 *
 * @category text
 * @since 0.1.0
 */
export const callText = (op: Operation, a: number, b: number, c: number): string => {
  const values = [a, b, c]
  const args = (ARGUMENTS[op] ?? []).map((write, i) => write(values[i]!))
  return `${op}(${[...args, ...(op === "madvise" ? ["DONTNEED"] : [])].join(", ")})`
}

/** The operation that a `Called` event begins. @category text @since 0.1.0 */
export const callOf = (event: EventOf<"Called">): string => callText(event.op, event.a, event.b, event.c)

type Write = (value: never) => string

const WRITERS: Readonly<Record<string, (n: number) => string>> = {
  Hva: hvaText,
  Gpa: gpaText,
  Gfn: hexOf,
  Pfn: pfnText
}

const plain = (value: unknown): string => typeof value === "string" ? printable(value) : String(value)

/** The fields of each event with how they are written; `gpc` is left to its stream's name. */
const columns = new Map<string, ReadonlyArray<readonly [name: string, write: Write]>>()

const columnsOf = (tag: EventTag): ReadonlyArray<readonly [name: string, write: Write]> => {
  const known = columns.get(tag)
  if (known !== undefined) return known
  const schemas = schemaOf(tag).fields as Readonly<Record<string, { readonly ast: SchemaAST.AST }>>
  const made = fieldsOf(tag)
    .filter((name) => name !== "gpc" || ownerOf(tag) !== "gpc")
    .map((name) => {
      const identifier = SchemaAST.resolveIdentifier(schemas[name]!.ast)
      return [name, (identifier === undefined ? undefined : WRITERS[identifier]) ?? plain] as const
    })
  columns.set(tag, made)
  return made
}

/**
 * The fields of an event: `start=0x7f1000000000 end=0x7f1000004000 event=CLEAR change=zap`, the call of a `Called`.
 * The cache is left out where the event is of its stream.
 *
 * @category text
 * @since 0.1.0
 */
export const fieldText = (event: Event): string => {
  if (event._tag === "Called") return callOf(event)
  const values = event as unknown as Readonly<Record<string, never>>
  return columnsOf(event._tag)
    .filter(([name]) => name !== "gpc" || values[name] !== -1)
    .map(([name, write]) => `${name}=${write(values[name]!)}`)
    .join(" ")
}
