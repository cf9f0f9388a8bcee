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
import type { Origins } from "./origins.ts"
import { noRefreshes } from "./refreshes.ts"
import { joined, openStops, parted, stopPack } from "./stops.ts"
import { traveller } from "./time-travel.ts"

type Links = Omit<Origins, "at">

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
    return {
      add: ({ at, ...links }) => {
        stops.add(at)
        roots.push(graph.add(copyOf(links)))
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
      Option.map(Option.all([stop(i), node(nodes[i] ?? -1)]), ([from, links]) => ({
        ...(links as Links),
        at: traveller(world, from)
      }))
  }
}

const varints = (numbers: ReadonlyArray<number>): Uint8Array => {
  const out = new ByteWriter()
  for (const n of numbers) out.varint(n)
  return out.bytes.slice(0, out.length)
}

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
