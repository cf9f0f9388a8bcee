/**
 * The text of the function_graph tracer, with times (`echo funcgraph-abstime > trace_options`).
 *
 * A call that others are made in is two records, one where it is entered and one where it is left, both by the function's
 * name. A call that none is made in is one line: of a function that the mapping knows it is two records, too, the second
 * when the call's duration is over; lines of other CPUs may come before it. Which call a `}` ends is known from the calls
 * of the same task, by their depth.
 *
 * @since 0.1.0
 */
import { isGraphed } from "../mapping/mapper.ts"
import { COMMA, HASH } from "../reading/ascii.ts"
import { bytesOf, makeNumbering } from "../reading/text.ts"
import { readPayload } from "./columns.ts"
import { AGAIN, COMMENT, HELD, marker, RECORD, rejected } from "./format.ts"
import type { Form, Format, LineReader, Reading, TraceLine } from "./format.ts"
import { emptyGraphLine, readGraphLine } from "./funcgraph-line.ts"
import { readLoss } from "./loss.ts"
import { TextBuffer } from "./text-buffer.ts"

const NO_CPU = rejected("no CPU")
const NO_CALL = rejected("no call")
const NO_OPENING = rejected("the end of a call that is not shown")

const TIME_ADVICE = "no times: echo funcgraph-abstime > trace_options"
const NO_TIME = rejected(TIME_ADVICE)

/** Calls of a task that are kept; the kernel keeps 50. */
const DEEPEST = 256

/** Functions whose names are kept. */
const MOST_FUNCTIONS = 65_536

/** Leaves that wait, at most: one a CPU. */
const MOST_LEAVES = 4096

/** A record apart from the line it was read from: name of the task, of the event, body. */
interface Parts {
  readonly number: number
  readonly bytes: Uint8Array
  readonly commTo: number
  readonly nameTo: number
  readonly bodyTo: number
  readonly pid: number
  readonly cpu: number
  readonly seconds: number
  readonly nanos: number
  readonly form: Form
}

/** Who runs on a CPU, as the task's column says, or the last switch. */
interface Runner {
  readonly pid: number
  readonly comm: Uint8Array
}

const NOBODY: Runner = { pid: -1, comm: new Uint8Array(0) }

const RET = bytesOf("ret=")

const open = (): LineReader => {
  const graph = emptyGraphLine()
  const text = new TextBuffer()
  const functions = makeNumbering(["(other)"])
  const runners = new Map<number, Runner>()
  const stacks = new Map<number, Array<number>>()
  /** The ends of calls of one line, by their times. */
  const leaves: Array<Parts> = []
  /** What is to be given after the line that was read. */
  const due: Array<Parts> = []
  let own: Parts | undefined

  /** The runner of the line. A task that is not told is who was switched to last. */
  const runnerOf = (bytes: Uint8Array): Runner => {
    const known = runners.get(graph.cpu)
    if (graph.pid < 0) return known ?? NOBODY
    if (known?.pid === graph.pid) return known
    const runner = { pid: graph.pid, comm: bytes.slice(graph.commFrom, graph.commTo) }
    runners.set(graph.cpu, runner)
    return runner
  }

  /** The calls of the task that runs; the idle tasks of all CPUs share a pid. */
  const stackOf = (runner: Runner): Array<number> => {
    const key = runner.pid > 0 ? runner.pid : -1 - graph.cpu
    const known = stacks.get(key)
    if (known !== undefined) return known
    const stack: Array<number> = []
    stacks.set(key, stack)
    return stack
  }

  const functionOf = (bytes: Uint8Array): number => {
    const known = functions.find(bytes, graph.nameFrom, graph.nameTo)
    if (known >= 0) return known
    return functions.texts.length < MOST_FUNCTIONS ? functions.of(bytes, graph.nameFrom, graph.nameTo) : 0
  }

  const push = (stack: Array<number>, name: number): void => {
    const depth = Math.min(graph.depth, DEEPEST)
    while (stack.length < depth) stack.push(-1)
    stack.length = depth
    stack.push(name)
  }

  /** Which function a `}` ends, or -1. A name behind it is better than what is remembered. */
  const pop = (bytes: Uint8Array, stack: Array<number>): number => {
    const name = stack[graph.depth] ?? -1
    stack.length = Math.min(stack.length, graph.depth)
    return graph.nameTo > graph.nameFrom ? functionOf(bytes) : name
  }

  /** The parts of the record in `text`, which begins with the runner's name. */
  const parts = (number: number, runner: Runner, nameTo: number, form: Form): Parts => ({
    number,
    bytes: text.bytes,
    commTo: runner.comm.length,
    nameTo,
    bodyTo: text.length,
    pid: runner.pid,
    cpu: graph.cpu,
    seconds: graph.seconds,
    nanos: graph.nanos,
    form
  })

  const begin = (runner: Runner): void => {
    text.clear()
    text.addAll(runner.comm)
  }

  const entered = (bytes: Uint8Array, number: number, runner: Runner): Parts => {
    begin(runner)
    text.add(bytes, graph.nameFrom, graph.nameTo)
    const nameTo = text.length
    for (let i = graph.bodyFrom; i < graph.bodyTo; i++) if (bytes[i] !== COMMA) text.addByte(bytes[i]!)
    return parts(number, runner, nameTo, "enter")
  }

  const left = (bytes: Uint8Array, number: number, runner: Runner, name: number): Parts => {
    begin(runner)
    text.addAscii(functions.texts[name]!)
    const nameTo = text.length
    if (graph.valueTo > graph.valueFrom) {
      text.addAll(RET)
      text.add(bytes, graph.valueFrom, graph.valueTo)
    }
    return parts(number, runner, nameTo, "exit")
  }

  /** Keeps the end of a call of one line until its time. */
  const keepLeaf = (bytes: Uint8Array, number: number, runner: Runner): void => {
    const name = functionOf(bytes)
    if (!isGraphed(functions.texts[name]!)) return
    const end = left(bytes, number, runner, name)
    const nanos = graph.nanos + Math.max(0, graph.duration)
    const seconds = graph.seconds + Math.floor(nanos / 1_000_000_000)
    const leaf = { ...end, bytes: text.bytes.slice(0, text.length), seconds, nanos: nanos % 1_000_000_000 }
    const at = leaves.findLastIndex((other) => !isLater(other, leaf)) + 1
    leaves.splice(at, 0, leaf)
  }

  /** Moves to `due` what is over before this line: by its time, or because its CPU goes on. */
  const endLeaves = (): void => {
    for (let i = 0; i < leaves.length;) {
      const leaf = leaves[i]!
      const over = !isLater(leaf, graph)
      if (!over && leaf.cpu !== graph.cpu && leaves.length <= MOST_LEAVES) {
        i++
        continue
      }
      // A time is cut to µs: the end of a call may seem later than what follows it.
      due.push(over ? leaf : { ...leaf, seconds: graph.seconds, nanos: graph.nanos })
      leaves.splice(i, 1)
    }
  }

  /** Gives the record, after what is due before it. */
  const give = (record: Parts, line: TraceLine): Reading => {
    if (due.length > 0) {
      own = record
      return HELD
    }
    fill(line, record)
    return RECORD
  }

  const readEvent = (bytes: Uint8Array, line: TraceLine, runner: Runner): Reading => {
    if (!readPayload(bytes, graph.bodyFrom, graph.bodyTo, line)) return COMMENT
    begin(runner)
    text.add(bytes, line.nameFrom, line.nameTo)
    const nameTo = text.length
    text.add(bytes, line.bodyFrom, line.bodyTo)
    const record = parts(line.number, runner, nameTo, line.form)
    endLeaves()
    return give(record, line)
  }

  const read = (bytes: Uint8Array, from: number, to: number, line: TraceLine): Reading => {
    if (bytes[from] === HASH) return COMMENT
    const loss = readLoss(bytes, from, to)
    if (loss !== undefined) return marker(loss)
    const rejection = readGraphLine(bytes, from, to, graph)
    if (rejection !== undefined) return rejection === "decoration" ? COMMENT : rejection === "no CPU" ? NO_CPU : NO_CALL
    if (graph.form === "switch") {
      runners.set(graph.cpu, { pid: graph.pid, comm: bytes.slice(graph.commFrom, graph.commTo) })
      stacks.delete(-1 - graph.cpu)
      return COMMENT
    }
    if (!graph.timed) return NO_TIME
    const runner = runnerOf(bytes)
    if (graph.form === "event") return readEvent(bytes, line, runner)
    const stack = stackOf(runner)
    if (graph.form === "close") {
      const name = pop(bytes, stack)
      if (name < 0) return NO_OPENING
      endLeaves()
      return give(left(bytes, line.number, runner, name), line)
    }
    endLeaves()
    if (graph.form === "leaf") keepLeaf(bytes, line.number, runner)
    else push(stack, functionOf(bytes))
    return give(entered(bytes, line.number, runner), line)
  }

  const more = (line: TraceLine): Reading | undefined => {
    const leaf = due.shift()
    if (leaf !== undefined) {
      fill(line, leaf)
      return AGAIN
    }
    if (own === undefined) return undefined
    fill(line, own)
    own = undefined
    return RECORD
  }

  return {
    bareHex: false,
    read,
    more,
    end: () => {
      due.push(...leaves.splice(0))
    }
  }
}

const isLater = (
  a: { readonly seconds: number; readonly nanos: number },
  b: { readonly seconds: number; readonly nanos: number }
): boolean => a.seconds > b.seconds || (a.seconds === b.seconds && a.nanos > b.nanos)

const fill = (line: TraceLine, record: Parts): void => {
  line.number = record.number
  line.bytes = record.bytes
  line.commFrom = 0
  line.commTo = line.nameFrom = record.commTo
  line.nameTo = line.bodyFrom = record.nameTo
  line.bodyTo = record.bodyTo
  line.pid = record.pid
  line.tgid = -1
  line.cpu = record.cpu
  line.flagsFrom = line.flagsTo = 0
  line.host = 0
  line.seconds = record.seconds
  line.nanos = record.nanos
  line.digits = 9
  line.form = record.form
  line.repeat = 1
}

/** A call as it is shown without times. */
const TIMELESS = /^\s*\d+\)\s.*\|\s+(?:\}|[\w.]+(?: \[\w+\])?\(.*\)(?: \{|;))/

/** The text of the function_graph tracer. */
export const funcgraph: Format = {
  name: "function_graph",
  owns: (line) => line.startsWith("# tracer: function_graph"),
  lacks: (line) => TIMELESS.test(line) ? `function_graph has ${TIME_ADVICE}` : undefined,
  open
}
