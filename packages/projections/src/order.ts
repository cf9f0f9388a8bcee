/**
 * What can be said about the order of two events.
 *
 * A simulated log is in the order of the steps. In a trace, events of several CPUs whose times are equal came in an
 * order that nobody knows: a claim that rests on it is not made.
 *
 * @since 0.1.0
 */
import type { How } from "@pfnscope/journal"
import type { Moment } from "./in-flight.ts"

/** Whether `a` certainly came before `b`. @category reading @since 0.1.0 */
export const surelyBefore = (a: Moment, b: Moment, how: How): boolean => how === "simulated" ? a.seq < b.seq : a.t < b.t

/** Whether `a` may have come at or after `b`. @category reading @since 0.1.0 */
export const maybeAfter = (a: Moment, b: Moment, how: How): boolean => !surelyBefore(a, b, how)
