/**
 * The journal as an Effect service: programs ask for their log by its tag, and do not know where its bytes are.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type { Json } from "effect/Schema"
import type { Codec } from "./codec.ts"
import type { OpenError } from "./error.ts"
import type { Journal } from "./journal.ts"
import { memory, openOrCreate } from "./open.ts"
import type { Sync } from "./store.ts"

/**
 * A service class for the journal of one application:
 * `class Events extends Service<Events, Event>()("app/Events") {}`.
 *
 * @category services
 * @since 0.1.0
 */
export const Service =
  <Self, E>() => <const Key extends string>(key: Key): Context.ServiceClass<Self, Key, Journal<E>> =>
    Context.Service<Self, Journal<E>>()(key)

/**
 * A new journal in memory.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory = <Self, E>(
  tag: Context.Key<Self, Journal<E>>,
  codec: Codec<E>,
  options: { readonly meta?: Json | undefined } = {}
): Layer.Layer<Self> => Layer.effect(tag, memory(codec, options))

/**
 * The journal in the file at `path`, opened for writing; when there is none it is created with `meta`. Where it becomes
 * larger than `segmentBytes` (256 MiB when not given) it goes on in another file.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFile = <Self, E>(
  tag: Context.Key<Self, Journal<E>>,
  codec: Codec<E>,
  options: {
    readonly path: string
    readonly sync: Sync
    readonly meta?: Json | undefined
    readonly segmentBytes?: number | undefined
  }
): Layer.Layer<Self, OpenError, FileSystem> => Layer.effect(tag, openOrCreate(codec, options))
