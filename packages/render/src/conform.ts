/**
 * A comparison of a trace with a policy: the verdict first, each disagreement with its line.
 *
 * @since 0.1.0
 */
import { printable } from "@pfnscope/projections"
import type { Conformance, Disagreement } from "@pfnscope/trace"
import { CAVEAT, counted, table } from "./table.ts"

/** Disagreements that are shown, unless all are wanted. */
const FEW = 5

const placeOf = ({ file, line, seq }: { readonly file: string; readonly line: number; readonly seq: number }) =>
  line > 0 ? `${printable(file.split("/").at(-1) ?? file)}:${line}` : `#${seq}`

const disagreementLines = (d: Disagreement): ReadonlyArray<string> => [
  `  ${placeOf(d)}: ${d.kind}: the trace shows ${d.actual}, the model expected ${d.expected}`,
  `    in the state: ${d.state}`,
  ...(d.allowed.length === 0 ? [] : [`    the steps that the model allows from there: ${d.allowed.join(", ")}`])
]

const tenths = (part: number, whole: number): string => whole === 0 ? "-" : `${(part / whole * 100).toFixed(1)} %`

const verdictOf = (c: Conformance): string => {
  if (c.disagreements > 0) return `DISAGREES with ${c.policy}, ${counted(c.disagreements, "time")}`
  if (c.decisions === 0) return `NOTHING TO COMPARE with ${c.policy}: no decision was recorded that can be judged`
  return `AGREES with ${c.policy}: every decision is one that its steps make`
}

/**
 * A comparison as text.
 *
 * @category text
 * @since 0.1.0
 */
export const conformText = (c: Conformance, { verbose }: { readonly verbose: boolean }): string => {
  const rows = Object.entries(c.kinds)
    .filter(([, { agree, ambiguous, disagree, unknown }]) => agree + ambiguous + disagree + unknown > 0)
    .map(([kind, { agree, ambiguous, disagree, unknown }]) => [kind, agree, ambiguous, disagree, unknown])
  const shown = verbose ? c.disagree : c.disagree.slice(0, FEW)
  const more = c.disagreements - shown.length
  return [
    verdictOf(c),
    ...(c.found === undefined ? [] : [`  the kernel's policy was found from the trace: ${c.found}`]),
    `  ${counted(c.decisions, "decision")}: ${c.agree} agree, ${c.ambiguous} ambiguous (${
      tenths(c.ambiguous, c.decisions)
    }), ${c.decisions - c.agree - c.ambiguous} disagree; ${c.unknown} more cannot be judged`,
    ...(rows.length === 0
      ? []
      : table(["compared", "agree", "ambiguous", "disagree", "unknown"], rows).split("\n").map((line) => `  ${line}`)),
    ...(c.disagreements === 0 ? [] : [
      `Matched up to ${c.matched.line > 0 ? `line ${c.matched.line}` : `#${c.matched.seq}`}; then:`,
      ...shown.flatMap(disagreementLines),
      ...(more > 0 ? [`  … and ${more} more`] : [])
    ]),
    ...(c.misplaced === 0
      ? []
      : [
        `  ${counted(c.misplaced, "record")} show a task where none of the model's steps lead; the replay went on there`
      ]),
    ...(c.overflows === 0 ? [] : [`  more orders were open than were followed, ${counted(c.overflows, "time")}`]),
    "Ambiguous: the trace leaves open an order in which the model decides otherwise.",
    CAVEAT
  ].join("\n")
}

/** A comparison as JSON. @category json @since 0.1.0 */
export const conformJson = (c: Conformance): unknown => c
