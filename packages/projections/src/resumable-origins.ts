/**
 * Origins as they can be put aside: what they share, within a checkpoint and between those of a pack, is saved once.
 *
 * The bytes are those of the states, their length (u32) first, and then text.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import type { Place, Resumable } from "./checkpoint.ts"
import { fromText, toText } from "./graph.ts"
import { advanceOrigins, noOrigins } from "./origins.ts"
import type { Origins } from "./origins.ts"
import { noRefreshes } from "./refreshes.ts"
import { readStops, writeStops } from "./stops.ts"
import type { Stop } from "./stops.ts"
import { stopOf, traveller } from "./time-travel.ts"

type Links = Omit<Origins, "at">

/** Origins at a place; nothing changes them any more. @category models @since 0.1.0 */
export interface KeptOrigins extends Place {
  readonly at: Stop
  readonly links: Links
}

/** @category folding @since 0.1.0 */
export const origins: Resumable<Origins, KeptOrigins> = {
  name: "origins",
  version: 1,
  start: noOrigins,
  place: ({ at }) => at.place,
  advance: advanceOrigins,
  copy: ({ at, ...links }) => ({ ...at.place, at: stopOf(at), links: copyOf(links) }),
  resume: (world, { at, links }) => ({ at: traveller(world, at), ...copyOf(links) }),
  encode: (copies) => {
    const states = writeStops(copies.map(({ at }) => at))
    const text = new TextEncoder().encode(toText(copies.map(({ links }) => links)))
    const bytes = new Uint8Array(LENGTH + states.length + text.length)
    new DataView(bytes.buffer).setUint32(0, states.length, true)
    bytes.set(states, LENGTH)
    bytes.set(text, LENGTH + states.length)
    return bytes
  },
  decode: (world, bytes) => {
    if (bytes.length < LENGTH) return Option.none()
    const textAt = LENGTH + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
    const stops = readStops(bytes.subarray(LENGTH, textAt), noOrigins(world).at.state.cells.length)
    const texts = fromText(new TextDecoder().decode(bytes.subarray(textAt)))
    return Option.map(Option.all([stops, texts]), ([stops, texts]) => {
      const links = texts as ReadonlyArray<Links>
      return stops.map((at, i): KeptOrigins => {
        const { first, latest, seq, t } = at
        return { seq, t, first, latest, at, links: links[i]! }
      })
    })
  }
}

const LENGTH = 4

/**
 * An origin never changes, once it is made; what holds it does. Of the refreshes only those that run are asked for: their
 * statistics begin anew.
 */
const copyOf = (links: Links): Links => ({
  ...links,
  progress: runningOf(links.progress),
  threads: links.threads.map((thread) => ({ ...thread, open: [...thread.open] })),
  gpcs: links.gpcs.map((gpc) => ({ ...gpc })),
  locks: new Map(links.locks),
  ptes: new Map(links.ptes),
  unmapped: new Map(links.unmapped),
  freed: new Map(links.freed)
})

/** In one clone, since a refresh that runs and what is in flight share ranges. */
const runningOf = ({ ranges, refreshes: { addresses, running } }: Links["progress"]): Links["progress"] =>
  structuredClone({ ranges, refreshes: { ...noRefreshes(), running, addresses } })
