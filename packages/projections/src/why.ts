/**
 * Why is it so: from a cache, a thread, a field, a violation or an event back to the range, the call and the task.
 *
 * @since 0.1.0
 */
import type { Envelope, Source } from "@pfnscope/journal"
import { initialState, PROPERTY_IDS } from "@pfnscope/protocol"
import type { Event, PropertyId, State } from "@pfnscope/protocol"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { whyCount, whyEvent, whyField, whyThread, whyValid } from "./answer.ts"
import type { Answer } from "./answer.ts"
import { fieldText } from "./event-text.ts"
import { lastChanges } from "./last-change.ts"
import { eventAt } from "./log.ts"
import type { Log } from "./log.ts"
import { explanationOf } from "./origins.ts"
import type { Origins } from "./origins.ts"
import { atSeq } from "./position.ts"
import type { NoSuchPosition, Position } from "./position.ts"
import type { LogNotDense } from "./projection.ts"
import { changes } from "./resumable-changes.ts"
import { origins } from "./resumable-origins.ts"
import { leavesOf, pathOf, threadName } from "./state-view.ts"
import { foldTo } from "./time-travel.ts"
import type { Traveller } from "./time-travel.ts"
import { violationOf } from "./violations.ts"
import { worldOf } from "./world.ts"
import type { NotAWorld } from "./world.ts"

/** One event of a chain: `text` is who did it and its fields; `src` where it was read. @category models @since 0.1.0 */
export interface ChainLink {
  readonly seq: number
  readonly type: string
  readonly text: string
  readonly src: Source | undefined
}

/** An answer, and the events behind it, the latest first. @category models @since 0.1.0 */
export interface Why {
  readonly subject: string
  readonly seq: number
  readonly answer: string
  readonly chain: ReadonlyArray<ChainLink>
}

/** Nothing in the log is called that. @category errors @since 0.1.0 */
export class UnknownSubject extends Schema.TaggedError<UnknownSubject>()("UnknownSubject", {
  subject: Schema.String,
  known: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `subject ${JSON.stringify(this.subject)}: expected one of ${this.known.join(", ")}`
  }
}

/** What can be asked about. */
type Subject =
  | { readonly kind: "event"; readonly seq: number; readonly property: PropertyId | undefined }
  | { readonly kind: "actor"; readonly actor: string }
  | { readonly kind: "field"; readonly path: string }

const parseSubject = (text: string, state: State): Subject | undefined => {
  const event = /^(?:(P\d{1,2})@)?#?(\d{1,15})$/.exec(text)
  if (event !== null) {
    const property = PROPERTY_IDS.find((id) => id === event[1])
    return event[1] !== property ? undefined : { kind: "event", seq: Number(event[2]), property }
  }
  const actors = actorsOf(state)
  if (actors.includes(text)) return { kind: "actor", actor: text }
  // What an actor's answer is about.
  const key = /^(gpc\/\d+)\.valid$|^(mn\/0)\.mn_active_invalidate_count$/.exec(text)
  const actor = key?.[1] ?? key?.[2]
  if (actor !== undefined && actors.includes(actor)) return { kind: "actor", actor }
  return [...actors, "mmu/0"].some((name) => text.startsWith(`${name}.`)) ? { kind: "field", path: text } : undefined
}

const actorsOf = (state: State): ReadonlyArray<string> => [
  "mn/0",
  ...state.gpcs.map((gpc) => `gpc/${gpc.id}`),
  ...state.threads.map((t) => threadName(state, t.id))
]

/**
 * Answers why a subject is as it is at a position: a cache (`gpc/0`), a thread (`vcpu/3`), the notifier (`mn/0`), a
 * field as `diff` names it (`gpc/0.valid`), an event (`#1234`, or `1234`) or a violation (`P1@#1234`). Of an event the answer is
 * as of that event, wherever the position is.
 *
 * @category queries
 * @since 0.1.0
 */
export const why = Effect.fn("projections.why")(
  function*<E>(
    log: Log<E>,
    subject: string,
    position: Position
  ): Effect.fn.Return<Why, E | NotAWorld | NoSuchPosition | LogNotDense | UnknownSubject> {
    const world = yield* worldOf(log)
    const start = initialState(world)
    const parsed = parseSubject(subject, start)
    const what = parsed?.kind === "event" ? yield* asWritten(log, parsed) : parsed
    const unknown = (known: ReadonlyArray<string>) => new UnknownSubject({ subject, known })
    if (what === undefined) return yield* unknown([...actorsOf(start), "#SEQ", "P1@#SEQ", "gpc/0.valid"])
    const { answer, at, not } = what.kind === "field"
      ? yield* answerOfField(log, start, what.path, position)
      : yield* answerOf(log, what, position)
    if (answer === undefined) return yield* unknown(not)
    const chain = explanationOf(...answer.from)
    const recorded = chain.length === 1 ? yield* recordedCauses(log, chain[0]!) : []
    const links = [...chain, ...recorded].map((event) => linkOf(at.state, event))
    return { subject, seq: at.seq, answer: answer.text, chain: links }
  }
)

/** An answer as of a position; without one, what could have been asked about instead. */
interface Found {
  readonly at: Traveller
  readonly answer: Answer | undefined
  readonly not: ReadonlyArray<string>
}

const answerOf = Effect.fnUntraced(function*<E>(
  log: Log<E>,
  what: Exclude<Subject, { readonly kind: "field" }>,
  position: Position
) {
  const o = yield* foldTo(log, origins, what.kind === "event" ? atSeq(what.seq) : position)
  const answer = what.kind === "actor"
    ? whyActor(o, what.actor)
    : isThere(o, what.seq, what.property)
    ? whyEvent(o, o.last!)
    : undefined
  return { at: o.at, answer, not: violationsNear(o) } satisfies Found
})

/** A field's answer is the event that changed it last, and what explains that. */
const answerOfField = Effect.fnUntraced(function*<E>(log: Log<E>, start: State, path: string, position: Position) {
  const c = yield* foldTo(log, changes, position)
  const leaf = [start, c.at.state].flatMap(leavesOf).find((leaf) => pathOf(leaf) === path)
  const seq = leaf === undefined ? 0 : (yield* lastChanges(log, c, [leaf], 0)).get(leaf) ?? 0
  const changed = seq === 0 ? undefined : (yield* foldTo(log, origins, atSeq(seq))).last
  const answer = leaf === undefined ? undefined : whyField(c, path, leaf.read(c.at.state), changed)
  return { at: c.at, answer, not: siblingsOf(start, path) } satisfies Found
})

/** A violation that is named by the event it was judged at, as where it was written down. */
const asWritten = <E>(log: Log<E>, subject: Subject & { readonly kind: "event" }) =>
  subject.property === undefined
    ? Effect.succeed(subject)
    : Effect.map(violationOf(log, subject.seq, subject.property), (seq) => ({ ...subject, seq: seq ?? subject.seq }))

const siblingsOf = (state: State, path: string): ReadonlyArray<string> =>
  leavesOf(state).filter((leaf) => path.startsWith(`${leaf.subject}.`)).map(pathOf).slice(0, 30)

const isThere = (o: Origins, seq: number, property: PropertyId | undefined): boolean => {
  const last = o.last?.envelope
  if (last?.seq !== seq) return false
  return property === undefined || (last.data._tag === "PropertyViolated" && last.data.property === property)
}

/** What stands at the position, for those who asked for something else. */
const violationsNear = (o: Origins): ReadonlyArray<string> => {
  const last = o.last?.envelope
  if (last === undefined) return ["#1"]
  return last.data._tag === "PropertyViolated" ? [`${last.data.property}@#${last.seq}`] : [`#${last.seq}`]
}

const whyActor = (o: Origins, actor: string): Answer => {
  if (actor === "mn/0") return whyCount(o)
  const gpc = o.at.state.gpcs.findIndex(({ id }) => `gpc/${id}` === actor)
  return gpc >= 0 ?
    whyValid(o, gpc) :
    whyThread(o, o.at.state.threads.findIndex((t) => threadName(o.at.state, t.id) === actor))
}

/** Hops that are followed where only the log's own causes tell something. */
const RECORDED_HOPS = 8

/** Goes from an event to what its envelope names: the operation it belongs to, and else its cause. */
const recordedCauses = Effect.fnUntraced(function*<E>(log: Log<E>, from: Envelope<Event>) {
  const found: Array<Envelope<Event>> = []
  let next = Option.some(from)
  while (Option.isSome(next) && found.length < RECORDED_HOPS) {
    const { cause, corr, seq }: Envelope<Event> = next.value
    const before = corr !== undefined && corr < seq ? corr : cause
    if (before === undefined) break
    next = yield* eventAt(log, before)
    if (Option.isSome(next)) found.push(next.value)
  }
  return found
})

const linkOf = (state: State, { data, seq, src, stream }: Envelope<Event>): ChainLink => {
  const name = threadName(state, data.thread)
  const where = stream.startsWith("gpc/") ? `${name} ${stream}` : name
  return { seq, type: data._tag, text: `${where} ${fieldText(data)}`.trimEnd(), src }
}
