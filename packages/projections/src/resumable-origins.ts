/**
 * Origins as they can be put aside: what they share, within a checkpoint and between those of a pack, is saved once.
 *
 * The bytes are those of the states, their length first, then the number of each checkpoint's node, how many there are
 * first, and the graph of them all.
 *
 * @since 0.1.0
 */
import { ByteReader, ByteWriter } from "@pfnscope/journal"
import * as Option from "effect/Option"
import type { Resumable } from "./checkpoint.ts"
import { graphWriter, openGraph } from "./graph.ts"
import { advanceOrigins, noOrigins } from "./origins.ts"
import type { Origins, ThreadOrigins } from "./origins.ts"
import { noRefreshes } from "./refreshes.ts"
import { joined, openStops, parted, stopPack } from "./stops.ts"
import { traveller } from "./time-travel.ts"

type Links = Omit<Origins, "at">

/** Of the refreshes only those that run are asked for: their statistics begin anew. */
type Running = Pick<Links["progress"], "ranges"> & Pick<Links["progress"]["refreshes"], "addresses" | "running">

type Kept = Omit<Links, "progress"> & Running

/** @category folding @since 0.1.0 */
export const origins: Resumable<Origins> = {
  name: "origins",
  version: 2,
  every: 1024,
  start: noOrigins,
  place: ({ at }) => at.place,
  advance: advanceOrigins,
  pack: () => {
    const stops = stopPack()
    const graph = graphWriter()
    const roots: Array<number> = []
    let before: Kept | undefined
    return {
      add: ({ at, ...links }) => {
        stops.add(at)
        before = copyOf(links, before)
        roots.push(graph.add(before))
      },
      bytes: () => joined(stops.bytes(), joined(varints(roots), graph.bytes()))
    }
  },
  open: (world, bytes, places) => {
    const [stops, rest] = parted(bytes)
    const [roots, graph] = parted(rest)
    const stop = openStops(world, stops, places)
    const numbers = new ByteReader(roots)
    const nodes = places.map(() => numbers.varint())
    const node = openGraph(graph)
    return (i) =>
      Option.map(Option.all([stop(i), node(nodes[i] ?? -1)]), ([from, kept]) => {
        const { addresses, ranges, running, ...links } = kept as Kept
        const progress = { ranges, refreshes: { ...noRefreshes(), addresses, running } }
        return { ...links, progress, at: traveller(world, from) }
      })
  }
}

const varints = (numbers: ReadonlyArray<number>): Uint8Array => {
  const out = new ByteWriter()
  for (const n of numbers) out.varint(n)
  return out.bytes.slice(0, out.length)
}

/**
 * An origin never changes, once it is made; what holds it does. A thread of which nothing has changed is the one before: it
 * is in the bytes already.
 */
const copyOf = ({ progress, ...links }: Links, before: Kept | undefined): Kept => ({
  ...links,
  ...runningOf(progress),
  threads: links.threads.map((thread, t) => {
    const last = before?.threads[t]
    return last !== undefined && isSame(last, thread) ? last : { ...thread, open: [...thread.open] }
  }),
  gpcs: links.gpcs.map((gpc) => ({ ...gpc })),
  locks: new Map(links.locks),
  ptes: new Map(links.ptes),
  unmapped: new Map(links.unmapped),
  freed: new Map(links.freed)
})

const isSame = ({ open, ...before }: ThreadOrigins, now: ThreadOrigins): boolean =>
  open.length === now.open.length && open.every((range, i) => range === now.open[i]) &&
  (Object.keys(before) as ReadonlyArray<keyof typeof before>).every((key) => before[key] === now[key])

/** In one clone, since a refresh that runs and what is in flight share ranges. */
const runningOf = ({ ranges, refreshes: { addresses, running } }: Links["progress"]): Running =>
  structuredClone({ ranges, addresses, running })
