/**
 * Evidence: the events that show a finding, each with the line it was read from.
 *
 * @since 0.1.0
 */
import type { Envelope, Source } from "@pfnscope/journal"
import type { Event } from "@pfnscope/protocol"

/**
 * An event that shows something: its position, and where it was read. `inferred`: nobody saw it, another event tells.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sighting {
  readonly seq: number
  readonly src: Source | undefined
  readonly inferred?: true
}

/** How often something was seen, and the first times. @category models @since 0.1.0 */
export interface Finding {
  count: number
  readonly evidence: Array<Sighting>
}

/** Sightings that are kept of one kind: enough to look at, few enough to read. */
const KEPT = 5

/** @category constructors @since 0.1.0 */
export const notFound = (): Finding => ({ count: 0, evidence: [] })

/** @category constructors @since 0.1.0 */
export const sightingOf = ({ how, seq, src }: Envelope<Event>): Sighting =>
  how === "inferred" ? { seq, src, inferred: true } : { seq, src }

/** Counts a finding once; `sightings` are the events that together show it. @category folding @since 0.1.0 */
export const find = (finding: Finding, ...sightings: ReadonlyArray<Sighting>): void => {
  finding.count++
  if (finding.count <= KEPT) finding.evidence.push(...sightings)
}
