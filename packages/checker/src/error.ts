/**
 * What can go wrong with a check itself, as opposed to what it checks. A search that gives up is no error: its outcome
 * is "unknown".
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/** A worker thread failed: its module could not be loaded, or the model threw. @category errors @since 0.1.0 */
export class WorkerFailed extends Schema.TaggedError<WorkerFailed>()("WorkerFailed", {
  worker: Schema.Int,
  reason: Schema.String
}) {
  override get message(): string {
    return `worker ${this.worker}: ${this.reason}`
  }
}

/** A model that no search can be made of as it is. @category errors @since 0.1.0 */
export class NotCheckable extends Schema.TaggedError<NotCheckable>()("NotCheckable", {
  model: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.model}: ${this.reason}`
  }
}

/**
 * Thrown by a model that packs its states into as many words as it thought enough, when they are not. It has taken more
 * since: what it packed before means nothing, and a search has to begin again.
 *
 * @category errors
 * @since 0.1.0
 */
export class Outgrown extends Error {
  override readonly message = "a state does not fit in the words that its model packs states into"
  /** How the model packs states from now on. */
  readonly layout: unknown
  constructor(layout: unknown) {
    super()
    this.layout = layout
  }
}

/**
 * Saved bytes that cannot be resumed: damaged, cut off, of another format, or of another model. `byte` counts from 0.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotResumable extends Schema.TaggedError<NotResumable>()("NotResumable", {
  byte: Schema.Int,
  expected: Schema.String
}) {
  override get message(): string {
    return `checkpoint, byte ${this.byte}: expected ${this.expected}`
  }
}
