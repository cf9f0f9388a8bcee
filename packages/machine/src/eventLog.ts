/**
 * The log of a machine: a journal of the protocol's events, whose header says which run it is.
 *
 * @since 0.1.0
 */
import { Codec, Service } from "@pfnscope/journal"
import { Event, Policy, World } from "@pfnscope/protocol"
import * as Schema from "effect/Schema"
import { Timing } from "./timing.ts"

/**
 * How the protocol's events become bytes.
 *
 * @category codec
 * @since 0.1.0
 */
export const eventCodec = Codec.packed("pfnscope.event", Event)

/**
 * The journal that a machine writes.
 *
 * @category services
 * @since 0.1.0
 */
export class EventLog extends Service<EventLog, Event>()("@pfnscope/machine/EventLog") {}

/**
 * What a run is a function of; the header of its log. `until` is in ns of the run's clock, 0 for no limit. `from` is there
 * in a fork: the log that it goes on from (its name, and its hash when it was read), the position, and the policy until
 * there.
 *
 * @category schemas
 * @since 0.1.0
 */
export const RunHeader = Schema.Struct({
  kind: Schema.Literal("simulation"),
  scenario: Schema.String,
  policy: Policy,
  seed: Schema.Int,
  until: Schema.Int,
  timing: Timing,
  world: World,
  from: Schema.optionalKey(Schema.Struct({
    log: Schema.String,
    hash: Schema.String,
    seq: Schema.Int,
    policy: Schema.String
  }))
})

/** What a run is a function of. @category models @since 0.1.0 */
export type RunHeader = typeof RunHeader.Type
