/**
 * What a check found, as text: the verdict first, the evidence after.
 *
 * @since 0.1.0
 */
import type { Branch, GoalVerdict, Verdict } from "@pfnscope/checker"
import { idsOf, isFound, lengthOf, titleOf } from "./checked.ts"
import type { Checked } from "./checked.ts"
import { evidenceLines } from "./evidence.ts"
import { wrap } from "./race.ts"
import { CAVEAT, counted, table } from "./table.ts"

/** Why what is unknown is unknown. */
const reasonOf = ({ report: { isComplete, order, stopped } }: Checked): string => {
  if (order === "random") return "random walks see a part of the interleavings"
  switch (stopped) {
    case "violation":
      return "it takes every interleaving, and the search ended at the violation; --all goes on"
    case "states":
      return "gave up at --max-states"
    case "time":
      return "gave up at --timeout"
    case "memory":
      return "gave up for want of memory"
    default:
      return isComplete ? "gave up while looking for a run that repeats" : "bits can hide states: not complete"
  }
}

const WIDTH = 100

/** A line of names after a word, with what continues below it. */
const entry = (word: string, width: number, text: string): ReadonlyArray<string> =>
  wrap(text, WIDTH - width, 0).map((line, i) => `  ${(i === 0 ? word : "").padEnd(width)} ${line}`)

const violatedText = (verdict: Verdict | GoalVerdict): string => {
  const { name } = verdict.property
  if (verdict.outcome !== "violated") return titleOf(name)
  if ("lasso" in verdict) {
    const { cycle, stem } = verdict.lasso
    const round = cycle.length === 0 ? "nobody can go on" : `${counted(cycle.length, "step")} repeat for ever`
    return `${titleOf(name)}: after ${counted(stem.moves.length, "step")}, ${round}`
  }
  const { isShortest, moves } = verdict.counterexample
  return `${titleOf(name)}: in ${counted(moves.length, "step")}${isShortest ? "" : " (there may be a shorter way)"}`
}

const verdictLines = (checked: Checked): ReadonlyArray<string> => {
  const { verdicts } = checked
  const [holds, idle, unknown] = [
    idsOf(checked, "holds"),
    idsOf(checked, "not exercised"),
    idsOf(checked, "unknown")
  ]
  const width = idle.length > 0 ? 13 : 8
  const isLive = verdicts.some(({ property }) => "met" in property)
  const stuck = checked.report.stuck
  return [
    ...verdicts.filter(({ outcome }) => outcome === "violated").flatMap((verdict) =>
      entry("VIOLATED", width, violatedText(verdict))
    ),
    ...(stuck === 0
      ? []
      : entry("STUCK", width, `${counted(stuck, "state")} in which nobody can go on and not everything is done`)),
    ...(holds.length === 0
      ? []
      : entry("holds", width, `${holds.join(" ")} in every ${isLive ? "fair run" : "interleaving"}`)),
    ...(idle.length === 0 ? [] : entry("not exercised", width, `${idle.join(" ")}: no step puts it to the test`)),
    ...(unknown.length === 0 ? [] : entry("unknown", width, `${unknown.join(" ")}: ${reasonOf(checked)}`))
  ]
}

// ---- what was seen

const REDUCTIONS = {
  partialOrder: "partial order",
  symmetry: "symmetry",
  merge: "merged steps",
  forget: "dead cells"
} as const

const seenLine = ({ report, searched }: Checked): string => {
  const { depth, distinct, generated, isComplete, order, reductions } = report
  const made = Object.entries(REDUCTIONS).flatMap(([key, name]) =>
    reductions[key as keyof typeof REDUCTIONS] ? [name] : []
  )
  return [
    `${isComplete ? "All" : "Seen"}: ${counted(distinct, "state")}${order === "random" ? " (not distinct)" : ""}`,
    `${generated} generated`,
    `depth ${depth}`,
    `${searched}${made.length === 0 ? "" : `, reduced by ${made.join(", ")}`}`
  ].join(", ")
}

/** Where a step's name is cut: steps of one function are named after it. */
const familyOf = (step: string): string => step.includes(".") ? `${step.split(".")[0]}.*` : step

const key = ({ outcome, step }: Branch): string => outcome === "" ? step : `${step}: ${outcome}`

/** The steps that no thread ever took, a whole family in one word. @category queries @since 0.1.0 */
export const neverTaken = ({ branches, report }: Pick<Checked, "branches" | "report">): ReadonlyArray<string> => {
  const isMissed = new Set(report.unreached.map((branch) => `${branch.thread} ${key(branch)}`))
  const taken = branches.filter((branch) => !isMissed.has(`${branch.thread} ${key(branch)}`))
  const takenKeys = new Set(taken.map(key))
  const takenSteps = new Set(taken.map(({ step }) => step))
  const takenFamilies = new Set(taken.map(({ step }) => familyOf(step)))
  return [
    ...new Set(
      branches.filter((branch) => !takenKeys.has(key(branch))).map((branch) =>
        !takenFamilies.has(familyOf(branch.step))
          ? familyOf(branch.step)
          : !takenSteps.has(branch.step)
          ? branch.step
          : `${branch.step} (${branch.outcome})`
      )
    )
  ]
}

const neverLines = (checked: Checked): ReadonlyArray<string> => {
  const never = neverTaken(checked)
  if (!checked.report.isComplete || never.length === 0) return []
  return wrap(`Never taken: ${never.join(", ")}`, WIDTH, 2)
}

// ---- the whole

const oneText = (config: string, checked: Checked): string =>
  [
    `Verdict on ${config} under ${checked.policy}`,
    ...verdictLines(checked),
    ...checked.evidence.flatMap((evidence) => evidenceLines(checked, evidence)),
    "",
    ...wrap(seenLine(checked), WIDTH, 2),
    ...neverLines(checked),
    CAVEAT
  ].join("\n")

const verdictOf = (checked: Checked): string =>
  idsOf(checked, "violated").length > 0
    ? "VIOLATED"
    : checked.report.stuck > 0
    ? "STUCK"
    : idsOf(checked, "unknown").length > 0
    ? "unknown"
    : "holds"

const names = (ids: ReadonlyArray<string>): string => ids.join(" ") || "-"

const manyText = (config: string, results: ReadonlyArray<Checked>): string =>
  [
    `Verdicts on ${config}`,
    "",
    table(
      ["policy", "verdict", "states", "generated", "depth", "violated:steps", "unknown"],
      results.map((checked) => [
        checked.policy,
        verdictOf(checked),
        checked.report.distinct,
        checked.report.generated,
        checked.report.depth,
        names(
          checked.verdicts.filter(({ outcome }) => outcome === "violated").map((verdict) =>
            `${verdict.property.name}:${lengthOf(verdict)}`
          )
        ),
        names(idsOf(checked, "unknown"))
      ])
    ),
    ...results.flatMap((checked) => {
      const stuck = checked.report.stuck
      return stuck === 0 ? [] : [`  ${checked.policy}: ${counted(stuck, "state")} in which nobody can go on`]
    }),
    ...together(results, (checked) => idsOf(checked, "not exercised").join(" ")).map(([ids, policies]) =>
      `  not exercised: ${ids} (${policies})`
    ),
    ...together(results, (checked) => idsOf(checked, "unknown").length > 0 ? reasonOf(checked) : "").map(([reason]) =>
      `  unknown: ${reason}`
    ),
    ...results.flatMap(({ evidence }) => evidence.flatMap(({ logs }) => logs.map((log) => `  log: ${log}`))),
    "",
    ...(results.some(isFound) ? ["Check one policy to see its counterexample; -o keeps every one as a log."] : []),
    CAVEAT
  ].join("\n")

/** What policies have in common, and which they are; what there is nothing to say of is left out. */
const together = (
  results: ReadonlyArray<Checked>,
  of: (checked: Checked) => string
): ReadonlyArray<readonly [said: string, policies: string]> =>
  [...Map.groupBy(results, of)].flatMap(([said, group]) => {
    if (said === "") return []
    const policies = group.length === results.length ? "every policy" : group.map(({ policy }) => policy).join(", ")
    return [[said, policies] as const]
  })

/** What was found: in full for one policy, one row each for several. @category text @since 0.1.0 */
export const checkText = (config: string, results: ReadonlyArray<Checked>): string => {
  const [first, ...more] = results
  return first !== undefined && more.length === 0 ? oneText(config, first) : manyText(config, results)
}
