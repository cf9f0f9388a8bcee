/**
 * The world that the events of a log happen in.
 *
 * A simulated run's header holds its world. A log without one (a kernel trace) gets the world that its events show: so
 * many caches and threads, and no modelled memory, so that page tables and frames stay unknown.
 *
 * @since 0.1.0
 */
import { INVALID_GPA, ownerOf, World } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { START } from "./checkpoint.ts"
import type { Place, Resumable } from "./checkpoint.ts"
import { foldIn, goOn } from "./fold-in.ts"
import { graphWriter, openGraph } from "./graph.ts"
import type { Log } from "./log.ts"
import { END } from "./position.ts"
import type { NoSuchPosition } from "./position.ts"
import type { LogNotDense } from "./projection.ts"

/** The header says that it holds a world, and it is none. @category errors @since 0.1.0 */
export class NotAWorld extends Schema.TaggedError<NotAWorld>()("NotAWorld", { reason: Schema.String }) {
  override get message(): string {
    return `the log's header: expected the world of its run, ${this.reason}`
  }
}

const Meta = Schema.Struct({ world: Schema.Unknown })

/** The worlds of the headers that are in use: every question begins with one. */
const known = new WeakMap<object, World>()

/**
 * The world of a log: of its header, or the one that its events show.
 *
 * @category queries
 * @since 0.1.0
 */
export const worldOf = Effect.fn("projections.worldOf")(
  function*<E>(log: Log<E>): Effect.fn.Return<World, E | NotAWorld | NoSuchPosition | LogNotDense> {
    const before = known.get(log.header)
    if (before !== undefined) return before
    const meta = Schema.decodeUnknownOption(Meta)(log.header.meta)
    if (Option.isNone(meta)) return yield* worldSeen(log)
    const world = yield* Schema.decodeUnknownEffect(World)(meta.value.world).pipe(
      Effect.mapError((error) => new NotAWorld({ reason: error.message.split("\n").join(" ") }))
    )
    known.set(log.header, world)
    return world
  }
)

/** The caches and threads that events name; a thread is called as its stream is. */
interface Seen {
  place: Place
  threads: number
  gpcs: number
  readonly names: Map<number, string>
  /** Made of the rest, until there is more. */
  world: World | undefined
}

/** What is seen of a world, as it can be put aside. @category folding @since 0.1.0 */
const seen: Resumable<Seen> = {
  name: "world",
  version: 1,
  every: 32_768,
  start: () => ({ place: START, threads: 0, gpcs: 0, names: new Map(), world: undefined }),
  place: ({ place }) => place,
  advance: (s, { data, seq, stream, t }) => {
    const { first, latest } = s.place
    s.place = { seq, t, first: seq === 1 ? t : first, latest: Math.max(latest, t) }
    const isNamed = ownerOf(data._tag) === "thread" && s.names.get(data.thread) !== stream
    const gpcs = "gpc" in data ? Math.max(s.gpcs, data.gpc + 1) : s.gpcs
    if (!isNamed && data.thread < s.threads && gpcs === s.gpcs) return
    if (isNamed) s.names.set(data.thread, stream)
    s.threads = Math.max(s.threads, data.thread + 1)
    s.gpcs = gpcs
    s.world = undefined
  },
  pack: () => {
    const graph = graphWriter()
    return {
      add: ({ gpcs, names, threads }) => void graph.add({ gpcs, threads, names: new Map(names) }),
      bytes: graph.bytes
    }
  },
  open: (_world, bytes, places) => {
    // Two nodes a checkpoint: it and its names.
    const node = openGraph(bytes)
    return (i) => Option.map(node(2 * i), (from) => ({ ...(from as Seen), place: places[i]!, world: undefined }))
  }
}

const NO_WORLD: World = { pageSize: 4096, areas: [], memslots: [], gpcs: [], threads: [], spareFrames: 0 }

const seenOf = new WeakMap<object, Seen>()

/** What was seen of a log before is gone on with, where the log has grown since. */
const worldSeen = Effect.fnUntraced(function*<E>(log: Log<E>) {
  const before = seenOf.get(log)
  if (before !== undefined) yield* goOn(log, seen, before, END)
  const now = before ?? (yield* foldIn(log, NO_WORLD, seen, END))
  seenOf.set(log, now)
  return now.world ??= worldFrom(now)
})

const worldFrom = ({ gpcs, names, threads }: Seen): World => ({
  ...NO_WORLD,
  gpcs: Array.from({ length: gpcs }, () => ({ gpa: INVALID_GPA, state: "active" })),
  threads: Array.from({ length: threads }, (_, t) => ({ name: names.get(t) ?? `thread/${t}`, ops: [], repeat: 0 }))
})
