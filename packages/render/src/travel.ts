/**
 * Time travel: the state at a position, a difference, an answer.
 *
 * @since 0.1.0
 */
import type { Diff, StateAt, View, Why } from "@pfnscope/projections"
import { printable, secondsText, viewOf } from "@pfnscope/projections"
import { counted, table } from "./table.ts"

/** The state at a position as JSON. @category json @since 0.1.0 */
export const atJson = ({ seq, state, stateHash, t }: StateAt): unknown => ({ seq, t, stateHash, state: viewOf(state) })

/** The pages and frames of a state that are shown; all are in the JSON. */
const SHOWN = 40

const nested = (view: View, indent: string): ReadonlyArray<string> =>
  Object.entries(view).flatMap(([key, value]) =>
    typeof value === "object" ? [`${indent}${key}:`, ...nested(value, `${indent}  `)] : [`${indent}${key} = ${value}`]
  )

const capped = (lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length <= SHOWN
    ? lines
    : [...lines.slice(0, SHOWN), `  … and ${lines.length - SHOWN} more lines (--json has all)`]

const leafText = (view: View): string =>
  Object.entries(view)
    .filter(([key]) => key !== "id")
    .flatMap(([key, value]) => typeof value === "object" ? [`${key}: {${leafText(value)}}`] : [`${key}=${value}`])
    .join(" ")

/** The state at a position as text. @category text @since 0.1.0 */
export const atText = ({ seq, state, stateHash, t, unapplied }: StateAt): string => {
  const view = viewOf(state)
  return [
    `After #${seq}, ${secondsText(t)} s, state ${stateHash}`,
    ...(unapplied === 0 ? [] : [`  ${counted(unapplied, "event")} of the trace had no place in the state`]),
    "primary MMU",
    ...capped(nested(view.mmu, "  ")),
    "KVM notifier",
    ...nested(view.notifier, "  "),
    ...view.gpcs.map((gpc) => `${gpc.id}  ${leafText(gpc)}`),
    ...view.threads.map((thread) => `${thread.id}  ${leafText(thread)}`)
  ].join("\n")
}

/** A difference as JSON. @category json @since 0.1.0 */
export const diffJson = ({ changes, from, to }: Diff): unknown => ({ from, to, changes })

const shown = (value: string | number | boolean | null): string => value === null ? "-" : String(value)

/** A difference as text. @category text @since 0.1.0 */
export const diffText = ({ changes, from, to }: Diff): string => {
  const head = `From #${from} to #${to}: ${counted(changes.length, "change")}`
  if (changes.length === 0) return head
  const rows = changes.map(({ after, before, path, seq }) => [path, shown(before), shown(after), `#${seq}`])
  return `${head}\n${table(["what", "before", "after", "by"], rows)}`
}

/** An answer as JSON. @category json @since 0.1.0 */
export const whyJson = ({ answer, chain, seq, subject }: Why): unknown => ({
  subject,
  seq,
  answer,
  chain: chain.map(({ seq, text, type }) => ({ seq, type, text }))
})

/** An answer as text: the sentence, and the events behind it. @category text @since 0.1.0 */
export const whyText = ({ answer, chain }: Why): string =>
  [
    answer,
    ...chain.map(({ seq, src, text, type }) =>
      `  #${seq} ${type}  ${text}${src === undefined ? "" : `  ${printable(src.file)}:${src.line}`}`
    )
  ].join("\n")
