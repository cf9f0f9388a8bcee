/**
 * Origins as they can be put aside: what they share, within a checkpoint and between those of a pack, is saved once.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import type { Place, Resumable } from "./checkpoint.ts"
import { fromText, toText } from "./graph.ts"
import { advanceOrigins } from "./origins.ts"
import { noOrigins } from "./origins.ts"
import type { Origins } from "./origins.ts"
import { stopOf, traveller } from "./time-travel.ts"
import type { Stop } from "./time-travel.ts"

/** Origins at a place; nothing changes them any more. @category models @since 0.1.0 */
export interface KeptOrigins extends Place {
  readonly at: Stop
  readonly rest: Omit<Origins, "at">
}

/** @category folding @since 0.1.0 */
export const origins: Resumable<Origins, KeptOrigins> = {
  name: "origins",
  version: 1,
  start: noOrigins,
  place: ({ at }) => at.place,
  advance: advanceOrigins,
  copy: ({ at, ...rest }) => {
    const stop = stopOf(at)
    return { ...at.place, at: { ...stop, cells: Array.from(stop.cells) }, rest: copyOf(rest) }
  },
  resume: (world, { at, rest }) => ({ at: traveller(world, at), ...copyOf(rest) }),
  encode: (copies) => new TextEncoder().encode(toText(copies)),
  decode: (world, bytes) =>
    Option.flatMap(fromText(new TextDecoder().decode(bytes)), (found) => {
      const copies = found as ReadonlyArray<KeptOrigins>
      const cells = noOrigins(world).at.state.cells.length
      return copies.every(({ at }) => at.cells.length === cells) ? Option.some(copies) : Option.none()
    })
}

/** An origin never changes, once it is made; what holds it does. */
const copyOf = (rest: Omit<Origins, "at">): Omit<Origins, "at"> => ({
  ...rest,
  progress: structuredClone(rest.progress),
  threads: rest.threads.map((thread) => ({ ...thread, open: [...thread.open] })),
  gpcs: rest.gpcs.map((gpc) => ({ ...gpc })),
  locks: new Map(rest.locks),
  ptes: new Map(rest.ptes),
  unmapped: new Map(rest.unmapped),
  freed: new Map(rest.freed)
})
