/**
 * A counterexample as text: a race or a list of steps, what it breaks, and for one of progress why it is fair.
 *
 * @since 0.1.0
 */
import type { Branch, Fairness, GoalVerdict, Verdict } from "@pfnscope/checker"
import { runOf, titleOf } from "./checked.ts"
import type { Checked, Evidence } from "./checked.ts"
import { across, RACE_WIDTH, raceLines, wrap } from "./race.ts"
import { counted } from "./table.ts"

const stepLines = (
  steps: ReadonlyArray<Branch>,
  threads: ReadonlyArray<string>,
  cycleAt: number | undefined,
  text: string
): ReadonlyArray<string> => {
  const width = Math.max(...threads.map((name) => name.length))
  const lines = steps.map(({ outcome, step, thread }, i) =>
    ` ${String(i + 1).padStart(3)}  ${threads[thread]!.padEnd(width)}  ${step}${outcome === "" ? "" : `: ${outcome}`}`
  )
  return cycleAt === undefined ? lines : lines.toSpliced(cycleAt, 0, across(text))
}

/** Why a cycle is fair to a thread. */
const FAIRNESS: Readonly<Record<Fairness, string>> = {
  moves: "moves",
  disabled: "is somewhere disabled",
  "not owed": "is owed nothing",
  starved: "is starved"
}

const fairnessText = (threads: ReadonlyArray<string>, fairness: ReadonlyArray<Fairness>): string =>
  threads.map((name, t) => `${name} ${FAIRNESS[fairness[t]!]}`).join(", ")

const endingLines = (verdict: Verdict | GoalVerdict, threads: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (verdict.outcome !== "violated") return []
  const { name, statement } = verdict.property
  const ending = wrap(` *** ${titleOf(name)} violated: not so: ${statement} ***`, RACE_WIDTH)
  if (!("lasso" in verdict)) return ending
  return [
    ...ending,
    ...wrap(` Fair to every thread: in the cycle ${fairnessText(threads, verdict.fairness)}.`, RACE_WIDTH)
  ]
}

/** The lines of a counterexample. @category text @since 0.1.0 */
export const evidenceLines = (checked: Checked, { ids, logs, shown }: Evidence): ReadonlyArray<string> => {
  const { threads, verdicts } = checked
  const of = verdicts.filter(({ property }) => ids.includes(property.name))
  const cycle = of.map((verdict) => runOf(verdict)?.cycle?.length ?? 0).find((length) => length > 0) ?? 0
  const text = `from here on, for ever: ${counted(cycle, "step")}`
  const mark = shown.cycleAt === undefined ? undefined : { seq: shown.cycleAt, text }
  return [
    "",
    ...(shown.as === "race"
      ? raceLines(shown.race, mark)
      : stepLines(shown.steps, threads, shown.cycleAt, text)),
    "",
    ...of.flatMap((verdict) => endingLines(verdict, threads)),
    ...logs.map((log) => ` log: ${log}`)
  ]
}
